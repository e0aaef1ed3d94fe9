internal import Base
internal import CKernels

/// Trees laid out as the kernels read them: different tests once each, as planes, and trees in parts of at most 64
/// leaves.
struct ForestLayout {
  private(set) var columns: [mk_tree_column] = []
  /// One a plane; zero for those of categories.
  private(set) var thresholds: [Float] = []
  private(set) var sets: [UInt64] = []
  private(set) var parts: [mk_tree_part] = []
  private(set) var nodes: [mk_tree_node] = []
  private(set) var leaves: [Double] = []
  /// Slots for rows that enter a part, the one for all rows counted.
  private(set) var entryCount = 1
  private var planes: [Key: UInt32] = [:]

  /// A test of a forest, in the order of planes.
  private enum Key: Hashable {
    case number(Int, Forest.Missing, threshold: Float, goesRight: Bool)
    case category(Int, CategorySet, otherGoesRight: Bool, missingGoesRight: Bool)
  }

  init(_ forest: Forest) throws(Fault) {
    try layPlanes(Set(forest.trees.lazy.flatMap(\.nodes).map(Self.key)))
    for tree in forest.trees { lay(tree) }
  }

  private static func key(_ node: Forest.Node) -> Key {
    switch node.test {
    case .number(let threshold, let missing, let missingGoesLeft):
      // Minus zero and zero are one threshold; and where nothing is missing there is no way for it.
      .number(
        node.feature, missing, threshold: threshold == 0 ? 0 : threshold,
        goesRight: missing != .none && !missingGoesLeft)
    case .category(let right, let other, let missing):
      .category(node.feature, right, otherGoesRight: other, missingGoesRight: missing)
    }
  }

  // MARK: Planes

  private mutating func layPlanes(_ keys: Set<Key>) throws(Fault) {
    var numbers: [Int: [(Forest.Missing, Float, Bool)]] = [:]
    var categories: [Int: [(CategorySet, Bool, Bool)]] = [:]
    for key in keys {
      switch key {
      case .number(let feature, let missing, let threshold, let goesRight):
        numbers[feature, default: []].append((missing, threshold, goesRight))
      case .category(let feature, let right, let other, let missing):
        categories[feature, default: []].append((right, other, missing))
      }
    }
    for feature in Set(numbers.keys).union(categories.keys).sorted() {
      for missing in [Forest.Missing.none, .zero, .notANumber] {
        let tests = (numbers[feature] ?? []).filter { $0.0 == missing }
        layNumbers(tests.map { ($0.1, $0.2) }, feature: feature, missing: missing)
      }
      try layCategories(categories[feature] ?? [], feature: feature)
    }
  }

  private mutating func layNumbers(_ tests: [(Float, Bool)], feature: Int, missing: Forest.Missing) {
    guard !tests.isEmpty else { return }
    let left = tests.filter { !$0.1 }.map(\.0).sorted()
    let right = tests.filter { $0.1 }.map(\.0).sorted()
    columns.append(
      mk_tree_column(
        feature: UInt32(feature), kind: missing.rawValue, left_count: UInt32(left.count),
        right_count: UInt32(right.count), set: 0, set_bits: 0))
    for (list, goesRight) in [(left, false), (right, true)] {
      for threshold in list {
        planes[.number(feature, missing, threshold: threshold, goesRight: goesRight)] = UInt32(
          thresholds.count)
        thresholds.append(threshold)
      }
    }
  }

  private mutating func layCategories(
    _ tests: [(CategorySet, Bool, Bool)], feature: Int
  ) throws(Fault) {
    guard !tests.isEmpty else { return }
    // One width for all sets of a feature: rows are turned into bit numbers once.
    let bits = tests.map(\.0.count).max() ?? 0
    guard sets.count + tests.count * mk_tree_set_words(bits) <= Forest.setWordCountMax else {
      throw Fault(
        .resourceExhausted,
        "feature \(feature) has \(tests.count) sets of up to \(bits) categories, too many to keep: group the rare ones"
      )
    }
    columns.append(
      mk_tree_column(
        feature: UInt32(feature), kind: MK_TREE_CATEGORY.rawValue, left_count: UInt32(tests.count),
        right_count: 0, set: UInt32(sets.count), set_bits: UInt32(bits)))
    for (right, otherGoesRight, missingGoesRight) in tests.sorted(by: Self.precedes) {
      planes[
        .category(feature, right, otherGoesRight: otherGoesRight, missingGoesRight: missingGoesRight)] =
        UInt32(thresholds.count)
      thresholds.append(0)
      // Categories of wider sets are for this one what it doesn't know.
      var all = CategorySet(count: bits + 2)
      for category in 0..<bits
      where category < right.count ? right.contains(category) : otherGoesRight { all.insert(category) }
      if otherGoesRight { all.insert(bits) }
      if missingGoesRight { all.insert(bits + 1) }
      sets += all.words
    }
  }

