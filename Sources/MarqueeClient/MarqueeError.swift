internal import Base

/// Why a call did not get its answer. Match by ``code``; the message is for people.
public struct MarqueeError: Error, Sendable, Equatable, CustomStringConvertible {
  public enum Code: Sendable {
    /// The request is wrong, and will be however often it is made.
    case invalidArgument
    /// This client's certificate doesn't have the right.
    case permissionDenied
    /// No answer in time.
    case deadlineExceeded
    /// Nobody could be reached, or none could answer.
    case unavailable
    /// The fleet is overloaded, or the request is too large.
    case resourceExhausted
    /// The caller's task was cancelled.
    case cancelled
    /// Anything else that a server said.
    case failed
  }

  public let code: Code
  public let message: String

  public var description: String { "\(code): \(message)" }

  init(_ code: Code, _ message: String) {
    self.code = code
    self.message = message
  }

  init(_ fault: Fault) {
    let code: Code =
      switch fault.code {
      case .invalidArgument, .outOfRange: .invalidArgument
      case .permissionDenied, .unauthenticated: .permissionDenied
      case .deadlineExceeded: .deadlineExceeded
      case .unavailable: .unavailable
      case .resourceExhausted: .resourceExhausted
      case .cancelled: .cancelled
      default: .failed
      }
    self.init(code, fault.message)
  }
}
