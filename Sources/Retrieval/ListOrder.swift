#if canImport(Glibc)
  internal import Glibc
#else
  internal import Darwin
#endif
internal import CKernels

/// The lists of an index in the order in which a query looks into them, and what each promises.
///
/// A list is ranked by its centroid's product with the query and by how far its titles reach, since the best of a wide
/// list may beat a narrow one with a nearer middle. They are brought into order some hundreds at a time, by buckets: no
/// exact order is needed.
struct ListOrder {
  private let parts: [SearchPart]
  private let base: IndexTables
  private let scratch: ListScratch
  /// What a distance of one is in the query's units, along the query.
  private let reach: Float
  /// Every list from this rank up is in order.
  private var lowest = Int32.max
  /// Lists in order.
  private(set) var count = 0

  /// Lists that are brought into order at a time.
  private let chunk: Int

  /// `codeQuery` is the query that the codes are scanned with, and `length` that of the turned query's head over the
  /// unit of the weights.
  init(
    parts: [SearchPart], codeQuery: UnsafePointer<mk_query>, length: Float, chunk: Int, scratch: ListScratch
  ) {
    self.parts = parts
    base = parts[0].tables
    self.scratch = scratch
    self.chunk = chunk
    reach = length
    scratch.reserve(listCount: base.listCount)
    mk_scan_active().pointee.dot_groups(
      codeQuery, base.centroids, (base.listCount + Int(MK_GROUP) - 1) / Int(MK_GROUP), scratch.products)
  }

  var isComplete: Bool { count == base.listCount }

  /// The list at a place of the order.
  func list(at place: Int) -> Int { Int(scratch.ordered[place]) }

  /// Brings the next best lists into order behind those that are.
  mutating func extend() {
    let wanted = min(chunk, base.listCount - count)
    guard wanted > 0 else { return }
    var least: Int32 = 0
    var most: Int32 = 0
    let open = mk_rank_lists(
      scratch.products, base.radii, base.listCount, 2 * reach, lowest, scratch.ranks, scratch.numbers,
      &least, &most)
    let threshold = mk_threshold(scratch.ranks, open, wanted, wanted / 8, least, most)
    let found = mk_scan_active().pointee.keep_at_least(scratch.ranks, scratch.numbers, open, threshold)
    lowest = threshold
    sort(found, least: threshold, most: most)
    describe(found)
    count += found
  }

  /// Counts the lists of each of 64 ranges of ranks, and puts them down from the best range to the worst.
  private func sort(_ found: Int, least: Int32, most: Int32) {
    let buckets = 64
    let step = Float(buckets) / (Float(most) - Float(least) + 1)
    withUnsafeTemporaryAllocation(of: Int.self, capacity: buckets + 1) { next in
      next.initialize(repeating: 0)
      let bucket = { (rank: Int32) -> Int in
        // Rounding may lift the last rank of the best range.
        max(0, buckets - 1 - Int((Float(rank) - Float(least)) * step))
      }
      for place in 0..<found { next[bucket(scratch.ranks[place]) + 1] += 1 }
      for range in 0..<buckets { next[range + 1] += next[range] }
      for place in 0..<found {
        let range = bucket(scratch.ranks[place])
        scratch.ordered[count + next[range]] = scratch.numbers[place]
        next[range] += 1
      }
    }
  }

  /// What the yield of lists that have just been ordered is reckoned from.
  private func describe(_ found: Int) {
    for place in count..<count + found {
      let list = Int(scratch.ordered[place])
      var titles: UInt32 = 0
      for part in parts { titles += part.tables.sizes[list] }
      scratch.centres[place] = scratch.products[list]
      scratch.titles[place] = Float(titles)
      scratch.steepness[place] = Float(MK_YIELD_STEPS) / (base.radii[list] * reach)
    }
  }

  /// Where to stop when titles must score above `threshold`: the lists from there on promise less than `least` titles
  /// together. Products of a list's titles with a query are taken to lie about its centroid's as the normal
  /// distribution has it.
  func end(from place: Int, threshold: Int32, least: Float) -> Int {
    mk_scan_active().pointee.yields(
      scratch.centres + place, scratch.titles + place, scratch.steepness + place, count - place, threshold,
      Self.shares.table, scratch.yields + place)
    var sum: Float = 0
    var end = count
    while end > place {
      sum += scratch.yields[end - 1]
      if sum >= least { break }
      end -= 1
    }
    return end
  }

  /// The share of a normal distribution that lies above a step's place below its middle; see `mk_kernels.yields`.
  ///
  /// Guard for `@unchecked Sendable`: written once, before anyone has it.
  private struct Shares: @unchecked Sendable {
    let table: UnsafePointer<Float>

    init() {
      let values = UnsafeMutablePointer<Float>.allocate(capacity: Int(MK_YIELD_COUNT))
      for step in 0..<Int(MK_YIELD_COUNT) {
        let deviations = Double(step) / Double(MK_YIELD_STEPS) - Double(MK_YIELD_SPAN)
        values[step] = Float(0.5 * erfc(-deviations / (2.0 as Double).squareRoot()))
      }
      table = UnsafePointer(values)
    }
  }
  private static let shares = Shares()
}
