internal import Base
internal import CKernels

extension TreeRanker {
  /// Writes a forest's segment.
  ///
  /// - Parameter scoreOutput: the output that is a row's score, of a forest of several.
  package static func write(_ forest: Forest, scoreOutput: Int = 0, to path: String) throws {
    try FeatureNames.check(forest.features, countMax: Forest.featureCountMax)
    guard (0..<forest.outputCount).contains(scoreOutput) else {
      throw Fault(
        .invalidArgument,
        "the model has the outputs 0 to \(forest.outputCount - 1): \(scoreOutput) is none of them")
    }
    let layout = try ForestLayout(forest)
    guard layout.thresholds.count <= planeCountMax, layout.leaves.count <= Int(Int32.max) else {
      throw Fault(
        .resourceExhausted,
        "the forest has \(layout.thresholds.count) different tests, more than \(planeCountMax): train fewer or smaller trees"
      )
    }
    let writer = try SegmentWriter(path: path, kind: kind, formatVersion: formatVersion)
    try writer.add("HEAD", TreeHead.words(forest, layout, scoreOutput: scoreOutput))
    try writer.add("LINK", [forest.link.factor, forest.divisor] + forest.base)
    try writer.add("NAME", FeatureNames.bytes(forest.features))
    try writer.add("COLS", layout.columns)
    try writer.add("THRS", layout.thresholds)
    try writer.add("SETS", layout.sets)
    try writer.add("PART", layout.parts)
    try writer.add("NODE", layout.nodes)
    if forest.origin == .xgBoost {
      try writer.add("LEAF", layout.leaves.map { Float($0) })
    } else {
      try writer.add("LEAF", layout.leaves)
    }
    try writer.add("GOAL", Array(forest.objective.utf8))
    try writer.finish()
  }
}
