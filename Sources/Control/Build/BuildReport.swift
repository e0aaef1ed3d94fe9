internal import Base
internal import Retrieval
package import Snapshots

/// What a build came to, for people and for scripts.
package struct BuildReport: Sendable {
  package var version: VerifiedManifest
  package var parentSequence: UInt64?
  /// Everything is in the base. With a parent: the tail would have grown too long.
  package var isFull: Bool
  package var titleCount: Int
  /// Titles that are new or changed since the base was made.
  package var tailCount: Int
  package var bytesTotal: UInt64
  /// Bytes of chunks that the parent has.
  package var bytesShared: UInt64
  /// Bytes that travel to a replica that has the parent.
  package var bytesNew: UInt64
  /// Measured on the base when it was built; `nil` when this build kept it.
  package var indexRecall: Float?

  init(
    _ version: VerifiedManifest, parent: VerifiedManifest?, isFull: Bool, tailCount: Int, index: IndexSummary?
  ) {
    self.version = version
    parentSequence = parent?.sequence
    self.isFull = isFull
    titleCount = Int(version.manifest.titleCount)
    self.tailCount = tailCount
    bytesTotal = version.manifest.byteCount
    if let parent {
      let diff = SnapshotDiff(from: parent.manifest, to: version.manifest)
      bytesShared = diff.bytesShared
      bytesNew = diff.bytesToMove
    } else {
      bytesShared = 0
      bytesNew = bytesTotal
    }
    indexRecall = index?.recall
  }

  /// One line: `snapshot 2 (1a2b3c4d5e6f): 1000000 titles, 10000 in the tail, 520.1 MB, 11.3 MB (2.2 %) new since 1`.
  package var line: String {
    var line = "snapshot \(version.sequence) (\(version.digest.short)): \(titleCount) titles"
    if tailCount > 0 { line += ", \(tailCount) in the tail" }
    line += ", \(megabytes(bytesTotal)) MB"
    if let parentSequence {
      let share = (Double(bytesNew) / Double(max(1, bytesTotal)) * 1000).rounded() / 10
      line += ", \(megabytes(bytesNew)) MB (\(share) %) new since \(parentSequence)"
      if isFull { line += ", built whole" }
    }
    return line
  }

  private func megabytes(_ bytes: UInt64) -> Double { (Double(bytes) / 100_000).rounded() / 10 }
}
