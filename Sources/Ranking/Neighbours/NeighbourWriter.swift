package import Base
internal import CKernels

#if canImport(Glibc)
  internal import Glibc
#else
  internal import Darwin
#endif

/// Finds neighbours by who wanted what, and writes the segment of a base.
///
/// How alike another title's audience is to a title's is the number of people that both have, by powers of how many each
/// has (item-item neighbours, Deshpande and Karypis 2004; with another power for either side, Aiolli 2013), damped for titles
/// that few know. What everybody has watched says little of a profile, so its neighbours weigh less; but that many want a
/// neighbour speaks for it. Two titles that only one person shares are no neighbours: most of these are chance, and they are
/// the most by far.
package enum NeighbourWriter {
  package static let sharedCountMin = 2
  /// Of the audience of the title that was watched, and of its neighbour's: a half each would be the cosine. On MovieLens
  /// and KuaiRand these found more of what came next, at two splits in time each.
  static let (watchedPower, neighbourPower): (Float, Float) = (0.9, 0.4)
  static let damping: Float = 20
  /// Titles of one profile that count, the latest: work rises with the square.
  static let titlesOfProfileMax = 500
  /// Lists in memory at a time: six megabytes where they are full.
  private static let passCount = 1 << 14

  /// The same bytes with any number of threads.
  ///
  /// - Parameter wanted: of each profile the titles that it wanted, each once, the latest last.
  package static func write(
    titleCount: Int, wanted: [[UInt32]], to path: String, threads: Int = 1,
    progress: (Double) -> Void = { _ in }
  ) throws(DiskFault) {
    let audiences = Audiences(titleCount: titleCount, wanted: wanted)
    let writer = try SegmentWriter(
      path: path, kind: NeighbourBase.kind, formatVersion: NeighbourBase.formatVersion)
    try writer.add("HEAD", [UInt32(titleCount), 0, 0, 0])
    var offsets: [UInt32] = [0]
    offsets.reserveCapacity(titleCount + 1)
    var (weights, scales): ([UInt16], [Float]) = ([], [])
    var benches: [Bench] = []
    for _ in 0..<max(1, threads) { benches.append(Bench(titleCount: titleCount)) }
    try writer.begin("ORDS", elementByteCount: 4)
    for begin in stride(from: 0, to: titleCount, by: passCount) {
      let end = min(begin + passCount, titleCount)
      for list in lists(begin..<end, audiences, benches) {
        try writer.append(list.ordinals)
        weights += list.weights
        scales.append(list.scale)
        offsets.append(offsets[offsets.count - 1] + UInt32(list.ordinals.count))
      }
      progress(audiences.share(of: end))
    }
    try writer.add("WGTS", weights)
    try writer.add("OFFS", offsets)
    try writer.add("SCAL", scales)
    try writer.finish()
  }

  private struct List {
    var ordinals: [UInt32] = []
    var weights: [UInt16] = []
    var scale: Float = 0
  }

  private static func lists(_ titles: Range<Int>, _ audiences: Audiences, _ benches: [Bench]) -> [List] {
    var lists = [List](repeating: List(), count: titles.count)
    lists.withUnsafeMutableBufferPointer { lists in
      // Guard: every block writes to its own places.
      nonisolated(unsafe) let lists = lists
      // Few in a block: what everybody watched takes as long as thousands of others.
      forEachBlock(of: titles.count, blockCount: 16, threads: benches.count) { block, worker in
        for place in block {
          lists[place] = benches[worker].list(of: UInt32(titles.lowerBound + place), audiences)
        }
      }
    }
    return lists
  }

  /// Who wanted what, both ways round.
  private struct Audiences {
    let profileOffsets: [Int]
    let titles: [UInt32]
    let titleOffsets: [Int]
    let profiles: [UInt32]
    let neighbourPowers: [Float]

    init(titleCount: Int, wanted: [[UInt32]]) {
      var (profileOffsets, titles): ([Int], [UInt32]) = ([0], [])
      profileOffsets.reserveCapacity(wanted.count + 1)
      var titleOffsets = [Int](repeating: 0, count: titleCount + 1)
      for wanted in wanted {
        for title in wanted.suffix(titlesOfProfileMax) {
          titles.append(title)
          titleOffsets[Int(title) + 1] += 1
        }
        profileOffsets.append(titles.count)
      }
      for title in 0..<titleCount { titleOffsets[title + 1] += titleOffsets[title] }
      var next = titleOffsets
      var profiles = [UInt32](repeating: 0, count: titles.count)
      for profile in wanted.indices {
        for place in profileOffsets[profile]..<profileOffsets[profile + 1] {
          let title = Int(titles[place])
          profiles[next[title]] = UInt32(profile)
          next[title] += 1
        }
      }
      neighbourPowers = (0..<titleCount).map {
        powf(Float(titleOffsets[$0 + 1] - titleOffsets[$0]), neighbourPower)
      }
      self.profileOffsets = profileOffsets
      self.titles = titles
      self.titleOffsets = titleOffsets
      self.profiles = profiles
    }

    /// Of all the work, what titles below `end` make.
    func share(of end: Int) -> Double {
      profiles.isEmpty ? 1 : Double(titleOffsets[end]) / Double(profiles.count)
    }
  }

  /// One thread's memory: 8 bytes a title.
  private final class Bench {
    private let shared: UnsafeMutableBufferPointer<UInt32>
    private let touched: UnsafeMutableBufferPointer<UInt32>
    /// Keys whose falling order as numbers is that of how alike, ties by ordinal.
    private var found: [UInt64] = []

    init(titleCount: Int) {
      shared = .allocate(capacity: titleCount)
      shared.initialize(repeating: 0)
      // One place more: what is not the first of its title is written there, too.
      touched = .allocate(capacity: titleCount + 1)
      touched.initialize(repeating: 0)
    }

    deinit {
      shared.deallocate()
      touched.deallocate()
    }

    func list(of title: UInt32, _ audiences: Audiences) -> List {
      let touchedCount = count(title, audiences)
      let (begin, end) = (audiences.titleOffsets[Int(title)], audiences.titleOffsets[Int(title) + 1])
      let power = powf(Float(end - begin), watchedPower)
      found.removeAll(keepingCapacity: true)
      for other in touched.prefix(touchedCount) {
        let count = shared[Int(other)]
        if count >= sharedCountMin, other != title {
          let weight = Float(count) / (power * audiences.neighbourPowers[Int(other)] + damping)
          found.append(UInt64(weight.bitPattern) << 32 | UInt64(~other))
        }
        shared[Int(other)] = 0
      }
      let kept = min(found.count, NeighbourLists.neighbourCountMax)
      var list = List()
      guard kept > 0 else { return list }
      // What everybody watched shares two people with nearly every title: nothing is sorted but what is kept.
      mk_keep_largest(&found, found.count, kept)
      mk_sort_descending(&found, kept)
      list.scale = Float(bitPattern: UInt32(found[0] >> 32))
      list.ordinals.reserveCapacity(kept)
      list.weights.reserveCapacity(kept)
      for key in found.prefix(kept) {
        list.ordinals.append(~UInt32(truncatingIfNeeded: key))
        let share = Float(bitPattern: UInt32(key >> 32)) / list.scale
        list.weights.append(UInt16(max(1, (share * NeighbourLists.weightScale).rounded())))
      }
      return list
    }

    /// How many of the title's people each title has, itself included; returns how many titles were touched.
    private func count(_ title: UInt32, _ audiences: Audiences) -> Int {
      var touchedCount = 0
      audiences.titles.withUnsafeBufferPointer { titles in
        for place in audiences.titleOffsets[Int(title)]..<audiences.titleOffsets[Int(title) + 1] {
          let profile = Int(audiences.profiles[place])
          for place in audiences.profileOffsets[profile]..<audiences.profileOffsets[profile + 1] {
            // No branch: whether a title is the first of its kind can't be foreseen.
            let other = titles[place]
            let count = shared[Int(other)]
            touched[touchedCount] = other
            touchedCount += count == 0 ? 1 : 0
            shared[Int(other)] = count + 1
          }
        }
      }
      return touchedCount
    }
  }
}
