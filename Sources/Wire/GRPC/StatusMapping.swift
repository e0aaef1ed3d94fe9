internal import Base

/// How a call ended, on its way into and out of trailers.
enum StatusMapping {
  static func append(_ fault: Fault, to block: inout HeaderBlock) {
    block.append("grpc-status", "\(fault.code.rawValue)")
    if !fault.message.isEmpty { block.append("grpc-message", PercentCoding.encode(fault.message)) }
    Metadata(fault.metadata).encode(into: &block)
  }

  /// The fault in a list of trailers; `nil` for `grpc-status: 0`.
  static func fault(trailers: HeaderBlock, status: ArraySlice<UInt8>) -> Fault? {
    let message = trailers.first("grpc-message").map { PercentCoding.decode($0) } ?? ""
    let number = Int(String(decoding: status, as: UTF8.self))
    if number == 0 { return nil }
    var metadata: [String: String] = [:]
    for entry in Metadata(decoding: trailers).entries {
      if case .text(let text) = entry.value { metadata[entry.name] = text }
    }
    return Fault(number.flatMap(Fault.Code.init(rawValue:)) ?? .unknown, message, metadata: metadata)
  }

  /// For a response that has no grpc-status: what its HTTP status says.
  static func code(httpStatus: String) -> Fault.Code {
    switch httpStatus {
    case "400", "431": .internalError
    case "401": .unauthenticated
    case "403": .permissionDenied
    case "404": .unimplemented
    case "429", "502", "503", "504": .unavailable
    default: .unknown
    }
  }

  /// For a stream that was reset.
  static func code(http2 code: UInt32) -> Fault.Code {
    switch code {
    case HTTP2Code.refusedStream: .unavailable
    case HTTP2Code.cancel: .cancelled
    case HTTP2Code.enhanceYourCalm: .resourceExhausted
    case HTTP2Code.inadequateSecurity: .permissionDenied
    default: .internalError
    }
  }
}
