internal import Base

/// One tree of an XGBoost model, as its arrays have it.
struct XGBoostTree {
  private var left: [Int] = []
  private var right: [Int] = []
  private var features: [Int] = []
  /// Thresholds of nodes, and values of leaves.
  private var conditions: [Double] = []
  private var defaultLeft: [Int] = []
  private var types: [Int] = []
  private var categories: [Int] = []
  private var categoryNodes: [Int] = []
  private var segments: [Int] = []
  private var sizes: [Int] = []

  private static let nodeCountMax = 2 * Forest.leafCountMax

  init(_ scanner: inout JSONScanner) throws(Refusal) {
    let most = Int(Int32.max)
    try scanner.object { (key, scanner) throws(Refusal) in
      switch key {
      case "left_children": left = try Self.integers(&scanner, -1...most)
      case "right_children": right = try Self.integers(&scanner, -1...most)
      case "split_indices": features = try Self.integers(&scanner, 0...most)
      case "default_left": defaultLeft = try Self.integers(&scanner, 0...1)
      case "split_type": types = try Self.integers(&scanner, 0...1)
      case "categories":
        categories = try Self.integers(&scanner, 0...Forest.categoryCountMax - 1, isLong: true)
      case "categories_nodes": categoryNodes = try Self.integers(&scanner, 0...most)
      case "categories_segments": segments = try Self.integers(&scanner, 0...most)
      case "categories_sizes": sizes = try Self.integers(&scanner, 0...most)
      case "split_conditions":
        try scanner.array { (index, scanner) throws(Refusal) in
          guard index < Self.nodeCountMax else {
            throw scanner.refusal("is one node too many", .limitExceeded)
          }
          conditions.append(try scanner.number())
        }
      case "tree_param":
        try scanner.object { (key, scanner) throws(Refusal) in
          guard key == "size_leaf_vector" else { return try scanner.skip() }
          let text = try scanner.string()
          guard ["0", "1"].contains(text) else {
            throw scanner.refusal(
              "comes after leaves of \(text.excerpt) numbers: train with multi_strategy=one_output_per_tree"
            )
          }
        }
      default: try scanner.skip()
      }
    }
    let counts = [left.count, right.count, features.count, conditions.count, defaultLeft.count]
    guard let count = counts.first, count > 0, counts.allSatisfy({ $0 == count }),
      types.isEmpty || types.count == count
    else { throw scanner.refusal("comes after a tree whose arrays have different lengths: \(counts)") }
    guard categoryNodes.count == segments.count, segments.count == sizes.count else {
      throw scanner.refusal("comes after a tree whose categories have different lengths")
    }
  }

  private static func integers(
    _ scanner: inout JSONScanner, _ range: ClosedRange<Int>, isLong: Bool = false
  ) throws(Refusal) -> [Int] {
    var values: [Int] = []
    try scanner.array { (index, scanner) throws(Refusal) in
      guard index < (isLong ? 1 << 24 : nodeCountMax) else {
        throw scanner.refusal("is one value too many", .limitExceeded)
      }
      values.append(try scanner.integer(range))
    }
    return values
  }

  /// The tree with its nodes and leaves apart. Nodes that were pruned away are left out.
  ///
  /// - Parameter setWordsLeft: what sets of categories may still take, of this tree and those after it.
  func tree(
    output: Int, featureCount: Int, weight: Float, place: String, setWordsLeft: inout Int
  ) throws(Refusal) -> Forest.Tree {
    let sets = try categorySets(place, &setWordsLeft)
    var tree = Forest.Tree(nodes: [], leaves: [], output: output)
    // Where a node's number in the file has to be put once it has its own.
    var open: [(file: Int, parent: Int, isLeft: Bool)] = [(0, -1, true)]
    while let (index, parent, isLeft) = open.popLast() {
      guard left.indices.contains(index), tree.nodes.count + tree.leaves.count < left.count else {
        throw Refusal(.malformed, at: place, "has a child \(index) that is not there, or is there twice")
      }
      let child: Forest.Child
      if left[index] < 0 {
        child = .leaf(tree.leaves.count)
        let value = Float(conditions[index]) * weight
        guard value.isFinite else { throw Refusal(.malformed, at: place, "has leaf \(index) out of range") }
        tree.leaves.append(Double(value))
      } else {
        child = .node(tree.nodes.count)
        guard features[index] < featureCount else {
          throw Refusal(
            .malformed, at: place,
            "has feature \(features[index]) at node \(index), and the last is \(featureCount - 1)")
        }
        open.append((right[index], tree.nodes.count, false))
        open.append((left[index], tree.nodes.count, true))
        tree.nodes.append(
          Forest.Node(
            feature: features[index], test: try test(index, sets, place), left: .leaf(0), right: .leaf(0)))
      }
      guard parent >= 0 else { continue }
      if isLeft { tree.nodes[parent].left = child } else { tree.nodes[parent].right = child }
    }
    guard tree.leaves.count <= Forest.leafCountMax else {
      throw Refusal(.limitExceeded, at: place, "has more than \(Forest.leafCountMax) leaves")
    }
    return tree
  }

  private func test(_ index: Int, _ sets: [Int: CategorySet], _ place: String) throws(Refusal) -> Forest.Test
  {
    let goesLeft = defaultLeft[index] != 0
    if !types.isEmpty, types[index] == 1 {
      guard let right = sets[index] else {
        throw Refusal(.malformed, at: place, "has no categories for node \(index)")
      }
      return .category(right: right, otherGoesRight: false, missingGoesRight: !goesLeft)
    }
    let threshold = Float(conditions[index])
    guard threshold > -.infinity else {
      throw Refusal(.malformed, at: place, "has the threshold \(conditions[index]) at node \(index)")
    }
    return .number(threshold: threshold.nextDown, missing: .notANumber, missingGoesLeft: goesLeft)
  }

  /// The categories that go right, by node.
  private func categorySets(_ place: String, _ wordsLeft: inout Int) throws(Refusal) -> [Int: CategorySet] {
    var sets: [Int: CategorySet] = [:]
    for (node, (begin, size)) in zip(categoryNodes, zip(segments, sizes)) {
      guard begin <= categories.count, size <= categories.count - begin, sets[node] == nil else {
        throw Refusal(.malformed, at: place, "has categories of node \(node) that are not there")
      }
      let right = categories[begin..<begin + size]
      let count = (right.max() ?? -1) + 1
      // Sets may share their categories in the file, so that a short file can ask for long work.
      wordsLeft -= (count + 63) / 64 + size / 64
      guard wordsLeft >= 0 else {
        throw Refusal(
          .limitExceeded, at: place, "has more sets of categories than can be kept: group the rare ones")
      }
      var set = CategorySet(count: count)
      for category in right { set.insert(category) }
      sets[node] = set
    }
    return sets
  }
}
