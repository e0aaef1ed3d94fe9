/// The hashes of the last `countMax` event ids, oldest out first.
///
/// A million are 8 MB of ring and about 25 MB of set.
struct KnownIDs: Sendable {
  let countMax: Int
  private var ring: [UInt64] = []
  private var oldest = 0
  private var hashes: Set<UInt64> = []

  init(countMax: Int) {
    precondition(countMax > 0, "a window of no ids knows nothing")
    self.countMax = countMax
  }

  var count: Int { hashes.count }

  func contains(_ hash: UInt64) -> Bool { hashes.contains(hash) }

  /// `hash` must not be known.
  mutating func insert(_ hash: UInt64) {
    guard hashes.insert(hash).inserted else { return }
    guard ring.count == countMax else {
      ring.append(hash)
      return
    }
    hashes.remove(ring[oldest])
    ring[oldest] = hash
    oldest = oldest + 1 == countMax ? 0 : oldest + 1
  }
}
