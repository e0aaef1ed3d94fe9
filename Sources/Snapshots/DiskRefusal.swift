internal import Base

extension Refusal {
  /// What a disk said, in the words of a refusal.
  init(_ fault: DiskFault) {
    switch fault.code {
    case .full:
      self.init(
        .diskFull, at: fault.path,
        "\(fault.message): free some space, then stage again; what is served is not touched")
    case .notFound, .exists, .failed: self.init(.diskError, at: fault.path, fault.message)
    }
  }
}

/// Does something on the disk; its fault leaves as a ``Refusal``.
func refusing<Result>(_ body: () throws(DiskFault) -> Result) throws(Refusal) -> Result {
  do { return try body() } catch { throw Refusal(error) }
}

extension Disk {
  /// Replaces a file in one step and leaves no draft behind when that fails.
  func replace(_ path: String, with bytes: [UInt8]) throws(Refusal) {
    do { try writeDurably(bytes, to: path) } catch {
      try? remove(path + ".draft")
      throw Refusal(error)
    }
  }
}
