import Base
import Catalogue
import Foundation

/// What is evaluated on: a workspace, or a data set's own files, as it is and as it was at the split.
struct EvaluationSource {
  /// With everything that came later too: what is to be foretold.
  let whole: Workspace
  /// What was known at the split: rankers and snapshots are built of this, and of nothing else.
  let before: Workspace
  let split: Timestamp

  /// - Parameters:
  ///   - path: a workspace, or the directory of MovieLens or KuaiRand.
  ///   - share: of the interactions, by time, that lies before the split.
  ///   - scratch: a directory for workspaces that are made.
  init(_ path: String, share: Double, scratch: String) throws {
    if Self.has("catalogue.json", in: path) {
      whole = try Workspace(path: path)
      split = try WorkspaceSplit.moment(of: whole, share: share)
    } else if Self.has("movies.csv", in: path) {
      // Twice, since tags are left out from a moment on that is known only then.
      let first = try MovieLensImport.run(directory: path, to: scratch + "/all")
      split = try WorkspaceSplit.moment(of: first, share: share)
      whole = try MovieLensImport.run(directory: path, to: scratch + "/whole", tagsBefore: split)
    } else if Self.has("impressions.csv", in: path) || Self.has("impressions.csv.gz", in: path) {
      whole = try KuaiRandImport.run(directory: path, to: scratch + "/whole")
      split = try WorkspaceSplit.moment(of: whole, share: share)
    } else {
      throw Fault(
        .invalidArgument,
        "\(path) is no workspace (catalogue.json) and no directory of MovieLens (movies.csv) or KuaiRand (impressions.csv)"
      )
    }
    before = try WorkspaceSplit.write(before: split, of: whole, to: scratch + "/before")
  }

  private static func has(_ name: String, in path: String) -> Bool {
    FileManager.default.fileExists(atPath: path + "/" + name)
  }
}
