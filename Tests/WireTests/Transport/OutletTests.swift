import NIOCore
import Testing

@testable import Wire

struct OutletTests {
  private static let head: [UInt8] = [0, 0, 100, 0, 0, 0, 0, 0, 1]

  /// Writes a frame with `count` bytes of content; whether it was taken.
  private func write(_ count: Int, to outlet: inout Outlet) -> Bool {
    outlet.write(frameHead: Self.head, contentCount: count) { room in
      for index in room.indices { room[index] = UInt8(truncatingIfNeeded: index) }
      return room.count
    }
  }

  @Test("frames are put behind one another, heads and contents, and behind what the buffer held")
  func inOrder() {
    var buffer = ByteBuffer(bytes: [7, 7])
    var outlet = Outlet()
    outlet.open(&buffer, limit: 1000)
    #expect(write(3, to: &outlet))
    [UInt8]([9]).withUnsafeBytes { outlet.write($0) }
    #expect(write(1, to: &outlet))
    outlet.close(&buffer)
    #expect(Array(buffer.readableBytesView) == [7, 7] + Self.head + [0, 1, 2, 9] + Self.head + [0])
  }

  @Test("a frame that would go over the limit waits for the next write, and one that is alone never does")
  func waits() {
    var buffer = ByteBuffer()
    var outlet = Outlet()
    outlet.open(&buffer, limit: 100)
    #expect(write(82, to: &outlet))
    #expect(outlet.hasRoom)
    #expect(!write(1, to: &outlet), "91 bytes are there, and 10 more are over 100")
    #expect(write(0, to: &outlet))
    #expect(!outlet.hasRoom)
    outlet.close(&buffer)
    #expect(buffer.readableBytes == 100)
    buffer.clear()
    outlet.open(&buffer, limit: 100)
    #expect(write(5000, to: &outlet))
    outlet.close(&buffer)
    #expect(buffer.readableBytes == 5009)
  }
}
