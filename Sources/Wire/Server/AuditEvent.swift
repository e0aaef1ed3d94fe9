package import Base

#if canImport(Glibc)
  internal import Glibc
#else
  internal import Darwin
#endif

/// One thing that an auditor asks about: who was refused what and why, or which certificates were taken up.
package struct AuditEvent: Sendable, Equatable {
  package enum Kind: String, Sendable {
    /// A call of a method that isn't for the caller's role.
    case methodDenied = "method_denied"
    /// A TLS handshake that we ended, or the peer.
    case handshakeRefused = "handshake_refused"
    /// A certificate that is in order, and whose names make no caller of ours.
    case identityRefused = "identity_refused"
    /// A connection whose certificate is of an authority that isn't trusted any more.
    case trustWithdrawn = "trust_withdrawn"
    /// A connection whose certificate is in a list of revoked ones that came after it.
    case certificateRevoked = "certificate_revoked"
    case certificatesLoaded = "certificates_loaded"
    /// New files that can't be used: the old ones stay in use.
    case certificatesRefused = "certificates_refused"
    /// A list of revoked certificates that ends before long.
    case revocationsEnding = "revocations_ending"
  }

  package var kind: Kind
  /// `address:port` of the peer; empty when the event is nobody's.
  package var peer: String
  package var role: Role?
  package var uri: String?
  package var subject: String?
  package var method: String?
  package var reason: String

  package init(
    _ kind: Kind, peer: String = "", role: Role? = nil, uri: String? = nil, subject: String? = nil,
    method: String? = nil, reason: String
  ) {
    self.kind = kind
    self.peer = peer
    self.role = role
    self.uri = uri
    self.subject = subject
    self.method = method
    self.reason = reason
  }

  /// Events of one cause: the same thing refused to the same caller, whatever its port.
  var cause: AuditCause {
    let host = peer.lastIndex(of: ":").map { String(peer[..<$0]) } ?? peer
    return AuditCause(kind: kind, who: uri ?? host, method: method)
  }

  func line(at now: Timestamp) -> [UInt8] {
    var line = JSONLine()
    line.append("time", now.text)
    line.append("event", kind.rawValue)
    if !peer.isEmpty { line.append("peer", peer) }
    if let role { line.append("role", role.rawValue) }
    if let uri { line.append("uri", uri) }
    if let subject, !subject.isEmpty { line.append("subject", subject) }
    if let method { line.append("method", method) }
    line.append("reason", reason)
    return line.finish()
  }
}

struct AuditCause: Hashable, Sendable {
  var kind: AuditEvent.Kind
  var who: String
  var method: String?

  func line(at now: Timestamp, count: Int) -> [UInt8] {
    var line = JSONLine()
    line.append("time", now.text)
    line.append("event", kind.rawValue)
    if !who.isEmpty { line.append("who", who) }
    if let method { line.append("method", method) }
    line.append("left_out", count)
    line.append("reason", "and \(count) more like this")
    return line.finish()
  }
}

/// One JSON object on one line. A peer's text is cut and escaped, so that it is one value and no more.
struct JSONLine {
  static let textBytesMax = 512

  private var bytes: [UInt8] = [UInt8(ascii: "{")]

  mutating func append(_ name: StaticString, _ value: String) {
    begin(name)
    bytes.append(UInt8(ascii: "\""))
    for scalar in value.cut(toByteCount: Self.textBytesMax).unicodeScalars {
      switch scalar.value {
      case 0x22, 0x5c: bytes += [0x5c, UInt8(scalar.value)]
      // Control characters, and the two line ends that aren't ASCII.
      case ..<0x20, 0x7f...0x9f, 0x2028, 0x2029:
        let digits = String(scalar.value, radix: 16)
        bytes += Array("\\u\(String(repeating: "0", count: 4 - digits.count))\(digits)".utf8)
      default: bytes += Array(String(scalar).utf8)
      }
    }
    bytes.append(UInt8(ascii: "\""))
  }

  mutating func append(_ name: StaticString, _ value: Int) {
    begin(name)
    bytes += Array("\(value)".utf8)
  }

  private mutating func begin(_ name: StaticString) {
    if bytes.count > 1 { bytes.append(UInt8(ascii: ",")) }
    bytes += Array("\"\(name)\":".utf8)
  }

  /// With its line end.
  consuming func finish() -> [UInt8] { bytes + Array("}\n".utf8) }
}

extension Timestamp {
  /// ISO 8601 in UTC, to the millisecond.
  var text: String {
    var seconds = time_t(milliseconds / 1000)
    var parts = tm()
    guard milliseconds >= 0, gmtime_r(&seconds, &parts) != nil else { return "\(milliseconds)" }
    func two(_ value: Int32) -> String { value < 10 ? "0\(value)" : "\(value)" }
    let fraction = String(1000 + milliseconds % 1000).dropFirst()
    return "\(parts.tm_year + 1900)-\(two(parts.tm_mon + 1))-\(two(parts.tm_mday))"
      + "T\(two(parts.tm_hour)):\(two(parts.tm_min)):\(two(parts.tm_sec)).\(fraction)Z"
  }
}
