internal import Base

/// Cuts a stream's body into messages: one flag byte, four bytes of length, the message; split and joined anyhow.
struct MessageDeframer {
  private let messageBytesMax: Int
  private let side: Session.Side
  let encoding: MessageEncoding
  private var prefix: UInt64 = 0
  private var prefixCount = 0
  private var message: [UInt8] = []
  private var missingCount = 0
  private var isCompressed = false

  init(messageBytesMax: Int, side: Session.Side, encoding: MessageEncoding) {
    self.messageBytesMax = messageBytesMax
    self.side = side
    self.encoding = encoding
  }

  /// Bytes of a message that isn't whole yet.
  var partialCount: Int { prefixCount + message.count }
  var isBetweenMessages: Bool { prefixCount == 0 }

  /// Gives up a message that isn't whole, and the memory it is in: nothing more will come.
  mutating func discard() {
    message = []
    missingCount = 0
    prefix = 0
    prefixCount = 0
  }

  /// Appends each message that `bytes` completes.
  mutating func push(_ bytes: ArraySlice<UInt8>, into messages: inout [WireMessage]) throws(Fault) {
    try bytes.withUnsafeBufferPointer { bytes throws(Fault) in try push(bytes, into: &messages) }
  }

  mutating func push(_ bytes: UnsafeBufferPointer<UInt8>, into messages: inout [WireMessage]) throws(Fault) {
    var index = 0
    while index < bytes.count {
      while prefixCount < 5, index < bytes.count {
        prefix = prefix << 8 | UInt64(bytes[index])
        prefixCount += 1
        index += 1
        if prefixCount == 5 { try begin() }
      }
      guard prefixCount == 5 else { return }
      let count = min(missingCount, bytes.count - index)
      let part = UnsafeBufferPointer(rebasing: bytes[index..<index + count])
      index += count
      missingCount -= count
      if missingCount > 0 {
        message.append(contentsOf: part)
        return
      }
      prefix = 0
      prefixCount = 0
      if message.isEmpty {
        // The usual case: whole, and copied once.
        messages.append(WireMessage(bytes: [UInt8](part), isCompressed: isCompressed))
      } else {
        message.append(contentsOf: part)
        messages.append(WireMessage(bytes: message, isCompressed: isCompressed))
        message = []
      }
    }
  }

  private mutating func begin() throws(Fault) {
    let flag = prefix >> 32
    let length = Int(prefix & 0xffff_ffff)
    switch (flag, encoding) {
    case (0, _): isCompressed = false
    case (1, .gzip): isCompressed = true
    case (1, .identity):
      throw Fault(.internalError, "a message is marked as compressed, and grpc-encoding names no compression")
    case (1, .unknown(let name)):
      let code: Fault.Code = side == .server ? .unimplemented : .internalError
      throw Fault(code, "grpc-encoding \(name.prefix(32)) isn't known here; send identity or gzip")
    default: throw Fault(.internalError, "a message's compressed flag is \(flag), not 0 or 1")
    }
    guard length <= messageBytesMax else {
      throw Fault(.resourceExhausted, "a message of \(length) bytes is over the limit of \(messageBytesMax)")
    }
    missingCount = length
  }
}
