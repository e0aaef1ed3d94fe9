#if canImport(Glibc)
  internal import Glibc
#else
  internal import Darwin
#endif

/// The messages of one stream on their way out, each with its 5-byte gRPC prefix; lives on its event loop.
final class OutboundBody {
  /// The message that is leaving, and those behind it: mostly there is one, and then no list.
  @exclusivity(unchecked) private var current: WireMessage?
  @exclusivity(unchecked) private var waiting: [WireMessage] = []
  /// Where in `waiting` the next one is.
  @exclusivity(unchecked) private var head = 0
  /// How much of the current message has left, its prefix counted.
  @exclusivity(unchecked) private var offset = 0
  /// Bytes that have not left yet, prefixes counted.
  @exclusivity(unchecked) private(set) var pendingCount = 0
  /// Whether a message may have room behind it.
  @exclusivity(unchecked) private var hasRoom = false
  @exclusivity(unchecked) private(set) var isFinished = false
  /// What follows the last message: `nil` is the everyday trailers, `grpc-status: 0`.
  @exclusivity(unchecked) private(set) var trailers: HeaderBlock?
  /// A client's body ends without trailers.
  let hasTrailers: Bool
  /// Whether each read is written down as ``SessionEvent/bodyRead``.
  @exclusivity(unchecked) private(set) var reportsReads: Bool
  /// Set while HTTP/2 waits to be told that there is more.
  @exclusivity(unchecked) var isDeferred = false

  static let prefixCount = 5

  init(hasTrailers: Bool, reportsReads: Bool) {
    self.hasTrailers = hasTrailers
    self.reportsReads = reportsReads
  }

  /// As new, for another stream.
  func reopen(reportsReads: Bool) {
    discard()
    isFinished = false
    trailers = nil
    isDeferred = false
    self.reportsReads = reportsReads
  }

  func append(_ message: WireMessage) {
    precondition(!isFinished, "a message after the end")
    if current == nil { current = message } else { waiting.append(message) }
    pendingCount += message.count + Self.prefixCount
    if message.storage.count > message.count { hasRoom = true }
  }

  func append(_ message: [UInt8]) { append(WireMessage(message)) }

  func finish(trailers: HeaderBlock? = nil) {
    isFinished = true
    self.trailers = trailers
  }

  /// Gives up what has not left.
  func discard() {
    current = nil
    if !waiting.isEmpty { waiting.removeAll() }
    head = 0
    offset = 0
    pendingCount = 0
    hasRoom = false
  }

  /// Bytes of memory that its messages are in.
  var storedCount: Int {
    (current?.storage.count ?? 0) + waiting[head...].reduce(0) { $0 + $1.storage.count }
  }

  /// Holds no more than its messages: they don't leave as soon as they usually do.
  func fit() {
    guard hasRoom else { return }
    hasRoom = false
    if let message = current.take() { current = message.fitted() }
    for index in waiting.indices { waiting[index] = waiting[index].fitted() }
  }

  /// Moves up to `target.count` bytes out; returns how many.
  func read(into target: UnsafeMutableRawBufferPointer) -> Int {
    guard let base = target.baseAddress else { return 0 }
    var written = 0
    while written < target.count, let message = current {
      let size = message.count
      if offset < Self.prefixCount {
        let count = min(Self.prefixCount - offset, target.count - written)
        withUnsafeBytes(of: Self.prefix(of: message)) { prefix in
          if let prefix = prefix.baseAddress { memcpy(base + written, prefix + offset, count) }
        }
        written += count
        offset += count
      }
      if offset >= Self.prefixCount {
        let start = offset - Self.prefixCount
        let count = min(size - start, target.count - written)
        message.storage.withUnsafeBytes { bytes in
          if let bytes = bytes.baseAddress { memcpy(base + written, bytes + start, count) }
        }
        written += count
        offset += count
        if offset == size + Self.prefixCount { advance() }
      }
    }
    pendingCount -= written
    return written
  }

  private static func prefix(of message: WireMessage) -> (UInt8, UInt8, UInt8, UInt8, UInt8) {
    let size = message.count
    return (
      message.isCompressed ? 1 : 0, UInt8(truncatingIfNeeded: size >> 24),
      UInt8(truncatingIfNeeded: size >> 16), UInt8(truncatingIfNeeded: size >> 8),
      UInt8(truncatingIfNeeded: size)
    )
  }

  private func advance() {
    offset = 0
    if let left = current.take() { MessageRoom.giveBack(left.storage) }
    guard head < waiting.count else {
      waiting.removeAll(keepingCapacity: true)
      head = 0
      return
    }
    current = waiting[head]
    waiting[head] = WireMessage([])
    head += 1
    if head >= 64 {
      waiting.removeFirst(head)
      head = 0
    }
  }
}
