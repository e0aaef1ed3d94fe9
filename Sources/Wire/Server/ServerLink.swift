internal import Base
internal import NIOCore
internal import Synchronization

/// The way from a call, on any thread, to its connection.
///
/// Guard for `@unchecked Sendable`: `connection` is touched on `eventLoop` only.
final class ServerLink: @unchecked Sendable {
  enum Command: Sendable {
    case reply(Int32, WireMessage)
    case fail(Int32, Fault)
    case send(Int32, WireMessage)
    case finish(Int32)
    /// A handler took a message of this many bytes.
    case took(Int32, Int)
    /// The request of a unary call that had come compressed.
    case inflated(Int32, [UInt8])
  }

  private struct Mailbox {
    var commands: [Command] = []
    var isClosed = false
  }

  let eventLoop: any EventLoop
  private let mailbox = Locked(Mailbox())
  /// False once the connection is gone, and its event loop may be: nothing may wake it any more. Held while the loop is
  /// woken, and not together with `mailbox`: a loop that wakes on the same core would find that taken at once.
  private let isOpen = Locked(true)
  /// Of calls that have any, by their streams.
  private let extras = Locked<[Int32: CallExtras]>([:])
  /// Set while there is something in the mailbox; looked at before its lock.
  private let hasMail = Atomic(false)
  /// The connection holds this, and this holds it, until ``close()``: a weak reference would cost each call more than
  /// everything else here.
  @exclusivity(unchecked) var connection: ServerConnection?

  init(eventLoop: any EventLoop) { self.eventLoop = eventLoop }

  /// Commands of one thread arrive in their order. Many that come together wake the loop once.
  func perform(_ command: Command) {
    if eventLoop.inEventLoop {
      // What other threads left before must not be overtaken by what they wait for.
      if hasMail.load(ordering: .acquiring) { empty() }
      if let connection {
        connection.perform(command)
        connection.flushSoon()
      }
      return
    }
    let isFirst = mailbox.withLock { mailbox in
      guard !mailbox.isClosed else { return false }
      mailbox.commands.append(command)
      hasMail.store(true, ordering: .releasing)
      return mailbox.commands.count == 1
    }
    if isFirst { wake { $0.empty(flushes: true) } }
  }

  /// Has the event loop do something: before `close`, or not at all.
  private func wake(_ body: @escaping @Sendable (ServerLink) -> Void) {
    isOpen.withLock { isOpen in
      if isOpen { eventLoop.execute { body(self) } }
    }
  }

  private func empty(flushes: Bool = false) {
    let commands = mailbox.withLock { mailbox -> [Command] in
      guard !mailbox.commands.isEmpty else { return [] }
      hasMail.store(false, ordering: .relaxed)
      defer { mailbox.commands = [] }
      return mailbox.commands
    }
    guard let connection, !commands.isEmpty else { return }
    for command in commands { connection.perform(command) }
    if flushes { connection.flushSoon() }
  }
}

extension ServerLink {
  /// From any thread.
  func changeExtras<Result: Sendable>(_ stream: Int32, _ body: (inout CallExtras) -> Result) -> Result {
    extras.withLock { body(&$0[stream, default: CallExtras()]) }
  }

  func dropExtras(_ stream: Int32) { extras.withLock { _ = $0.removeValue(forKey: stream) } }

  /// From any thread.
  func beginDrain() {
    wake { $0.connection?.beginDrain(.shutdown) }
  }

  /// From any thread.
  func cutIfRevoked(_ context: TLSContext) {
    wake { $0.connection?.cutIfRevoked(context) }
  }

  /// From any thread: looks after `milliseconds` whether its peer is still trusted.
  func recheck(_ context: TLSContext, after milliseconds: Int) {
    isOpen.withLock { isOpen in
      guard isOpen else { return }
      eventLoop.scheduleTask(in: .milliseconds(Int64(milliseconds))) { self.connection?.recheck(context) }
    }
  }

  /// On the event loop.
  func close() {
    isOpen.withLock { $0 = false }
    mailbox.withLock { mailbox in
      mailbox.isClosed = true
      mailbox.commands = []
    }
    connection = nil
  }
}
