internal import Base

/// One tree of a LightGBM text model: the arrays of its block.
struct LightGBMTree {
  /// The lines that matter; what gains and counts say is passed over.
  static let keys: Set<String> = [
    "num_leaves", "num_cat", "split_feature", "threshold", "decision_type", "left_child", "right_child",
    "leaf_value", "cat_boundaries", "cat_threshold", "is_linear",
  ]

  let fields: [String: TextValue]
  let place: String
  let featureCount: Int

  private func field(_ key: String) throws(Refusal) -> TextValue {
    guard let value = fields[key] else {
      throw Refusal(.malformed, at: place, "begins a tree without \(key)=")
    }
    return value
  }

  func tree(output: Int) throws(Refusal) -> Forest.Tree {
    let leafCount = try field("num_leaves").integer(1...Forest.leafCountMax, "leaves")
    if let linear = fields["is_linear"], try linear.integer(0...1, "as is_linear") == 1 {
      throw Refusal(
        .malformed, at: linear.place,
        "is of a linear tree, which is not supported: train with linear_tree=false")
    }
    let leaves = try field("leaf_value").numbers(leafCount)
    guard leafCount > 1 else { return Forest.Tree(nodes: [], leaves: leaves, output: output) }
    let nodeCount = leafCount - 1
    let features = try field("split_feature").integers(nodeCount)
    let thresholds = try field("threshold").numbers(nodeCount, infinite: true)
    let decisions = try field("decision_type").integers(nodeCount)
    let left = try field("left_child").integers(nodeCount)
    let right = try field("right_child").integers(nodeCount)
    let sets = try categorySets()
    var nodes: [Forest.Node] = []
    nodes.reserveCapacity(nodeCount)
    for index in 0..<nodeCount {
      guard (0..<featureCount).contains(features[index]) else {
        throw Refusal(
          .malformed, at: try field("split_feature").place,
          "has feature \(features[index]) at node \(index), and the last is \(featureCount - 1)")
      }
      nodes.append(
        Forest.Node(
          feature: features[index],
          test: try test(index, decision: decisions[index], threshold: thresholds[index], sets: sets),
          left: Self.child(left[index]), right: Self.child(right[index])))
    }
    let tree = Forest.Tree(nodes: nodes, leaves: leaves, output: output)
    if let fault = tree.shapeFault { throw Refusal(.malformed, at: try field("left_child").place, fault) }
    return tree
  }

  /// Below zero are the leaves, counted from -1.
  private static func child(_ number: Int) -> Forest.Child { number < 0 ? .leaf(~number) : .node(number) }

  private func test(
    _ index: Int, decision: Int, threshold: Double, sets: [CategorySet]
  ) throws(Refusal) -> Forest.Test {
    guard (0...15).contains(decision), let missing = Forest.Missing(rawValue: UInt32(decision >> 2)) else {
      throw Refusal(
        .malformed, at: try field("decision_type").place, "has the decision \(decision) at node \(index)")
    }
    guard decision & 1 != 0 else {
      return .number(
        threshold: Self.roundedDown(threshold), missing: missing, missingGoesLeft: decision & 2 != 0)
    }
    guard let place = Int(exactly: threshold), sets.indices.contains(place) else {
      throw Refusal(
        .malformed, at: try field("threshold").place,
        "names set \(threshold) of categories at node \(index), and there are \(sets.count)")
    }
    return .category(right: sets[place], otherGoesRight: true, missingGoesRight: true)
  }

  /// The largest float that isn't above: a float is at most the one exactly if it is at most the other.
  static func roundedDown(_ threshold: Double) -> Float {
    let near = Float(threshold)
    return Double(near) > threshold ? near.nextDown : near
  }

  /// The file has the categories that go left.
  private func categorySets() throws(Refusal) -> [CategorySet] {
    guard let number = fields["num_cat"] else { return [] }
    let count = try number.integer(0...Forest.leafCountMax, "sets of categories")
    guard count > 0 else { return [] }
    let bounds = try field("cat_boundaries").integers(count + 1)
    guard bounds[0] == 0, zip(bounds, bounds.dropFirst()).allSatisfy({ $0 <= $1 }),
      let wordCount = bounds.last, wordCount <= TextLines.byteCountMax / 2
    else { throw Refusal(.malformed, at: try field("cat_boundaries").place, "does not rise from 0") }
    let words = try field("cat_threshold").integers(wordCount)
    guard words.allSatisfy({ (0...Int(UInt32.max)).contains($0) }) else {
      throw Refusal(.malformed, at: try field("cat_threshold").place, "has a word of more than 32 bits")
    }
    var sets: [CategorySet] = []
    for (begin, end) in zip(bounds, bounds.dropFirst()) {
      guard (end - begin) * 32 <= Forest.categoryCountMax else {
        throw Refusal(
          .limitExceeded, at: try field("cat_threshold").place,
          "has categories above \(Forest.categoryCountMax): number them from 0 without gaps")
      }
      var set = CategorySet(count: (end - begin) * 32)
      for category in 0..<set.count where words[begin + category / 32] >> (category % 32) & 1 == 0 {
        set.insert(category)
      }
      sets.append(set)
    }
    return sets
  }
}
