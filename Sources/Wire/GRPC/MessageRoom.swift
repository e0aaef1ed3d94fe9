internal import NIOPosix

/// Memory for messages on their way out, used again and again by the threads that write them: an allocator takes longer
/// over a few kilobytes than encoding them does.
final class MessageRoom {
  /// Larger messages have memory of their own, and so have small ones: what waits for a slow reader is counted by its
  /// bytes, and must not hold many times as much.
  static let byteCount = 4096
  static let byteCountLeast = 1024
  private static let countMax = 128

  /// Guard for `nonisolated(unsafe)`: each thread sees a value of its own.
  nonisolated(unsafe) private static let perThread = ThreadSpecificVariable<MessageRoom>()

  private static var current: MessageRoom {
    if let room = perThread.currentValue { return room }
    let room = MessageRoom()
    perThread.currentValue = room
    return room
  }

  @exclusivity(unchecked) private var free: [[UInt8]] = []

  /// At least `byteCountMax` bytes that mean nothing.
  static func take(_ byteCountMax: Int) -> [UInt8] {
    guard byteCountLeast...byteCount ~= byteCountMax else {
      return [UInt8](repeating: 0, count: byteCountMax)
    }
    return current.free.popLast() ?? [UInt8](repeating: 0, count: byteCount)
  }

  /// What was taken, here or by another thread, once it has left.
  static func giveBack(_ bytes: consuming [UInt8]) {
    guard bytes.count == byteCount else { return }
    let room = current
    if room.free.count < countMax { room.free.append(bytes) }
  }
}
