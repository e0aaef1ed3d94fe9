/// How a peer says that it compresses messages: `grpc-encoding`. Each message's flag says whether it is.
enum MessageEncoding: Equatable {
  case identity
  case gzip
  /// One that isn't known here. Messages that are not marked as compressed can be read all the same.
  case unknown(String)

  /// What `grpc-accept-encoding` says of us.
  static let accepted = "identity,gzip"

  var isIdentity: Bool { if case .identity = self { true } else { false } }

  /// Of the request or response that begins with `headers`.
  init(_ headers: HeaderBlock) {
    guard let name = headers.first("grpc-encoding") else {
      self = .identity
      return
    }
    switch String(decoding: name, as: UTF8.self) {
    case "identity": self = .identity
    case "gzip": self = .gzip
    case let other: self = .unknown(other)
    }
  }

  /// Whether the peer takes gzip.
  static func isGzipAccepted(_ headers: HeaderBlock) -> Bool {
    let space = UInt8(ascii: " ")
    for index in headers.indices where headers.name(index, is: "grpc-accept-encoding") {
      for name in headers.value(index).split(separator: UInt8(ascii: ",")) {
        let name = name.drop { $0 == space }
        if name.starts(with: "gzip".utf8), name.dropFirst(4).allSatisfy({ $0 == space }) { return true }
      }
    }
    return false
  }
}
