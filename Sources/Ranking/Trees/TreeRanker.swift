#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

package import Base
internal import CKernels

/// A ranker of boosted trees, used in place from its segment.
///
///     HEAD  u32 × 16: features, outputs, columns, planes, parts, nodes, leaf values, entries, flags (1: sums are floats,
///           2: values near zero are zero), link, the output that is the score, origin, trees, zeros
///     LINK  f64: the link's factor, the divisor of the sums, then what each output's sum begins with
///     NAME  u8: the features' names in UTF-8, each followed by a line feed
///     COLS  24 bytes each: mk_tree_column
///     THRS  f32: a threshold for each plane, zero for those of categories
///     SETS  u64: the sets of categories
///     PART  16 bytes each: mk_tree_part
///     NODE  8 bytes each: mk_tree_node
///     LEAF  f64: the leaves' values, in tables of 32 or 64; f32 when sums are floats
///     GOAL  u8: the objective in words
///
/// Guard for `@unchecked Sendable`: the pointers lead into bytes that are kept and never change.
package struct TreeRanker: @unchecked Sendable {
  package static let kind: SegmentTag = "TREE"
  package static let formatVersion: UInt32 = 1
  /// Different tests of a forest: each takes 64 bytes of every worker's scratch.
  package static let planeCountMax = 1 << 20
  /// Rows that are scored at once; fewer cost as much.
  package static let rowCount = Int(MK_TREE_ROWS)

  package let features: [String]
  package let outputCount: Int
  package let treeCount: Int
  package let origin: Forest.Origin
  package let objective: String
  package let link: ScoreLink
  /// The output that is a row's score.
  package let scoreOutput: Int
  /// What a segment of these trees holds.
  package let shape: Shape
  private let forest: mk_forest
  private let base: [Double]
  private let divisor: Double
  private let owner: MappedBytes

  package struct Shape: Sendable, Equatable {
    package var columns: Int
    package var planes: Int
    package var parts: Int
    package var nodes: Int
    package var leafValues: Int
    package var entries: Int
    package var sumsAreFloats: Bool
  }

  package init(opening mapped: MappedBytes, name: String) throws(Refusal) {
    let segment = try Segment(
      opening: mapped, name: name, kind: Self.kind, formatVersion: Self.formatVersion)
    let head = try TreeHead(segment)
    let sections = try TreeSections(segment, head)
    let numbers = try segment.array("LINK", of: Double.self, count: 2 + head.outputCount)
    guard numbers.allSatisfy(\.isFinite), numbers[1] > 0 else {
      throw Refusal(.unreadable, at: "\(name) section LINK", "has a number that is not finite")
    }
    features = try FeatureNames.decode(
      Array(try segment.array("NAME", of: UInt8.self)), count: head.featureCount,
      place: "\(name) section NAME")
    objective = String(decoding: try segment.array("GOAL", of: UInt8.self).prefix(256), as: UTF8.self)
    outputCount = head.outputCount
    treeCount = head.treeCount
    origin = head.origin
    scoreOutput = head.scoreOutput
    shape = head.shape
    link = ScoreLink(head.link, factor: numbers[0], isFloat: head.shape.sumsAreFloats)
    divisor = numbers[1]
    base = Array(numbers[2...])
    forest = sections.forest(head)
    owner = mapped
  }

  /// Scores candidates: the logit of each, higher is better. The same bits from every level of kernels.
  ///
  /// A model of several outputs gives the logit of the one output's probability.
  ///
  /// - Parameters:
  ///   - rows: `count` rows of `features.count` floats, row after row; what is not a number is a missing value.
  ///   - scores: room for `count`.
  package func score(
    _ rows: UnsafeBufferPointer<Float>, count: Int, into scores: UnsafeMutableBufferPointer<Float>,
    scratch: RankerScratch
  ) {
    precondition(scores.count >= count, "each row has a place for its score")
    sum(rows, count: count, scratch: scratch) { begin, block, sums in
      for row in 0..<block {
        guard outputCount > 1 else {
          let sum = sums[row] / divisor
          scores[begin + row] = Float(link.form == .sigmoid ? sum * link.factor : sum)
          continue
        }
        let values = UnsafeMutableBufferPointer(start: scratch.trees.row, count: outputCount)
        for output in 0..<outputCount { values[output] = sums[output * Self.rowCount + row] / divisor }
        link.apply(values)
        scores[begin + row] = Float(logit(values[scoreOutput]))
      }
    }
  }

  /// What the model that was imported would say: `count` rows of `outputCount` numbers.
  ///
  /// - Parameter raw: the sums, without the objective's transform.
  package func outputs(
    _ rows: UnsafeBufferPointer<Float>, count: Int, raw: Bool, scratch: RankerScratch
  ) -> [Double] {
    var all = [Double](repeating: 0, count: count * outputCount)
    all.withUnsafeMutableBufferPointer { all in
      sum(rows, count: count, scratch: scratch) { begin, block, sums in
        for row in 0..<block {
          let values = UnsafeMutableBufferPointer(
            rebasing: all[(begin + row) * outputCount..<(begin + row + 1) * outputCount])
          // LightGBM's random forests average only what their objective then transforms.
          let divisor = raw ? 1 : divisor
          for output in 0..<outputCount { values[output] = sums[output * Self.rowCount + row] / divisor }
          if !raw { link.apply(values) }
        }
      }
    }
    return all
  }

  /// Hands each block's sums to `body`: for each output `rowCount` places.
  private func sum(
    _ rows: UnsafeBufferPointer<Float>, count: Int, scratch: RankerScratch,
    body: (_ begin: Int, _ count: Int, _ sums: UnsafeMutablePointer<Double>) -> Void
  ) {
    precondition(count >= 0 && rows.count >= count * features.count, "rows are whole")
    guard let first = rows.baseAddress, count > 0 else { return }
    scratch.trees.reserve(shape, outputCount: outputCount)
    let trees = scratch.trees
    let kernels = mk_trees_active()
    var forest = forest
    var pointers = trees.pointers
    for begin in stride(from: 0, to: count, by: Self.rowCount) {
      let block = min(Self.rowCount, count - begin)
      if shape.sumsAreFloats {
        trees.fillFloats(base)
        mk_trees_add(
          kernels, &forest, first + begin * features.count, features.count, block, &pointers, trees.floatSums)
        trees.widen(outputCount)
      } else {
        trees.fill(base)
        mk_trees_add(
          kernels, &forest, first + begin * features.count, features.count, block, &pointers, trees.sums)
      }
      body(begin, block, trees.sums)
    }
  }

  private func logit(_ probability: Double) -> Double {
    let bounded = min(max(probability, 1e-30), 1 - 1e-16)
    return log(bounded / (1 - bounded))
  }
}
