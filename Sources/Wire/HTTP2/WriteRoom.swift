internal import NIOCore

/// The memory that connections gather their writes in; one for each event loop.
///
/// A write that the socket takes at once, as nearly all, leaves it free for the next one, of whichever connection: so
/// it stays in the processor's cache, and no connection keeps one. A write that has to wait takes it along.
final class WriteRoom {
  private static let perLoop = PerThread<WriteRoom>()

  private var buffer: ByteBuffer

  private init(_ allocator: ByteBufferAllocator) { buffer = allocator.buffer(capacity: 0) }

  /// The room of this thread.
  static func current(_ allocator: ByteBufferAllocator) -> WriteRoom {
    perLoop({ WriteRoom(allocator) }) { $0 }
  }

  /// An empty buffer, for one write at a time.
  func take() -> ByteBuffer {
    var taken = ByteBuffer()
    swap(&taken, &buffer)
    // Makes another one unless this one is nobody else's any more.
    taken.clear(minimumCapacity: 4096)
    return taken
  }

  /// What was taken, filled and handed on.
  func giveBack(_ taken: ByteBuffer) { buffer = taken }
}
