#if canImport(Glibc)
  internal import Glibc
#else
  internal import Darwin
#endif

/// The messages of one stream on their way out, each with its 5-byte gRPC prefix; lives on its event loop.
final class OutboundBody {
  private var messages: [WireMessage] = []
  private var head = 0
  /// How much of the message at `head` has left, its prefix counted.
  private var offset = 0
  /// Bytes that have not left yet, prefixes counted.
  private(set) var pendingCount = 0
  private(set) var isFinished = false
  /// What follows the last message: `nil` is the everyday trailers, `grpc-status: 0`.
  private(set) var trailers: HeaderBlock?
  /// A client's body ends without trailers.
  let hasTrailers: Bool
  /// Whether each read is written down as ``SessionEvent/bodyRead``.
  let reportsReads: Bool
  /// Set while HTTP/2 waits to be told that there is more.
  var isDeferred = false

  static let prefixCount = 5

  init(hasTrailers: Bool, reportsReads: Bool) {
    self.hasTrailers = hasTrailers
    self.reportsReads = reportsReads
  }

  func append(_ message: WireMessage) {
    precondition(!isFinished, "a message after the end")
    messages.append(message)
    pendingCount += message.bytes.count + Self.prefixCount
  }

  func append(_ message: [UInt8]) { append(WireMessage(message)) }

  func finish(trailers: HeaderBlock? = nil) {
    isFinished = true
    self.trailers = trailers
  }

  /// Gives up what has not left.
  func discard() {
    messages.removeAll()
    head = 0
    offset = 0
    pendingCount = 0
  }

  /// Moves up to `target.count` bytes out; returns how many.
  func read(into target: UnsafeMutableRawBufferPointer) -> Int {
    var written = 0
    while written < target.count, head < messages.count {
      let size = messages[head].bytes.count
      if offset < Self.prefixCount {
        let prefix =
          (
            messages[head].isCompressed ? 1 : 0, UInt8(truncatingIfNeeded: size >> 24),
            UInt8(truncatingIfNeeded: size >> 16), UInt8(truncatingIfNeeded: size >> 8),
            UInt8(truncatingIfNeeded: size)
          ) as (UInt8, UInt8, UInt8, UInt8, UInt8)
        let count = min(Self.prefixCount - offset, target.count - written)
        withUnsafeBytes(of: prefix) {
          target[written..<written + count].copyBytes(from: $0[offset..<offset + count])
        }
        written += count
        offset += count
      }
      if offset >= Self.prefixCount {
        let start = offset - Self.prefixCount
        let count = min(size - start, target.count - written)
        messages[head].bytes.withUnsafeBytes {
          target[written..<written + count].copyBytes(from: $0[start..<start + count])
        }
        written += count
        offset += count
        if offset == size + Self.prefixCount { advance() }
      }
    }
    pendingCount -= written
    return written
  }

  private func advance() {
    messages[head].bytes = []
    head += 1
    offset = 0
    if head == messages.count {
      messages.removeAll(keepingCapacity: true)
      head = 0
    } else if head >= 64 {
      messages.removeFirst(head)
      head = 0
    }
  }
}
