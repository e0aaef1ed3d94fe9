package import Base
internal import CKernels

/// What has become of a base's lists since they were written, and how much of it is to travel.
///
/// A publish moves what is new. Fresh lists hardly ever equal old ones where people go on watching, so all would
/// travel with every snapshot. Instead the base's stay as they are, and the tail has those that are most worth it: by how
/// much of a list has changed times how many watched the title, since that is how often the list is read.
package struct NeighbourChange {
  package struct Options: Sendable {
    /// Lists of the base that a tail has anew, as a share of its titles: a hundredth of a snapshot's bytes where all
    /// lists are full.
    package var listShareMax = 0.02
    /// A list that has changed by less stays.
    package var changeMin: Float = 0.05
    /// When what is left in the base has changed by more, on average over what is watched, it is time for a new base.
    package var staleMax = 0.1

    package init() {}
  }

  /// How the titles of today lie to those of the base.
  package struct Titles: Sendable {
    package var baseCount: Int
    /// Of each title of the tail its ordinal in the base, or ``NeighbourTail/none``.
    package var origins: [UInt32]
    /// Ordinals of the base that are in no catalogue any more, ascending.
    package var gone: [UInt32]

    package init(baseCount: Int, origins: [UInt32], gone: [UInt32]) {
      self.baseCount = baseCount
      self.origins = origins
      self.gone = gone
    }

    /// The ordinal by which lists name a title: see ``NeighbourTail``.
    package func kept(_ title: UInt32) -> UInt32 {
      guard Int(title) >= baseCount else { return title }
      let origin = origins[Int(title) - baseCount]
      return origin == NeighbourTail.none ? title : origin
    }
  }

  private let titles: Titles
  private let base: NeighbourLists
  private let fresh: NeighbourLists
  private let options: Options
  private let isGone: Set<UInt32>
  /// Lists of the base that the tail has anew, ascending.
  private var replaced: [UInt32] = []
  /// What stays in the base though it has changed, as a share of what is watched: 0 is nothing.
  package private(set) var staleness = 0.0

  /// - Parameters:
  ///   - fresh: lists of all titles of today, by their kept ordinals.
  ///   - audiences: how many watched each of the base's titles.
  package init(
    from base: NeighbourLists, to fresh: NeighbourLists, titles: Titles, audiences: [UInt32],
    options: Options = Options(), threads: Int = 1
  ) {
    precondition(base.count == titles.baseCount && audiences.count >= base.count)
    precondition(fresh.count == titles.baseCount + titles.origins.count)
    self.titles = titles
    self.base = base
    self.fresh = fresh
    self.options = options
    isGone = Set(titles.gone)
    choose(changes(threads: threads), audiences)
  }

  package var isStale: Bool { staleness > options.staleMax }

  /// Whether there is anything to say; without titles that moved, came or went, and lists worth it, there is no tail.
  package var hasTail: Bool { !(titles.origins.isEmpty && titles.gone.isEmpty && replaced.isEmpty) }

  /// Writes the tail's segment.
  package func write(to path: String) throws(DiskFault) {
    var moves = titles.gone.map { (from: $0, to: NeighbourTail.none) }
    var listed = replaced
    for (place, origin) in titles.origins.enumerated() {
      let title = UInt32(titles.baseCount + place)
      if origin == NeighbourTail.none { listed.append(title) } else { moves.append((origin, title)) }
    }
    moves.sort { $0.from < $1.from }
    let writer = try SegmentWriter(
      path: path, kind: NeighbourTail.kind, formatVersion: NeighbourTail.formatVersion)
    try writer.add("HEAD", [UInt32(titles.baseCount), UInt32(titles.origins.count), 0, 0])
    try writer.add("ORIG", titles.origins)
    try writer.add("MOVB", moves.map(\.from))
    try writer.add("MOVT", moves.map(\.to))
    try writer.add("TITL", listed)
    try fresh.write(listed, to: writer) { _ in true }
    try writer.finish()
  }

  /// How much of a list is another one: 0 to 1, the difference of weights as a share of all.
  private struct Change {
    var whole: Float = 0
    /// Of neighbours in the base alone: what a new base would make good.
    var inBase: Float = 0
  }

  private func changes(threads: Int) -> [Change] {
    var changes = [Change](repeating: Change(), count: base.count)
    changes.withUnsafeMutableBufferPointer { changes in
      // Guard: every block writes to its own places.
      nonisolated(unsafe) let changes = changes
      forEachBlock(of: base.count, blockCount: 4096, threads: threads) { block, _ in
        var old: [(UInt32, Float)] = []
        var new: [(UInt32, Float)] = []
        for list in block where !isGone.contains(UInt32(list)) && !isEqual(list) {
          base.copy(list, to: &old)
          // They are left out when a list is read, and so is what is no title.
          old.removeAll { $0.0 >= base.count || isGone.contains($0.0) }
          fresh.copy(list, to: &new)
          changes[list].whole = Self.change(&old, &new)
          new.removeAll { $0.0 >= base.count }
          changes[list].inBase = Self.change(&old, &new)
        }
      }
    }
    return changes
  }

  private func isEqual(_ list: Int) -> Bool {
    let (old, new) = (base.range(of: list), fresh.range(of: list))
    return old.count == new.count && base.scales[list] == fresh.scales[list]
      && base.ordinals[old].elementsEqual(fresh.ordinals[new])
      && base.weights[old].elementsEqual(fresh.weights[new])
  }

  private static func change(_ old: inout [(UInt32, Float)], _ new: inout [(UInt32, Float)]) -> Float {
    old.sort { $0.0 < $1.0 }
    new.sort { $0.0 < $1.0 }
    var (difference, sum): (Float, Float) = (0, 0)
    var (left, right) = (0, 0)
    while left < old.count || right < new.count {
      let (mine, its) = (left < old.count ? old[left].0 : .max, right < new.count ? new[right].0 : .max)
      let (before, after) = (mine <= its ? old[left].1 : 0, its <= mine ? new[right].1 : 0)
      difference += abs(before - after)
      sum += before + after
      if mine <= its { left += 1 }
      if its <= mine { right += 1 }
    }
    return sum > 0 ? difference / sum : 0
  }

  private mutating func choose(_ changes: [Change], _ audiences: [UInt32]) {
    // Keys whose falling order as numbers is that of worth, ties by ordinal.
    var keys: [UInt64] = []
    for (list, change) in changes.enumerated() where change.whole >= options.changeMin {
      let worth = change.whole * Float(max(1, audiences[list]))
      keys.append(UInt64(worth.bitPattern) << 32 | UInt64(~UInt32(list)))
    }
    let count = min(keys.count, Int(Double(base.count) * options.listShareMax))
    if count > 0 {
      mk_keep_largest(&keys, keys.count, count)
      replaced = keys.prefix(count).map { ~UInt32(truncatingIfNeeded: $0) }.sorted()
    }
    let isReplaced = Set(replaced)
    var (left, watched) = (0.0, 0.0)
    for (list, change) in changes.enumerated() {
      // A list of what nobody watches any more is as wrong as another.
      let weight = Double(audiences[list] > 0 ? audiences[list] : base.range(of: list).isEmpty ? 0 : 1)
      watched += weight
      if change.inBase >= options.changeMin, !isReplaced.contains(UInt32(list)) {
        left += weight * Double(change.inBase)
      }
    }
    staleness = watched > 0 ? left / watched : 0
  }
}