  /// Any order will do that is the same for the same forest: the segment's digest hangs on it.
  private static func precedes(_ left: (CategorySet, Bool, Bool), _ right: (CategorySet, Bool, Bool)) -> Bool
  {
    func flags(_ test: (CategorySet, Bool, Bool)) -> Int { (test.1 ? 2 : 0) + (test.2 ? 1 : 0) }
    if left.0 != right.0 {
      return left.0.count == right.0.count
        ? left.0.words.lexicographicallyPrecedes(right.0.words) : left.0.count < right.0.count
    }
    return flags(left) < flags(right)
  }

  // MARK: Trees

  private mutating func lay(_ tree: Forest.Tree) {
    guard !tree.nodes.isEmpty else {
      parts.append(
        mk_tree_part(
          node: UInt32(nodes.count), leaf: UInt32(leaves.count), node_count: 0, leaf_count: 1, entry: 0,
          output: UInt16(tree.output)))
      return pad(tree.leaves)
    }
    let cut = TreeCut(tree)
    var entry = 0
    for part in cut.parts { lay(part, of: tree, isWhole: cut.parts.count == 1, lastEntry: &entry) }
    entryCount = max(entryCount, entry + 1)
  }

  private mutating func lay(
    _ part: TreeCut.Part, of tree: Forest.Tree, isWhole: Bool, lastEntry: inout Int
  ) {
    let places = Dictionary(uniqueKeysWithValues: part.nodes.enumerated().map { ($1, $0) })
    // In a tree that was cut, the rows of other parts come out as leaf 0, which is worth nothing.
    var values: [Double] = isWhole ? [] : [0]
    let first = nodes.count
    func slot(_ child: Forest.Child) -> UInt16 {
      switch child {
      case .leaf(let leaf):
        values.append(tree.leaves[leaf])
        return UInt16(values.count - 1)
      case .node(let node):
        if let place = places[node] { return UInt16(Int(MK_TREE_LEAVES) + place) }
        return UInt16(Int(MK_TREE_ENTRY) + (part.entries[node] ?? 0))
      }
    }
    for index in part.nodes {
      let node = tree.nodes[index]
      guard let plane = planes[Self.key(node)] else { preconditionFailure("every test has a plane") }
      nodes.append(mk_tree_node(plane: plane, left: slot(node.left), right: slot(node.right)))
    }
    lastEntry = max(lastEntry, part.entries.values.max() ?? 0)
    parts.append(
      mk_tree_part(
        node: UInt32(first), leaf: UInt32(leaves.count), node_count: UInt16(part.nodes.count),
        leaf_count: UInt16(values.count), entry: UInt16(part.entry), output: UInt16(tree.output)))
    pad(values)
  }

  private mutating func pad(_ values: [Double]) {
    let room = values.count > 32 ? 64 : 32
    leaves += values + [Double](repeating: 0, count: room - values.count)
  }
}

/// How a tree falls into parts that the kernels can walk: one, unless it has more than 64 leaves.
struct TreeCut {
  struct Part {
    /// The entry that the part's rows come in by; 0 is that of all rows.
    var entry: Int
    /// The tree's nodes in it, parents before children.
    var nodes: [Int]
    /// The entries of the nodes that other parts begin with.
    var entries: [Int: Int]
  }

  private(set) var parts: [Part] = []

  /// Nodes of a part: one leaf more than nodes, and leaf 0 for the rows of other parts.
  private static let nodeCountMax = Int(MK_TREE_LEAVES) - 2

  init(_ tree: Forest.Tree) {
    let sizes = Self.sizes(tree)
    let isWhole = tree.nodes.count < Int(MK_TREE_LEAVES)
    var pending = [(node: 0, entry: 0)]
    var lastEntry = 0
    while let (root, entry) = pending.popLast() {
      var part = Part(entry: entry, nodes: [], entries: [:])
      // Small branches first, so that they are whole, and what is left for other parts is large.
      var open = [root]
      while let place = open.indices.min(by: { (sizes[open[$0]], $0) < (sizes[open[$1]], $1) }),
        isWhole || part.nodes.count < Self.nodeCountMax
      {
        let index = open.remove(at: place)
        part.nodes.append(index)
        for case .node(let child) in [tree.nodes[index].left, tree.nodes[index].right] { open.append(child) }
      }
      for node in open {
        lastEntry += 1
        part.entries[node] = lastEntry
        pending.append((node, lastEntry))
      }
      parts.append(part)
    }
  }

  /// Nodes below and at each node. Children have higher numbers than their parents in no file that is promised, so by
  /// a stack.
  private static func sizes(_ tree: Forest.Tree) -> [Int] {
    var sizes = [Int](repeating: 1, count: tree.nodes.count)
    var order: [Int] = []
    var open = [0]
    while let index = open.popLast() {
      order.append(index)
      for case .node(let child) in [tree.nodes[index].left, tree.nodes[index].right] { open.append(child) }
    }
    for index in order.reversed() {
      for case .node(let child) in [tree.nodes[index].left, tree.nodes[index].right] {
        sizes[index] += sizes[child]
      }
    }
    return sizes
  }
}
