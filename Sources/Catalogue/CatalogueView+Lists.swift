internal import Base

extension CatalogueView {
  /// Live ordinals by popularity, the highest first, ties by ordinal; only those in `allowed`, if given.
  package func popular(_ limit: Int, allowed: Bitmap? = nil) -> [UInt32] {
    top(limit, allowed: allowed) { Int(stat.scores($0).popularity) }
  }

  /// Live ordinals by recent interest, the highest first, ties by ordinal. Titles without any are left out.
  package func trending(_ limit: Int, allowed: Bitmap? = nil) -> [UInt32] {
    top(limit, allowed: allowed) {
      let score = Int(stat.scores($0).trending)
      return score > 0 ? score : nil
    }
  }

  /// Live ordinals released on `day` or before, the newest first, ties by ordinal.
  package func new(_ limit: Int, on day: Day, allowed: Bitmap? = nil) -> [UInt32] {
    top(limit, allowed: allowed) { ordinal in
      let isBase = ordinal < base.count
      guard let part = isBase ? base : tail else { return nil }
      let released = part.facts(isBase ? ordinal : ordinal - base.count).releaseDay
      return released.flatMap { $0 <= day.number ? Int($0) : nil }
    }
  }

  /// One pass with a heap of `limit` entries whose root is the worst kept.
  private func top(_ limit: Int, allowed: Bitmap?, _ score: (Int) -> Int?) -> [UInt32] {
    guard limit > 0 else { return [] }
    precondition(allowed.map { $0.count == count } ?? true, "the bitmap is of another generation")
    var heap = TopHeap(limit: limit)
    for word in 0..<stat.live.count {
      if word % (LongLoop.stepCount / 64) == 0 { LongLoop.giveWay() }
      var bits = stat.live[word]
      if let allowed { bits &= allowed.words[word] }
      while bits != 0 {
        let ordinal = word << 6 + bits.trailingZeroBitCount
        bits &= bits - 1
        if let value = score(ordinal) { heap.offer(UInt32(ordinal), value) }
      }
    }
    return heap.sorted()
  }
}

/// The best `limit` of what is offered: higher values first, then lower ordinals.
private struct TopHeap {
  private struct Entry {
    var value: Int
    var ordinal: UInt32

    func isWorse(than other: Entry) -> Bool {
      value == other.value ? ordinal > other.ordinal : value < other.value
    }
  }

  private let limit: Int
  private var entries: [Entry] = []

  init(limit: Int) { self.limit = limit }

  mutating func offer(_ ordinal: UInt32, _ value: Int) {
    let entry = Entry(value: value, ordinal: ordinal)
    if entries.count < limit {
      entries.append(entry)
      var child = entries.count - 1
      while child > 0, entries[child].isWorse(than: entries[(child - 1) / 2]) {
        entries.swapAt(child, (child - 1) / 2)
        child = (child - 1) / 2
      }
    } else if entries[0].isWorse(than: entry) {
      entries[0] = entry
      sink()
    }
  }

  private mutating func sink() {
    var parent = 0
    while true {
      var worst = parent
      for child in [2 * parent + 1, 2 * parent + 2] where child < entries.count {
        if entries[child].isWorse(than: entries[worst]) { worst = child }
      }
      if worst == parent { return }
      entries.swapAt(parent, worst)
      parent = worst
    }
  }

  func sorted() -> [UInt32] {
    entries.sorted { $1.isWorse(than: $0) }.map(\.ordinal)
  }
}