extension NeighbourChange {
  /// Writes a new base: the fresh lists of the base's titles, of their neighbours in it. What the tail has, ordinals of
  /// other snapshots' tails would say otherwise.
  package static func writeBase(_ fresh: NeighbourLists, count: Int, to path: String) throws(DiskFault) {
    let writer = try SegmentWriter(
      path: path, kind: NeighbourBase.kind, formatVersion: NeighbourBase.formatVersion)
    try writer.add("HEAD", [UInt32(count), 0, 0, 0])
    try fresh.write((0..<UInt32(count)).map { $0 }, to: writer) { $0 < count }
    try writer.finish()
  }
}

extension NeighbourLists {
  fileprivate func copy(_ list: Int, to array: inout [(UInt32, Float)]) {
    array.removeAll(keepingCapacity: true)
    forEach(in: list) { array.append(($0, $1)) }
  }

  /// The sections of some of the lists, of those neighbours that are let in. A list whose first is left out keeps its
  /// scale.
  fileprivate func write(
    _ listed: [UInt32], to writer: SegmentWriter, where isIn: (UInt32) -> Bool
  ) throws(DiskFault) {
    var offsets: [UInt32] = [0]
    offsets.reserveCapacity(listed.count + 1)
    var (ordinals, weights): ([UInt32], [UInt16]) = ([], [])
    for list in listed {
      for place in range(of: Int(list)) where isIn(self.ordinals[place]) {
        ordinals.append(self.ordinals[place])
        weights.append(self.weights[place])
      }
      offsets.append(UInt32(ordinals.count))
    }
    try writer.add("ORDS", ordinals)
    try writer.add("WGTS", weights)
    try writer.add("OFFS", offsets)
    try writer.add("SCAL", listed.map { scales[Int($0)] })
  }
}
