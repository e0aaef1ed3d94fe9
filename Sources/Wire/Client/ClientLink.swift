internal import Base
internal import NIOCore
internal import Synchronization

/// The way from a caller, on any thread, to its connection's event loop; many commands that come together wake the
/// loop once.
final class ClientLink: Sendable {
  enum Command: Sendable {
    case start(ClientStream)
    case send(ClientStream, [UInt8])
    case finish(ClientStream)
    case cancel(ClientStream)
    /// The caller took a message of this many bytes.
    case took(ClientStream, Int)
    case close(@Sendable () -> Void)
  }

  let eventLoop: any EventLoop
  private let core: NIOLoopBoundBox<ClientCore>
  private let mailbox = Mutex<[Command]>([])

  init(eventLoop: any EventLoop, core: @Sendable @escaping () -> ClientCore) {
    self.eventLoop = eventLoop
    self.core = NIOLoopBoundBox.makeBoxSendingValue(core(), eventLoop: eventLoop)
  }

  func perform(_ command: Command) {
    let isFirst = mailbox.withLock { mailbox in
      mailbox.append(command)
      return mailbox.count == 1
    }
    if isFirst { eventLoop.execute { self.empty() } }
  }

  private func empty() {
    let commands = mailbox.withLock { mailbox in
      defer { mailbox = [] }
      return mailbox
    }
    for command in commands { core.value.perform(command) }
    core.value.flushSoon()
  }
}
