internal import Base
internal import CKernels

/// The numbers that a segment of trees begins with, each within its bounds.
struct TreeHead {
  static let wordCount = 16
  static let floatsFlag: UInt32 = 1
  static let flatFlag: UInt32 = 2

  let featureCount: Int
  let outputCount: Int
  let shape: TreeRanker.Shape
  let isFlat: Bool
  let link: ScoreLink.Form
  let scoreOutput: Int
  let origin: Forest.Origin
  let treeCount: Int

  init(_ segment: Segment) throws(Refusal) {
    let words = try segment.array("HEAD", of: UInt32.self, count: Self.wordCount)
    let place = "\(segment.name) section HEAD"
    func number(_ index: Int, _ name: String, _ range: ClosedRange<Int>) throws(Refusal) -> Int {
      let value = Int(words[index])
      guard range.contains(value) else {
        throw Refusal(.limitExceeded, at: place, "has \(value) \(name), outside of \(range)")
      }
      return value
    }
    let most = Int(Int32.max)
    featureCount = try number(0, "features", 1...Forest.featureCountMax)
    outputCount = try number(1, "outputs", 1...Forest.outputCountMax)
    let flags = words[8]
    shape = TreeRanker.Shape(
      columns: try number(2, "columns", 0...most),
      planes: try number(3, "planes", 0...TreeRanker.planeCountMax),
      parts: try number(4, "parts", 0...most), nodes: try number(5, "nodes", 0...most),
      leafValues: try number(6, "leaf values", 0...most),
      entries: try number(7, "entries", 1...Int(UInt16.max) - Int(MK_TREE_ENTRY)),
      sumsAreFloats: flags & Self.floatsFlag != 0)
    isFlat = flags & Self.flatFlag != 0
    scoreOutput = try number(10, "as its score's output", 0...outputCount - 1)
    treeCount = try number(12, "trees", 0...Forest.treeCountMax)
    guard let link = ScoreLink.Form(rawValue: words[9]), let origin = Forest.Origin(rawValue: words[11]),
      flags & ~(Self.floatsFlag | Self.flatFlag) == 0
    else {
      throw Refusal(.unreadable, at: place, "has a flag, a link or an origin that this reader doesn't know")
    }
    self.link = link
    self.origin = origin
  }

  /// The words of a segment that is being written.
  static func words(_ forest: Forest, _ layout: ForestLayout, scoreOutput: Int) -> [UInt32] {
    let isXGBoost = forest.origin == .xgBoost
    let words = [
      forest.features.count, forest.outputCount, layout.columns.count, layout.thresholds.count,
      layout.parts.count, layout.nodes.count, layout.leaves.count, layout.entryCount,
      Int(isXGBoost ? floatsFlag : flatFlag), Int(forest.link.form.rawValue), scoreOutput,
      Int(forest.origin.rawValue), forest.trees.count,
    ].map { UInt32($0) }
    return words + [UInt32](repeating: 0, count: wordCount - words.count)
  }
}
