package import Base

/// A workspace as it was at a moment: what ranking is measured on must not have been known when it was built.
package enum WorkspaceSplit {
  /// The moment before which the share of the interactions lies. Throws when there are none, or all at one moment.
  package static func moment(of workspace: Workspace, share: Double) throws -> Timestamp {
    guard share > 0, share < 1 else {
      throw Fault(.invalidArgument, "the share before the split lies between 0 and 1, not at \(share)")
    }
    var times: [Timestamp] = []
    let file = try workspace.interactions()
    while let interaction = try file.next() { times.append(interaction.at) }
    times.sort()
    guard let first = times.first, let last = times.last, first < last else {
      throw Fault(
        .failedPrecondition, "the workspace \(workspace.path) has no interactions over time to split")
    }
    return max(times[Int(Double(times.count) * share)], Timestamp(milliseconds: first.milliseconds + 1))
  }

  /// Writes a workspace with the interactions strictly before the moment, and with the titles that were out by then or
  /// whose release isn't known.
  package static func write(
    before moment: Timestamp, of workspace: Workspace, to path: String
  ) throws(CatalogueFault) -> Workspace {
    let manifest = workspace.manifest
    let draft = try WorkspaceDraft(
      path: path, origin: manifest.origin, synthetic: manifest.synthetic, seed: manifest.seed)
    let day = Day(of: moment)
    let titles = try workspace.titles()
    var known: Set<UInt64> = []
    while let title = try titles.next() {
      guard title.released.map({ $0 <= day }) ?? true else { continue }
      known.insert(stableHash64(title.id))
      try draft.add(title, file: workspace.titlesPath, line: titles.line)
    }
    let interactions = try workspace.interactions()
    while let interaction = try interactions.next() {
      // Somebody may have seen a title before its official day: without the title that says nothing.
      guard interaction.at < moment, known.contains(stableHash64(interaction.titleID)) else { continue }
      try draft.add(interaction)
    }
    return try draft.finish()
  }
}
