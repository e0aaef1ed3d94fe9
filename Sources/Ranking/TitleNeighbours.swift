package import Base
internal import CKernels

#if canImport(Glibc)
  internal import Glibc
#else
  internal import Darwin
#endif

/// Of each title those that were watched by the same people, with how alike the two audiences are; in place from its segment.
///
///     HEAD  u32 × 4: titles, 0, 0, 0
///     OFFS  u32: where each title's neighbours begin, and the end
///     ORDS  u32: the neighbours' ordinals, the most alike first
///     WGTS  u16: how alike, in parts of 65,535 of the title's scale
///     SCAL  f32: each title's scale, how alike its first neighbour is
///
/// Guard for `@unchecked Sendable`: the pointers lead into bytes that are kept and never change.
package struct TitleNeighbours: @unchecked Sendable {
  package static let kind: SegmentTag = "NBRS"
  package static let formatVersion: UInt32 = 1

  package let titleCount: Int
  private let offsets: UnsafeBufferPointer<UInt32>
  private let ordinals: UnsafeBufferPointer<UInt32>
  private let weights: UnsafeBufferPointer<UInt16>
  private let scales: UnsafeBufferPointer<Float>
  private let owner: MappedBytes

  /// Checks where every list lies. Ordinals are checked when they are read: a million titles have sixty million.
  package init(opening mapped: MappedBytes, name: String) throws(Refusal) {
    let segment = try Segment(
      opening: mapped, name: name, kind: Self.kind, formatVersion: Self.formatVersion)
    titleCount = Int(try segment.array("HEAD", of: UInt32.self, count: 4)[0])
    guard titleCount <= Limits.titleCountMax else {
      throw Refusal(.limitExceeded, at: "\(name) section HEAD", "has \(titleCount) titles")
    }
    offsets = try segment.array("OFFS", of: UInt32.self, count: titleCount + 1)
    ordinals = try segment.array("ORDS", of: UInt32.self)
    weights = try segment.array("WGTS", of: UInt16.self, count: ordinals.count)
    scales = try segment.array("SCAL", of: Float.self, count: titleCount)
    owner = mapped
    guard scales.allSatisfy({ $0 >= 0 && $0 <= 1 }) else {
      throw Refusal(.unreadable, at: "\(name) section SCAL", "has a scale that is not 0 to 1")
    }
    guard offsets[0] == 0, Int(offsets[titleCount]) == ordinals.count else {
      throw Refusal(.unreadable, at: "\(name) section OFFS", "does not span the \(ordinals.count) neighbours")
    }
    for title in 0..<titleCount
    where offsets[title] > offsets[title + 1]
      || Int(offsets[title + 1] - offsets[title]) > NeighbourWriter.neighbourCountMax
    {
      throw Refusal(.unreadable, at: "\(name) section OFFS", "has no list for title \(title)")
    }
  }

  /// The neighbours of a title, the most alike first, each with how alike: 0 to 1. A neighbour that is no title is left out.
  @inline(__always)
  package func forEach(of title: UInt32, _ body: (UInt32, Float) -> Void) {
    guard Int(title) < titleCount else { return }
    let scale = scales[Int(title)] / NeighbourWriter.weightScale
    for place in Int(offsets[Int(title)])..<Int(offsets[Int(title) + 1]) where ordinals[place] < titleCount {
      body(ordinals[place], Float(weights[place]) * scale)
    }
  }
}

/// Finds neighbours by who wanted what, and writes their segment.
///
/// How alike another title's audience is to a title's is the number of people that both have, by powers of how many each
/// has (item-item neighbours, Deshpande and Karypis 2004; with another power for either side, Aiolli 2013), damped for titles
/// that few know. What everybody has watched says little of a profile, so its neighbours weigh less; but that many want a
/// neighbour speaks for it. Two titles that only one person shares are no neighbours: most of these are chance, and they are
/// the most by far.
package enum NeighbourWriter {
  package static let neighbourCountMax = 64
  package static let sharedCountMin = 2
  /// Of the audience of the title that was watched, and of its neighbour's: a half each would be the cosine. On MovieLens
  /// and KuaiRand these found more of what came next, at two splits in time each.
  static let (watchedPower, neighbourPower): (Float, Float) = (0.9, 0.4)
  static let damping: Float = 20
  static let weightScale: Float = 65_535
  /// Titles of one profile that count, the latest: work rises with the square.
  static let titlesOfProfileMax = 500

  /// - Parameter wanted: of each profile the titles that it wanted, each once, the latest last.
  package static func write(titleCount: Int, wanted: [[UInt32]], to path: String) throws(DiskFault) {
    let wanted = wanted.map { Array($0.suffix(titlesOfProfileMax)) }
    var profiles = [[UInt32]](repeating: [], count: titleCount)
    for (profile, titles) in wanted.enumerated() {
      for title in titles { profiles[Int(title)].append(UInt32(profile)) }
    }
    var offsets: [UInt32] = [0]
    offsets.reserveCapacity(titleCount + 1)
    var (ordinals, weights, scales): ([UInt32], [UInt16], [Float]) = ([], [], [])
    let powers = profiles.map { powf(Float($0.count), neighbourPower) }
    var shared = [UInt32](repeating: 0, count: titleCount)
    // Keys whose falling order as numbers is that of how alike, ties by ordinal.
    var found: [UInt64] = []
    var touched: [UInt32] = []
    for title in 0..<titleCount {
      touched.removeAll(keepingCapacity: true)
      found.removeAll(keepingCapacity: true)
      let power = powf(Float(profiles[title].count), watchedPower)
      for profile in profiles[title] {
        for other in wanted[Int(profile)] where other != title {
          if shared[Int(other)] == 0 { touched.append(other) }
          shared[Int(other)] += 1
        }
      }
      for other in touched {
        if shared[Int(other)] >= sharedCountMin {
          let weight = Float(shared[Int(other)]) / (power * powers[Int(other)] + damping)
          found.append(UInt64(weight.bitPattern) << 32 | UInt64(~other))
        }
        shared[Int(other)] = 0
      }
      let kept = min(found.count, neighbourCountMax)
      // What everybody watched shares two people with nearly every title: nothing is sorted but what is kept.
      if kept > 0 {
        mk_keep_largest(&found, found.count, kept)
        mk_sort_descending(&found, kept)
      }
      let scale = kept > 0 ? Float(bitPattern: UInt32(found[0] >> 32)) : 0
      scales.append(scale)
      for key in found.prefix(kept) {
        ordinals.append(~UInt32(truncatingIfNeeded: key))
        let share = Float(bitPattern: UInt32(key >> 32)) / scale
        weights.append(UInt16(max(1, (share * weightScale).rounded())))
      }
      offsets.append(UInt32(ordinals.count))
    }
    let writer = try SegmentWriter(
      path: path, kind: TitleNeighbours.kind, formatVersion: TitleNeighbours.formatVersion)
    try writer.add("HEAD", [UInt32(titleCount), 0, 0, 0])
    try writer.add("OFFS", offsets)
    try writer.add("ORDS", ordinals)
    try writer.add("WGTS", weights)
    try writer.add("SCAL", scales)
    try writer.finish()
  }
}
