internal import Base

/// One message as it travels behind its 5-byte prefix: plain, or gzipped and marked as such.
///
/// A compressed one stays so while it waits, so that what is held for a peer is what the peer sent; it is inflated
/// where it is taken.
struct WireMessage: Sendable, Equatable {
  /// The message's bytes, and perhaps room behind them.
  let storage: [UInt8]
  let count: Int
  let isCompressed: Bool

  init(_ bytes: [UInt8]) { self.init(bytes: bytes, isCompressed: false) }

  init(bytes: [UInt8], isCompressed: Bool) {
    storage = bytes
    count = bytes.count
    self.isCompressed = isCompressed
  }

  /// What `write` puts into room for `byteCountMax` bytes; it answers how many those were.
  init(byteCountMax: Int, _ write: (UnsafeMutableBufferPointer<UInt8>) -> Int) {
    var room = MessageRoom.take(byteCountMax)
    count = room.withUnsafeMutableBufferPointer {
      write(UnsafeMutableBufferPointer(rebasing: $0[..<byteCountMax]))
    }
    precondition(0...byteCountMax ~= count, "a message larger than its room")
    storage = room
    isCompressed = false
  }

  /// The same in memory of its own size, for when it has to wait; its room is free for others.
  consuming func fitted() -> WireMessage {
    guard storage.count > count else { return self }
    let exact = WireMessage(bytes: Array(storage[..<count]), isCompressed: isCompressed)
    MessageRoom.giveBack(storage)
    return exact
  }

  /// Its bytes, when it is needed no more.
  consuming func takeBytes() -> [UInt8] { count == storage.count ? storage : Array(storage[..<count]) }

  var bytes: [UInt8] { count == storage.count ? storage : Array(storage[..<count]) }

  static func == (one: WireMessage, two: WireMessage) -> Bool {
    one.isCompressed == two.isCompressed && one.storage[..<one.count] == two.storage[..<two.count]
  }

  /// Gzipped, unless that doesn't make it smaller.
  init(gzipping message: [UInt8]) {
    if let smaller = Gzip.deflate(message) {
      self.init(bytes: smaller, isCompressed: true)
    } else {
      self.init(message)
    }
  }

  /// What was meant. A message longer than `bytesMax` is inflated no further than that.
  func opened(bytesMax: Int) throws(Fault) -> [UInt8] {
    isCompressed ? try Gzip.inflate(bytes, bytesMax: bytesMax) : bytes
  }
}
