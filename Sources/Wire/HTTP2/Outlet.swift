internal import NIOCore

/// Where frames on their way out are put down, one after the other, until there are enough of them for one write.
struct Outlet {
  private static let headCount = 9

  private var buffer = ByteBuffer()
  private var limit = 0

  /// Takes `buffer` until ``close(_:)``; what it holds already counts against `limit`.
  mutating func open(_ buffer: inout ByteBuffer, limit: Int) {
    swap(&self.buffer, &buffer)
    self.limit = limit
  }

  mutating func close(_ buffer: inout ByteBuffer) {
    swap(&self.buffer, &buffer)
    limit = 0
  }

  var hasRoom: Bool { buffer.readableBytes < limit }

  mutating func write(_ bytes: UnsafeRawBufferPointer) { buffer.writeBytes(bytes) }

  /// A frame's 9 bytes of head and what `fill` writes behind them; false when it has to wait for the next write. A frame
  /// that is alone is never too large.
  mutating func write(
    frameHead head: UnsafePointer<UInt8>, contentCount: Int, _ fill: (UnsafeMutableRawBufferPointer) -> Int
  ) -> Bool {
    let count = Self.headCount + contentCount
    guard buffer.readableBytes == 0 || buffer.readableBytes + count <= limit else { return false }
    buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: count) { room in
      room.copyMemory(from: UnsafeRawBufferPointer(start: head, count: Self.headCount))
      return Self.headCount + fill(UnsafeMutableRawBufferPointer(rebasing: room[Self.headCount..<count]))
    }
    return true
  }
}
