internal import Base

extension Fault {
  /// The trailer that names a refusal's own code.
  static let refusalMetadata = "marquee-refusal"

  init(disk fault: DiskFault) {
    self.init(fault.code == .full ? .resourceExhausted : .internalError, "\(fault)")
  }

  init(refusal: Refusal) {
    let code: Fault.Code =
      switch refusal.code {
      case .untrustedKey, .badSignature: .permissionDenied
      case .malformed, .limitExceeded: .invalidArgument
      case .sequenceConflict: .alreadyExists
      case .expired, .notYetValid, .olderSequence, .newerReader, .refusedBefore, .goldenMismatch:
        .failedPrecondition
      case .corrupt, .truncated, .unreadable: .dataLoss
      case .diskFull: .resourceExhausted
      case .diskError: .internalError
      }
    self.init(code, "\(refusal)", metadata: [Self.refusalMetadata: refusal.code.rawValue])
  }
}
