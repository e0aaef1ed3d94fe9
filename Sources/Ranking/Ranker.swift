package import Base

/// What gives candidates their scores: layers or trees, behind one door.
package protocol Ranker: Sendable {
  /// The features of a row, in order.
  var features: [String] { get }
  /// Rows that are scored at once without waste; a batch may have any number.
  var blockCount: Int { get }

  /// Scores candidates: the logit of each, higher is better. The same bits from every level of kernels.
  ///
  /// - Parameters:
  ///   - rows: `count` rows of `features.count` floats, row after row; what is not a number is a missing value.
  ///   - scores: room for `count`.
  func score(
    _ rows: UnsafeBufferPointer<Float>, count: Int, into scores: UnsafeMutableBufferPointer<Float>,
    scratch: RankerScratch)

  /// What the model itself would say of each row, all outputs of a row together.
  ///
  /// - Parameter raw: before the objective's transform.
  func outputs(
    _ rows: UnsafeBufferPointer<Float>, count: Int, raw: Bool, scratch: RankerScratch
  ) -> [Double]
}

/// The scores of rows that lie in memory anyhow: for measuring, where there is time.
func logits(
  _ ranker: some Ranker, _ rows: UnsafeBufferPointer<Float>, count: Int, scratch: RankerScratch
) -> [Float] {
  [Float](unsafeUninitializedCapacity: count) { scores, initialized in
    ranker.score(
      rows, count: count, into: UnsafeMutableBufferPointer(rebasing: scores[0..<count]), scratch: scratch)
    initialized = count
  }
}

/// Opens a ranker segment of any family.
package enum RankerSegment {
  package static func open(_ mapped: MappedBytes, name: String) throws(Refusal) -> any Ranker {
    guard mapped.count >= Segment.headerByteCount else {
      throw Refusal(.truncated, at: name, "has \(mapped.count) bytes, less than a header")
    }
    switch SegmentTag(word: mapped.bytes.word(at: 8)) {
    case TreeRanker.kind: return try TreeRanker(opening: mapped, name: name)
    case LayerRanker.kind: return try LayerRanker(opening: mapped, name: name)
    default: return try RankerModel(opening: mapped, name: name)
    }
  }
}

extension RankerModel: Ranker {
  /// Some 10 µs of work: a row of layers costs the same in any company.
  package var blockCount: Int { 64 }

  package func outputs(
    _ rows: UnsafeBufferPointer<Float>, count: Int, raw: Bool, scratch: RankerScratch
  ) -> [Double] {
    logits(self, rows, count: count, scratch: scratch).map { Double(raw ? $0 : sigmoid($0)) }
  }
}

extension TreeRanker: Ranker {
  package var blockCount: Int { Self.rowCount }
}
