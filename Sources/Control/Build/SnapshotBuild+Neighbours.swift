internal import Base
internal import Catalogue
internal import Ranking

extension SnapshotBuild {
  /// Who watched the same: a base's lists, or the parent's base byte for byte and a tail of what has become of it.
  func neighbours(
    _ draft: inout BuildDraft, of table: InteractionTable, base: CataloguePart, tail: CataloguePart?,
    live: Bitmap, parent: ParentSnapshot?, scratch: ScratchDirectory
  ) throws {
    report(.neighbours, 0)
    defer { report(.neighbours, 1) }
    let basePath = scratch.file("neighbours", "base")
    guard let parent else {
      try write(table.wanted, titleCount: live.count, to: basePath)
      draft.add("neighbours", "base", basePath)
      return
    }
    let titles = Self.titles(base: base, tail: tail, live: live)
    let wanted = table.wanted.map { $0.map(titles.kept) }
    let freshPath = scratch.file("neighbours", "fresh")
    try write(wanted, titleCount: live.count, to: freshPath)
    let fresh = try NeighbourBase.open(try disk.map(freshPath), name: "neighbours/fresh")

    var audiences = [UInt32](repeating: 0, count: live.count)
    for title in wanted.joined() { audiences[Int(title)] += 1 }
    func change(from base: NeighbourLists) -> NeighbourChange {
      NeighbourChange(
        from: base, to: fresh, titles: titles, audiences: audiences, threads: options.threads)
    }
    var kept: NeighbourChange?
    if let old = try parent.neighbours() {
      let change = change(from: old)
      if !change.isStale { kept = change }
    }
    if kept != nil {
      try parent.write("neighbours", "base", to: basePath, disk: disk)
    } else {
      try NeighbourChange.writeBase(fresh, count: base.count, to: basePath)
    }
    draft.add("neighbours", "base", basePath)
    let change =
      try kept
      ?? change(from: NeighbourBase.open(try disk.map(basePath), name: "neighbours/base"))
    guard change.hasTail else { return }
    let tailPath = scratch.file("neighbours", "tail")
    try change.write(to: tailPath)
    draft.add("neighbours", "tail", tailPath)
  }

  private func write(_ wanted: [[UInt32]], titleCount: Int, to path: String) throws(DiskFault) {
    try NeighbourWriter.write(
      titleCount: titleCount, wanted: wanted, to: path, threads: options.threads
    ) { report(.neighbours, $0) }
  }

  private static func titles(
    base: CataloguePart, tail: CataloguePart?, live: Bitmap
  ) -> NeighbourChange.Titles {
    var hasGone = Bitmap(count: base.count, filled: true)
    var origins: [UInt32] = []
    for local in 0..<(tail?.count ?? 0) {
      let origin = tail.flatMap { base.ordinal(ofID: $0.id(local)) }
      origins.append(origin.map { UInt32($0) } ?? NeighbourTail.none)
      if let origin { hasGone[origin] = false }
    }
    let gone = (0..<base.count).filter { !live[$0] && hasGone[$0] }.map { UInt32($0) }
    return NeighbourChange.Titles(baseCount: base.count, origins: origins, gone: gone)
  }
}
