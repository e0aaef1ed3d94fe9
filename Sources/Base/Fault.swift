/// What went wrong on the way to an answer, in the closed set of codes that every room and every client shares.
///
/// The codes are gRPC's, so that a fault crosses the wire without translation. Match by ``code``, never by text;
/// `message` is for people and says what to do about it.
package struct Fault: Error, Equatable, Sendable {
  package enum Code: Int, Sendable, CaseIterable {
    case cancelled = 1
    case unknown = 2
    case invalidArgument = 3
    case deadlineExceeded = 4
    case notFound = 5
    case alreadyExists = 6
    case permissionDenied = 7
    case resourceExhausted = 8
    case failedPrecondition = 9
    case aborted = 10
    case outOfRange = 11
    case unimplemented = 12
    case internalError = 13
    case unavailable = 14
    case dataLoss = 15
    case unauthenticated = 16
  }

  package var code: Code
  package var message: String
  /// ASCII metadata that travels with the fault (as trailers of a call), such as where to go instead.
  package var metadata: [String: String]

  package init(_ code: Code, _ message: String, metadata: [String: String] = [:]) {
    self.code = code
    self.message = message
    self.metadata = metadata
  }
}

extension Fault: CustomStringConvertible {
  package var description: String { "\(code): \(message)" }
}
