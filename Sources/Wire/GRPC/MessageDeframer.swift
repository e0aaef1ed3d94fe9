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

  /// Appends each message that `bytes` completes.
  mutating func push(_ bytes: ArraySlice<UInt8>, into messages: inout [WireMessage]) throws(Fault) {
    var rest = bytes
    while !rest.isEmpty {
      if prefixCount < 5 {
        let count = min(5 - prefixCount, rest.count)
        for byte in rest.prefix(count) { prefix = prefix << 8 | UInt64(byte) }
        prefixCount += count
        rest = rest.dropFirst(count)
        guard prefixCount == 5 else { return }
        try begin()
      }
      let count = min(missingCount, rest.count)
      if message.isEmpty, count == missingCount {
        // The usual case: whole, and copied once.
        message = [UInt8](rest.prefix(count))
      } else {
        message.append(contentsOf: rest.prefix(count))
      }
      rest = rest.dropFirst(count)
      missingCount -= count
      if missingCount == 0 {
        messages.append(WireMessage(bytes: message, isCompressed: isCompressed))
        message = []
        prefix = 0
        prefixCount = 0
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
