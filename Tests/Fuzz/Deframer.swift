import Base

@testable import Wire

/// A body cut anywhere gives the same messages, or the same fault; and gzip is undone within its limit.
func fuzzDeframer(_ input: [UInt8]) {
  var bytes = FuzzBytes(input)
  let mode = bytes.byte()
  let encoding: MessageEncoding = [.identity, .gzip, .unknown("br")][Int(mode & 3) % 3]
  let side: Session.Side = mode & 4 == 0 ? .server : .client
  let cuts = bytes.take(4).map(Int.init)
  let body = Array(bytes.all())
  let whole = deframe([body[...]], side, encoding)
  var pieces: [ArraySlice<UInt8>] = []
  var rest = body[...]
  for cut in cuts {
    pieces.append(rest.prefix(cut))
    rest = rest.dropFirst(cut)
  }
  pieces.append(rest)
  guard deframe(pieces, side, encoding) == whole else { found("cuts at \(cuts) change the messages") }
  for message in whole.messages {
    guard message.bytes.count <= 1000 else { found("a message over the limit") }
    do throws(Fault) {
      let opened = try message.opened(bytesMax: 3000)
      guard opened.count <= 3000 || !message.isCompressed else { found("inflated beyond the limit") }
    } catch {
      guard error.code == .internalError || error.code == .resourceExhausted else { found("\(error)") }
    }
  }
  let packed = WireMessage(gzipping: body)
  guard let opened = try? packed.opened(bytesMax: body.count), opened == body else {
    found("gzip there and back changes the message")
  }
  checkOutbound(whole.messages, size: max(1, Int(mode >> 3)))
}

private struct Deframed: Equatable {
  var messages: [WireMessage] = []
  var fault: Fault?
  var isBetween = true
}

private func deframe(
  _ pieces: [ArraySlice<UInt8>], _ side: Session.Side, _ encoding: MessageEncoding
) -> Deframed {
  var deframer = MessageDeframer(messageBytesMax: 1000, side: side, encoding: encoding)
  var result = Deframed()
  do throws(Fault) {
    for piece in pieces { try deframer.push(piece, into: &result.messages) }
    result.isBetween = deframer.isBetweenMessages
  } catch { result.fault = error }
  return result
}

/// What came in goes out again through buffers of `size`, as it was.
private func checkOutbound(_ messages: [WireMessage], size: Int) {
  let body = OutboundBody(hasTrailers: true, reportsReads: false)
  for message in messages { body.append(message) }
  var sent: [UInt8] = []
  var buffer = [UInt8](repeating: 0, count: size)
  while body.pendingCount > 0 {
    let count = buffer.withUnsafeMutableBytes { body.read(into: $0) }
    sent += buffer[..<count]
  }
  guard deframe([sent[...]], .server, .gzip).messages == messages else {
    found("a body changes on its way out")
  }
}
