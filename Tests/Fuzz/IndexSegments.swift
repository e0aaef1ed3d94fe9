import Base
import CKernels

@testable import Retrieval

/// Segments of an index and of its vectors: refused with a place, or searched without a step out of their bounds, alike at
/// every level of kernels.
///
/// An input's first byte says whether a base follows, a base and its tail, or an index segment as it is. Then what is
/// searched for and how, then the parts: see ``IndexDraft``.
func fuzzIndexSegments(_ input: [UInt8]) {
  guard let first = input.first else { return }
  var script = FuzzBytes(Array(input.dropFirst()))
  let asked = IndexQuestion(&script)
  do throws(Refusal) {
    var parts: [(index: VectorIndex, vectors: Vectors)] = []
    if first % 4 == 3 {
      let index = try VectorIndex(opening: MappedBytes(copying: Array(script.all())), name: "segment")
      guard index.count * index.dimensions < 1 << 18 else { return }
      parts.append((index, try plainVectors(index)))
    } else {
      for number in 0..<(first % 4 == 0 ? 1 : 2) {
        let draft = IndexDraft(&script, tailOf: number == 0 ? nil : parts[0].index)
        let index = try VectorIndex(opening: draft.index.mapped(), name: "segment")
        parts.append((index, try Vectors(opening: draft.vectors.mapped(), name: "segment")))
      }
    }
    asked.put(to: try PartitionedIndex(parts))
  } catch { ModelRows.check(error, of: "segment") }
}

/// As many vectors as the index wants, all of zeros but for a few.
private func plainVectors(_ index: VectorIndex) throws(Refusal) -> Vectors {
  let stride = Vectors.rowStride(dimensions: index.dimensions)
  let head = [UInt32(index.dimensions), UInt32(stride), UInt32(index.count), 0]
  let rows = (0..<index.count * stride * 2).map { $0 % 6 == 1 ? UInt8(0x30) : 0 }
  let draft = SegmentDraft(
    tag: "EMBD", formatVersion: Vectors.formatVersion,
    sections: [
      SegmentDraft.Section(
        tag: "HEAD", elementByteCount: 4, content: head.withUnsafeBytes { Array($0) }),
      SegmentDraft.Section(tag: "ROWS", elementByteCount: 2, content: rows),
    ])
  return try Vectors(opening: draft.mapped(), name: "segment")
}

/// What is searched for, and how.
private struct IndexQuestion {
  private let k: Int
  private let effort: SearchEffort
  private let seed: UInt64
  private let scale: Float
  private let looks: Int
  private let filter: Filter

  private static let reaches: [Float] = [-16, -1, -0.25, -0.05, 0, 0.05, 0.25, 1, 16, .infinity]

  private enum Filter: UInt8 { case none, own, placed }

  init(_ script: inout FuzzBytes) {
    k = 1 + Int(script.byte()) * 3
    let flags = script.byte()
    filter = Filter(rawValue: flags % 3) ?? .none
    effort = SearchEffort(
      reach: Self.reaches[Int(script.byte()) % Self.reaches.count], kept: Int(script.byte()) * 4,
      refines: flags & 64 != 0, lists: Int(flags & 3))
    let late = script.byte()
    looks = late > 250 ? .max : Int(late % 16)
    seed = UInt64(script.byte())
    scale = [1, 1e-30, 1e30, 0, 0x1p-149][Int(script.byte()) % 5]
  }

  func put(to index: PartitionedIndex) {
    var random = SplitMix(seed: seed)
    let query = (0..<index.dimensions).map { _ in Float.random(in: -scale...scale, using: &random) }
    var words = (0..<(index.count + 63) / 64 + 1).map { _ in random.next() | random.next() }
    if filter == .none { for place in words.indices { words[place] = .max } }
    query.withUnsafeBufferPointer { query in
      words.withUnsafeBufferPointer { words in
        guard let start = query.baseAddress, let bits = words.baseAddress else { return }
        let placed = filter == .placed ? PlacedFilter(bits, of: index) : nil
        let allowed =
          filter == .none
          ? nil
          : OrdinalFilter(
            words: bits, bitCount: words.count * 64, allowedCount: Int(seed) % 2 * index.count, placed: placed
          )
        let time = FuzzClock(looks: looks)
        let scratch = IndexScratch.shared
        // As anyone calls it: so few titles are scored one by one.
        check(
          index.search(
            query, k: k, effort: effort, allowed: allowed, deadline: Instant(nanoseconds: 1), time: time,
            scratch: scratch), scratch, words, index.count)
        searchAtLevels(index, start, allowed, words)
      }
    }
  }

  /// The way of large catalogues, by each level of kernels.
  private func searchAtLevels(
    _ index: PartitionedIndex, _ query: UnsafePointer<Float>, _ allowed: OrdinalFilter?,
    _ words: UnsafeBufferPointer<UInt64>
  ) {
    var first: [UInt64]?
    let scratch = IndexScratch.shared
    for level in [MK_SCALAR, MK_AVX2, MK_AVX512] {
      guard let kernels = mk_at_level(Int32(level.rawValue)),
        let indexKernels = mk_index_at_level(Int32(level.rawValue))
      else { continue }
      let clock = SearchClock(deadline: Instant(nanoseconds: 1), time: FuzzClock(looks: looks))
      guard
        var search = Search(
          index: index, query: query, k: k, effort: effort, allowed: allowed, clock: clock, scratch: scratch)
      else { found("a base that can't be searched") }
      (search.kernels, search.indexKernels) = (kernels, indexKernels)
      let outcome = search.run()
      check(outcome, scratch, words, index.count)
      let results = (0..<outcome.count).map {
        UInt64(scratch.ordinals[$0]) << 32 | UInt64(scratch.scores[$0].bitPattern)
      }
      guard first.map({ $0 == results }) ?? true else {
        found("level \(level.rawValue) finds \(results), and the scalar one \(first ?? [])")
      }
      first = results
    }
  }

  private func check(
    _ outcome: SearchOutcome, _ scratch: SearchScratch, _ words: UnsafeBufferPointer<UInt64>, _ count: Int
  ) {
    let ordinals = Array(scratch.ordinals.prefix(outcome.count))
    guard ordinals.count <= min(k, count), Set(ordinals).count == ordinals.count else {
      found("\(ordinals.count) results of \(k) among \(count): \(ordinals)")
    }
    for ordinal in ordinals {
      guard Int(ordinal) < count, words[Int(ordinal) >> 6] >> UInt64(ordinal & 63) & 1 == 1 else {
        found("title \(ordinal) of \(count), which the filter doesn't let pass")
      }
    }
  }
}

/// Reused, as a worker does: results may not depend on what it held. Guard for `nonisolated(unsafe)`: one thread fuzzes.
private enum IndexScratch {
  nonisolated(unsafe) static let shared = SearchScratch()
}

/// Past its first nanosecond after so many looks. Guard for `@unchecked Sendable`: one thread fuzzes.
private final class FuzzClock: TimeSource, @unchecked Sendable {
  private var left: Int

  init(looks: Int) { left = looks }

  var now: Timestamp { Timestamp(milliseconds: 0) }
  var instant: Instant {
    guard left > 0 else { return Instant(nanoseconds: 1) }
    if left != .max { left -= 1 }
    return Instant(nanoseconds: 0)
  }
}
