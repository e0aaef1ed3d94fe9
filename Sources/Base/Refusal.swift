/// Why a snapshot, a segment or a chunk was not taken: its own code for each cause, and the place.
///
/// A refusal is remembered with the version that it belongs to, sent to the control node as a NACK, and shown to
/// operators in `status`.
package struct Refusal: Error, Equatable, Sendable {
  package enum Code: String, Sendable, CaseIterable {
    /// The envelope or the manifest can't be read: truncated, not canonical, a count or size out of bounds.
    case malformed
    case untrustedKey = "untrusted_key"
    case badSignature = "bad_signature"
    case expired
    case notYetValid = "not_yet_valid"
    /// A sequence lower than the newest one taken, without an operator's signed rollback.
    case olderSequence = "older_sequence"
    /// A sequence that is known already, with another digest.
    case sequenceConflict = "sequence_conflict"
    /// The manifest asks for a newer reader than this one.
    case newerReader = "newer_reader"
    /// Bytes that are not those that the manifest names.
    case corrupt
    case truncated
    /// A segment whose bytes are as signed but whose content is out of its own bounds.
    case unreadable
    case goldenMismatch = "golden_mismatch"
    case diskFull = "disk_full"
    case diskError = "disk_error"
    /// Refused before, and so not tried again.
    case refusedBefore = "refused_before"
    case limitExceeded = "limit_exceeded"
  }

  package var code: Code
  /// Where: a segment's name, a chunk's number, an offset.
  package var place: String
  package var message: String

  package init(_ code: Code, at place: String, _ message: String) {
    self.code = code
    self.place = place
    self.message = message
  }
}

extension Refusal: CustomStringConvertible {
  package var description: String { "\(code.rawValue) at \(place): \(message)" }
}
