internal import Base
internal import NIOCore
internal import Synchronization

/// The way from a call, on any thread, to its connection.
///
/// Guard for `@unchecked Sendable`: `connection` is touched on `eventLoop` only.
final class ServerLink: @unchecked Sendable {
  enum Command: Sendable {
    case reply(Int32, [UInt8])
    case fail(Int32, Fault)
    case send(Int32, [UInt8])
    case finish(Int32)
    /// A handler took a message of this many bytes.
    case took(Int32, Int)
  }

  let eventLoop: any EventLoop
  private let mailbox = Mutex<[Command]>([])
  weak var connection: ServerConnection?

  init(eventLoop: any EventLoop) { self.eventLoop = eventLoop }

  /// Commands of one thread arrive in their order. Many that come together wake the loop once.
  func perform(_ command: Command) {
    if eventLoop.inEventLoop {
      // What other threads left before must not be overtaken by what they wait for.
      empty()
      connection?.perform(command)
      connection?.flushSoon()
      return
    }
    let isFirst = mailbox.withLock { mailbox in
      mailbox.append(command)
      return mailbox.count == 1
    }
    if isFirst { eventLoop.execute { self.empty(flushes: true) } }
  }

  private func empty(flushes: Bool = false) {
    let commands = mailbox.withLock { mailbox -> [Command] in
      guard !mailbox.isEmpty else { return [] }
      defer { mailbox = [] }
      return mailbox
    }
    guard let connection, !commands.isEmpty else { return }
    for command in commands { connection.perform(command) }
    if flushes { connection.flushSoon() }
  }
}

extension ServerLink {
  /// From any thread.
  func beginDrain() {
    eventLoop.execute { self.connection?.beginDrain() }
  }
}
