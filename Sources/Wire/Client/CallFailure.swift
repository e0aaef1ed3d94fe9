package import Base

/// Why a call did not end well.
package struct CallFailure: Error, Sendable, CustomStringConvertible {
  /// Its status, message, and the text fields of its trailers.
  package var fault: Fault
  package var initialMetadata: Metadata
  package var trailers: Metadata
  /// No handler has seen the call: it never left this host, the server refused the stream, or its GOAWAY says so.
  /// Such a call may be made again whatever it does.
  package var isSafeToRetry: Bool

  package init(
    _ fault: Fault, initialMetadata: Metadata = Metadata(), trailers: Metadata = Metadata(),
    isSafeToRetry: Bool = false
  ) {
    self.fault = fault
    self.initialMetadata = initialMetadata
    self.trailers = trailers
    self.isSafeToRetry = isSafeToRetry
  }

  package var code: Fault.Code { fault.code }
  package var description: String { fault.description }
}

/// What a unary call got.
package struct UnaryReply: Sendable {
  package var message: [UInt8]
  /// Whether it had been sent compressed.
  package var wasCompressed = false
  package var initialMetadata: Metadata
  package var trailers: Metadata
}
