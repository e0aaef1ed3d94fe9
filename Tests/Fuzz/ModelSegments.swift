import Base
import CKernels

@testable import Ranking

/// Segments of rankers: refused with a place, or scored without a step out of their bounds, alike at every level of
/// kernels.
///
/// An input's first byte is the kind, or says that the rest is a segment as it is. Of a kind, sections follow in their
/// order, each with two bytes of length before it; the head and the table around them are made here, since no fuzzer
/// finds offsets and sums of sizes.
func fuzzModelSegments(_ input: [UInt8]) {
  guard let first = input.first else { return }
  let rest = Array(input.dropFirst())
  let kind = Int(first)
  let mapped = MappedBytes(
    copying: SegmentScript.kinds.indices.contains(kind) ? SegmentScript.kinds[kind].segment(rest) : rest)
  let ranker: any Ranker
  do throws(Refusal) { ranker = try RankerSegment.open(mapped, name: "segment") } catch {
    return ModelRows.check(error, of: "segment")
  }
  let (values, count) = ModelRows.rows(ranker.features.count)
  let scratch = RankerScratch()
  var scores = [Float](repeating: 0, count: count)
  values.withUnsafeBufferPointer { values in
    scores.withUnsafeMutableBufferPointer { ranker.score(values, count: count, into: $0, scratch: scratch) }
    _ = ranker.outputs(values, count: count, raw: false, scratch: scratch)
  }
  if let trees = ranker as? TreeRanker { compareLevels(trees, mapped, values, count) }
}

/// The same trees by each level of kernels.
private func compareLevels(_ trees: TreeRanker, _ mapped: MappedBytes, _ rows: [Float], _ count: Int) {
  guard
    let segment = try? Segment(
      opening: mapped, name: "segment", kind: TreeRanker.kind, formatVersion: TreeRanker.formatVersion),
    let head = try? TreeHead(segment), let sections = try? TreeSections(segment, head)
  else { found("a segment that was opened can't be opened again") }
  var forest = sections.forest(head)
  var first: [UInt64]?
  for level in [MK_SCALAR, MK_AVX2, MK_AVX512] {
    guard let kernels = mk_trees_at_level(Int32(level.rawValue)) else { continue }
    let scratch = TreeScratch()
    scratch.reserve(trees.shape, outputCount: trees.outputCount)
    let base = [Double](repeating: 0, count: trees.outputCount)
    var pointers = scratch.pointers
    if trees.shape.sumsAreFloats {
      scratch.fillFloats(base)
      mk_trees_add(kernels, &forest, rows, trees.features.count, count, &pointers, scratch.floatSums)
      scratch.widen(trees.outputCount)
    } else {
      scratch.fill(base)
      mk_trees_add(kernels, &forest, rows, trees.features.count, count, &pointers, scratch.sums)
    }
    let sums = (0..<trees.outputCount).flatMap { output in
      (0..<count).map { scratch.sums[output * TreeRanker.rowCount + $0] }
    }
    // Which of several that are no numbers comes out, an adder may choose.
    let bits = sums.map { $0.isNaN ? UInt64.max : $0.bitPattern }
    guard first.map({ $0 == bits }) ?? true else {
      found("level \(level.rawValue) comes to other sums than the scalar one")
    }
    first = bits
  }
}

/// A kind of segment: its sections with the bytes of an element, in their order.
private struct SegmentScript {
  let tag: String
  let sections: [(tag: String, elementByteCount: Int)]

  static let kinds = [
    SegmentScript(
      tag: "RANK", sections: [("HEAD", 4), ("NAME", 1), ("NORM", 4), ("SIZE", 4), ("WGTS", 4), ("BIAS", 4)]),
    SegmentScript(
      tag: "LAYR",
      sections: [("HEAD", 4), ("NAME", 1), ("SIZE", 4), ("NORM", 4), ("REAC", 4), ("WGTS", 4), ("BIAS", 4)]),
    SegmentScript(
      tag: "LAYR",
      sections: [
        ("HEAD", 4), ("NAME", 1), ("SIZE", 4), ("NORM", 4), ("WGTS", 1), ("FACT", 4), ("OFFS", 4),
        ("LOSS", 8),
      ]),
    trees(leafByteCount: 8), trees(leafByteCount: 4),
  ]

  private static func trees(leafByteCount: Int) -> SegmentScript {
    SegmentScript(
      tag: "TREE",
      sections: [
        ("HEAD", 4), ("LINK", 8), ("NAME", 1), ("COLS", MemoryLayout<mk_tree_column>.stride), ("THRS", 4),
        ("SETS", 8), ("PART", MemoryLayout<mk_tree_part>.stride), ("NODE", MemoryLayout<mk_tree_node>.stride),
        ("LEAF", leafByteCount), ("GOAL", 1),
      ])
  }

  func segment(_ script: [UInt8]) -> [UInt8] {
    var script = FuzzBytes(script)
    var contents: [[UInt8]] = []
    for section in sections {
      let count = Int(script.byte()) | Int(script.byte()) << 8
      let bytes = Array(script.take(count))
      contents.append(Array(bytes.prefix(bytes.count / section.elementByteCount * section.elementByteCount)))
    }
    let named = zip(sections, contents).map {
      SegmentDraft.Section(tag: $0.tag, elementByteCount: $0.elementByteCount, content: $1)
    }
    return SegmentDraft(tag: tag, sections: named).made().bytes
  }
}
