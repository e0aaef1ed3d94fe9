import Base

@testable import Wire

/// One connection without a socket: bytes in, bytes out, time by hand. What a server's and a client's side share.
class Harness {
  /// Steps of one script. Longer ones say the same again: what a long input may add is longer steps.
  static let stepsMax = 20

  let loop: FuzzLoop
  let channel: FuzzChannel
  let time: ManualTime
  private var frames = FrameBytes()

  init(loop: FuzzLoop, time: ManualTime) {
    self.loop = loop
    self.time = time
    channel = FuzzChannel(loop: loop)
  }

  /// Still takes bytes.
  var isOpen: Bool { channel.isActive && !channel.isOutputClosed }

  /// The peer sends what `write` writes.
  func receive(_ write: (inout FrameBytes) -> Void) {
    guard isOpen else { return }
    frames.clear()
    write(&frames)
    guard !frames.bytes.isEmpty else { return }
    channel.receive(frames.bytes)
    settle()
  }

  func advance(milliseconds: Int64) {
    time.advance(milliseconds: milliseconds)
    loop.advance(milliseconds: milliseconds)
    timePassed()
    settle()
  }

  func timePassed() {}

  func setWritable(_ isWritable: Bool) {
    guard isOpen, channel.isWritable != isWritable else { return }
    channel.setWritable(isWritable)
    settle()
  }

  /// Tasks and the loop in turn, until both are at rest.
  func settle() { repeat { loop.run() } while FuzzTasks.run() > 0 }

  func peerLeaves() {
    channel.end()
    settle()
  }

  /// An hour later nothing of a closed connection may still wait.
  func end() {
    loop.advance(milliseconds: 3_600_000)
    settle()
    guard loop.timerCount == 0 else { found("timers of a closed connection: \(loop.timerCount)") }
  }
}
