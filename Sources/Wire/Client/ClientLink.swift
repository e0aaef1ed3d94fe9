internal import Base
internal import NIOCore

/// The way from a caller, on any thread, to its connection's event loop; many commands that come together wake the
/// loop once.
final class ClientLink: Sendable {
  enum Command: Sendable {
    case start(ClientStream)
    case send(ClientStream, WireMessage)
    case finish(ClientStream)
    case cancel(ClientStream)
    /// Ends the call on our side: its response can't be read.
    case giveUp(ClientStream, Fault)
    /// The caller took a message of this many bytes.
    case took(ClientStream, Int)
    case close(@Sendable () -> Void)
  }

  private struct Mailbox {
    var commands: [Command] = []
    /// Closed by its owner, so that the event loop may be gone: nothing may wake it any more.
    var isClosed = false
  }

  let eventLoop: any EventLoop
  private let core: NIOLoopBoundBox<ClientCore>
  private let mailbox = Locked(Mailbox())

  init(eventLoop: any EventLoop, core: @Sendable @escaping () -> ClientCore) {
    self.eventLoop = eventLoop
    self.core = NIOLoopBoundBox.makeBoxSendingValue(core(), eventLoop: eventLoop)
  }

  func perform(_ command: Command) {
    let isClosed = mailbox.withLock { mailbox in
      guard !mailbox.isClosed else { return true }
      mailbox.commands.append(command)
      // Under the lock, so that it is before the end or not at all.
      if mailbox.commands.count == 1 { eventLoop.execute { self.empty() } }
      return false
    }
    if isClosed { refuse(command) }
  }

  private func refuse(_ command: Command) {
    switch command {
    case .start(let stream):
      stream.fail(Fault(.unavailable, "this client connection was closed"), isSafeToRetry: true)
    case .close(let done): done()
    case .send, .finish, .cancel, .giveUp, .took: break
    }
  }

  private func empty() {
    let commands = mailbox.withLock { mailbox in
      defer { mailbox.commands = [] }
      return mailbox.commands
    }
    for (index, command) in commands.enumerated() {
      guard case .close(let done) = command else {
        core.value.perform(command)
        continue
      }
      core.value.close()
      let late = mailbox.withLock { mailbox in
        mailbox.isClosed = true
        defer { mailbox.commands = [] }
        return mailbox.commands
      }
      for command in commands[(index + 1)...] + late { refuse(command) }
      return done()
    }
    core.value.flushSoon()
  }
}
