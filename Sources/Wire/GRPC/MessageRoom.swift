/// Memory for messages on their way out, used again and again by the threads that write them: an allocator takes longer
/// over a few kilobytes than encoding them does.
final class MessageRoom {
  /// Larger messages have memory of their own, and so have small ones: what waits for a slow reader is counted by its
  /// bytes, and must not hold many times as much.
  static let byteCount = 4096
  static let byteCountLeast = 1024
  private static let countMax = 128

  private static let perThread = PerThread<MessageRoom>()

  @exclusivity(unchecked) private var free: [[UInt8]] = []

  /// At least `byteCountMax` bytes that mean nothing.
  static func take(_ byteCountMax: Int) -> [UInt8] {
    guard byteCountLeast...byteCount ~= byteCountMax else {
      return [UInt8](repeating: 0, count: byteCountMax)
    }
    return perThread(MessageRoom.init) { $0.free.popLast() } ?? [UInt8](repeating: 0, count: byteCount)
  }

  /// What was taken, here or by another thread, once it has left.
  static func giveBack(_ bytes: [UInt8]) {
    guard bytes.count == byteCount else { return }
    perThread(MessageRoom.init) { if $0.free.count < countMax { $0.free.append(bytes) } }
  }
}
