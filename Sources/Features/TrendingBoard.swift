import Base
import Foundation

/// Counts of what a region watches, by title and quarter of an hour: mergeable tiles, of which popularity is computed
/// when it is read, so that an old burst fades though nothing is written.
///
/// 98 tiles of 15 minutes in a ring: a day back, the current one, and one for clocks that run ahead. A tile's counts
/// are 16 bytes a title, made when the tile's first event comes. With `titleCountMax` = 32,768 that is 512 KiB a tile,
/// 50 MB in all at most.
///
/// When all places are taken, the eighth of the titles with the fewest events of the day gives way (lossy counting;
/// Manku and Motwani 2002): a title of the long tail can be forgotten, one that trends can't. Below that limit the counts
/// are a function of the set of events. Events are counted as often as they are added: the log keeps duplicates away.
struct TrendingBoard: Sendable {
  static let tileMilliseconds: Int64 = 15 * 60 * 1000
  static let windowTileCount = 96
  static let ringTileCount = windowTileCount + 2

  /// Plays, completions, likes, additions to a list.
  typealias Counts = SIMD4<UInt32>

  private struct Tile: Sendable {
    /// Event time divided by the tile's length; −1 for a tile that was never used.
    var number: Int64 = -1
    var counts: [Counts] = []
  }

  let titleCountMax: Int
  private var ring = [Tile](repeating: Tile(), count: ringTileCount)
  private var slots: [String: Int] = [:]
  private var titleIDs: [String] = []
  private var freeSlots: [Int] = []

  init(titleCountMax: Int) {
    precondition(titleCountMax >= 8, "an eighth of the titles must be one at least")
    self.titleCountMax = titleCountMax
  }

  var titleCount: Int { slots.count }

  mutating func add(_ event: Event) {
    guard let one = Self.counts(event.kind), event.at.milliseconds > 0 else { return }
    let number = event.at.milliseconds / Self.tileMilliseconds
    let index = Int(number % Int64(Self.ringTileCount))
    // The place belongs to a later tile already: this event is more than a day late.
    guard ring[index].number <= number else { return }
    if ring[index].number < number { ring[index] = Tile(number: number) }
    let slot = slot(for: event.titleID)
    if ring[index].counts.count <= slot {
      let growth = max(slot + 1 - ring[index].counts.count, titleIDs.count - ring[index].counts.count)
      ring[index].counts.append(contentsOf: repeatElement(Counts.zero, count: growth))
    }
    let sum = ring[index].counts[slot] &+ one
    // A count at its end stays there rather than beginning again.
    if !any(sum .< one) { ring[index].counts[slot] = sum }
  }

  /// The best `limit` titles, best first; equal scores in the order of ids.
  func top(now: Timestamp, limit: Int, definitions: FeatureDefinitions.Trending) -> [TrendingTitle] {
    guard limit > 0 else { return [] }
    // Kept by kind until all tiles are in: adding four lanes side by side is several times faster than across.
    var sums = [SIMD4<Float>](repeating: .zero, count: titleIDs.count)
    let weights = SIMD4<Float>(
      Float(definitions.play), Float(definitions.complete), Float(definitions.like),
      Float(definitions.addToList))
    for tile in ring {
      guard let factor = Self.factor(tile.number, now: now, definitions) else { continue }
      let scaled = weights * factor
      tile.counts.withUnsafeBufferPointer { counts in
        sums.withUnsafeMutableBufferPointer { sums in
          for slot in 0..<min(counts.count, sums.count) { sums[slot] += SIMD4<Float>(counts[slot]) * scaled }
        }
      }
    }
    return best(sums.map { $0.sum() }, limit: limit)
  }

  private func best(_ scores: [Float], limit: Int) -> [TrendingTitle] {
    func precedes(_ left: TrendingTitle, _ right: TrendingTitle) -> Bool {
      left.score != right.score ? left.score > right.score : left.titleID < right.titleID
    }
    var best: [TrendingTitle] = []
    best.reserveCapacity(limit + 1)
    for (slot, score) in scores.enumerated() where score > 0 {
      if best.count == limit, let last = best.last, score < last.score { continue }
      let title = TrendingTitle(titleID: titleIDs[slot], score: score)
      var low = 0
      var high = best.count
      while low < high {
        let middle = (low + high) / 2
        if precedes(title, best[middle]) { high = middle } else { low = middle + 1 }
      }
      guard low < limit else { continue }
      best.insert(title, at: low)
      if best.count > limit { best.removeLast() }
    }
    return best
  }

  /// What an event of this tile counts at `now`, by the tile's middle; `nil` outside of the window.
  private static func factor(
    _ number: Int64, now: Timestamp, _ definitions: FeatureDefinitions.Trending
  ) -> Float? {
    guard number >= 0 else { return nil }
    let middle = (Double(number) + 0.5) * Double(tileMilliseconds)
    let ageMinutes = (Double(now.milliseconds) - middle) / 60_000
    // Up to a tile ahead is a client's clock; more is not of this moment.
    guard ageMinutes <= definitions.windowMinutes, ageMinutes >= -30 else { return nil }
    return Float(exp2(-max(0, ageMinutes) / definitions.halfLifeMinutes))
  }

  private static func counts(_ kind: Event.Kind) -> Counts? {
    switch kind {
    case .play: Counts(1, 0, 0, 0)
    case .complete: Counts(0, 1, 0, 0)
    case .like: Counts(0, 0, 1, 0)
    case .addToList: Counts(0, 0, 0, 1)
    case .impression, .hoverSkip, .click, .progress, .abandon, .dislike: nil
    }
  }

  private mutating func slot(for titleID: String) -> Int {
    if let slot = slots[titleID] { return slot }
    if freeSlots.isEmpty, titleIDs.count == titleCountMax { makeRoom() }
    let slot: Int
    if let free = freeSlots.popLast() {
      slot = free
      titleIDs[slot] = titleID
    } else {
      slot = titleIDs.count
      titleIDs.append(titleID)
    }
    slots[titleID] = slot
    return slot
  }

  /// Frees an eighth of the places: those with the fewest events in all tiles that are still within a day of the newest.
  private mutating func makeRoom() {
    var totals = [UInt64](repeating: 0, count: titleIDs.count)
    let newest = ring.map(\.number).max() ?? 0
    for tile in ring where newest - tile.number < Int64(Self.ringTileCount) {
      for (slot, counts) in tile.counts.enumerated() {
        totals[slot] += UInt64(counts.x) + UInt64(counts.y) + UInt64(counts.z) + UInt64(counts.w)
      }
    }
    let order = totals.indices.sorted {
      totals[$0] != totals[$1] ? totals[$0] < totals[$1] : titleIDs[$0] < titleIDs[$1]
    }
    for slot in order.prefix(titleCountMax / 8) {
      slots[titleIDs[slot]] = nil
      titleIDs[slot] = ""
      freeSlots.append(slot)
      for index in ring.indices where ring[index].counts.count > slot { ring[index].counts[slot] = .zero }
    }
  }
}
