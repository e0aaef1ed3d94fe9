internal import Base
internal import CKernels

/// What a base has beyond its rows: centroids, the turn and the books that codes are read with, and the codes.
///
/// The pointers lead into the segment's mapping; whoever keeps this keeps the segment.
struct CodedLists {
  let centroidValues: UnsafeBufferPointer<Float>
  let centroidRows: UnsafeBufferPointer<UInt8>
  let centroidScales: UnsafeBufferPointer<Float>
  /// How far a list's titles lie from its centroid.
  let spreads: UnsafeBufferPointer<Float>
  /// The same in units of the centroid's row: what to add to a product of bytes.
  let spreadWeights: [Float]
  /// Of the lists that have titles.
  let meanSpread: Float
  let turn: UnsafeBufferPointer<Float>
  let widths: UnsafeBufferPointer<UInt16>
  let book: UnsafeBufferPointer<Float>
  let codes: UnsafeBufferPointer<UInt8>
  let pairCount: Int
  let turnedCount: Int
  /// The first block of each list, and the end of the last.
  let blocks: [UInt32]
  /// Where the titles of each block lie from their list's centroid, in turned dimensions: bytes that count `blockStep`.
  let blockRows: UnsafeBufferPointer<UInt8>
  let blockWidth: Int
  let blockStep: Float
  /// How far they lie from there.
  let blockSpreads: UnsafeBufferPointer<Float>
  let curve: [EffortPoint]

  init(_ segment: Segment, head: IndexHead, offsets: UnsafeBufferPointer<UInt32>) throws(Refusal) {
    pairCount = head.pairCount
    turnedCount = head.turnedCount
    let (dimensions, listCount) = (head.dimensions, head.listCount)
    centroidValues = try segment.array("CENT", of: Float.self, count: listCount * dimensions)
    centroidRows = try segment.array("CEN8", of: UInt8.self, count: listCount * head.rowStride)
    centroidScales = try segment.array("CSCL", of: Float.self, count: listCount)
    let (spreads, scales) = (try segment.array("SPRD", of: Float.self, count: listCount), centroidScales)
    self.spreads = spreads
    try checkFactors(spreads, at: "\(segment.name) section SPRD")
    spreadWeights = (0..<listCount).map { scales[$0] > 0 ? spreads[$0] / scales[$0] : 0 }
    meanSpread = Self.mean(spreads, offsets: offsets)
    turn = try segment.array("TURN", of: Float.self, count: turnedCount * dimensions)
    widths = try segment.array("WIDE", of: UInt16.self, count: 2 * pairCount)
    book = try segment.array("BOOK", of: Float.self, count: turnedCount * Int(MK_BOOK))
    blocks = Lists.firstBlocks(offsets)
    codes = try segment.array(
      "CODE", of: UInt8.self, count: Int(blocks[listCount]) * Int(MK_BLOCK) * pairCount)
    blockWidth = head.blockWidth
    blockStep = head.blockStep
    blockRows = try segment.array("BMID", of: UInt8.self, count: Int(blocks[listCount]) * blockWidth)
    blockSpreads = try segment.array("BSPR", of: Float.self, count: Int(blocks[listCount]))
    try checkFactors(blockSpreads, at: "\(segment.name) section BSPR")
    let tuned = try segment.array("TUNE", of: Float.self)
    curve = stride(from: 0, through: tuned.count - EffortPoint.wordCount, by: EffortPoint.wordCount)
      .compactMap {
        EffortPoint(
          UnsafeBufferPointer(rebasing: tuned[$0..<$0 + EffortPoint.wordCount]), listCount: listCount)
      }
    try checkReach(centroidValues, at: "\(segment.name) section CENT")
    try checkFactors(centroidScales, at: "\(segment.name) section CSCL")
    try checkReach(turn, at: "\(segment.name) section TURN")
    try checkReach(book, at: "\(segment.name) section BOOK")
    guard widths.reduce(0, { $0 + Int($1) }) == turnedCount else {
      throw Refusal(
        .unreadable, at: "\(segment.name) section WIDE", "does not share out the \(turnedCount) dimensions")
    }
  }

  private static func mean(_ spreads: UnsafeBufferPointer<Float>, offsets: UnsafeBufferPointer<UInt32>)
    -> Float
  {
    let filled = spreads.indices.filter { offsets[$0] < offsets[$0 + 1] }
    return filled.reduce(0) { $0 + spreads[$1] } / Float(max(1, filled.count))
  }
}
