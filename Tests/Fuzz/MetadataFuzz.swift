import Base

@testable import Wire

private let names = [
  "x", "x-bin", "grpc-message", "grpc-status", "grpc-status-details-bin", "grpc-encoding", ":path",
]

/// A header list of any names and values: its metadata, what they become on the way back, and how a call's end reads.
func fuzzMetadata(_ input: [UInt8]) {
  var bytes = FuzzBytes(input)
  var block = HeaderBlock()
  while !bytes.isAtEnd {
    let kind = Int(bytes.byte())
    let name = kind < names.count ? names[kind] : String(decoding: bytes.bytes(), as: UTF8.self)
    let value = bytes.bytes()
    block.append(name: name, value: value)
    checkCodings(Array(value))
  }
  let metadata = Metadata(decoding: block)
  var written = HeaderBlock()
  metadata.encode(into: &written)
  let again = Metadata(decoding: written)
  guard again == metadata else { found("metadata change on their way: \(metadata) \(again)") }
  guard Metadata.hasReadableBytes(written) else { found("we write base64 that we can't read") }
  _ = MessageEncoding(block)
  _ = MessageEncoding.isGzipAccepted(block)
  if let status = block.first("grpc-status"),
    let fault = StatusMapping.fault(trailers: block, status: status)
  {
    var trailers = HeaderBlock()
    StatusMapping.append(fault, to: &trailers)
    guard let back = StatusMapping.fault(trailers: trailers, status: trailers.first("grpc-status") ?? []),
      back.code == fault.code
    else { found("the status \(fault) is lost on its way") }
    if fault.message.utf8.count <= 1024, back.message != fault.message {
      found("a message changes: \(fault)")
    }
  }
}

private func checkCodings(_ value: [UInt8]) {
  let encoded = Base64.encode(value)
  guard Base64.decode(encoded[...]) == value else { found("base64 of \(value)") }
  if let decoded = Base64.decode(value[...]) {
    // The digits of what was read, all but the last, whose low bits may be anything.
    let canonical = Base64.encode(decoded)
    let digits = value.filter { $0 != UInt8(ascii: "=") && $0 != UInt8(ascii: " ") }
    guard canonical.count == digits.count, canonical.dropLast().elementsEqual(digits.dropLast()) else {
      found("base64 \(value) is read as \(decoded)")
    }
  }
  let text = PercentCoding.decode(value[...])
  let percent = PercentCoding.encode(text)
  guard percent.count <= 4096, percent.allSatisfy({ (0x20...0x7e).contains($0) }) else {
    found("a grpc-message of \(percent)")
  }
  if text.utf8.count <= 1024, PercentCoding.decode(percent[...]) != text {
    found("percent-encoding of \(text)")
  }
}
