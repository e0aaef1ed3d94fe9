extension Forest {
  /// What the trees add up to for one row, a sum for each output: every tree from its root, one node after the other.
  ///
  /// The slow twin of the kernels, and the truth in their tests: it says in a page what trees do with a value.
  package func sums(_ row: some RandomAccessCollection<Float>) -> [Double] {
    let row = Array(row)
    precondition(row.count == features.count, "a row has a value for each feature")
    let isFloat = origin == .xgBoost
    var sums = base
    for tree in trees {
      let leaf = tree.leaf(row, isFlat: !isFloat)
      let sum = sums[tree.output]
      sums[tree.output] = isFloat ? Double(Float(sum) + Float(leaf)) : sum + leaf
    }
    return sums
  }
}

extension Forest.Tree {
  fileprivate func leaf(_ row: [Float], isFlat: Bool) -> Double {
    guard !nodes.isEmpty else { return leaves[0] }
    var index = 0
    while true {
      let node = nodes[index]
      switch node.test.goesRight(row[node.feature], isFlat: isFlat) ? node.right : node.left {
      case .leaf(let leaf): return leaves[leaf]
      case .node(let node): index = node
      }
    }
  }
}

extension Forest.Test {
  /// - Parameter isFlat: LightGBM's ways: what is as good as zero is zero, and categories are cut off to whole numbers.
  fileprivate func goesRight(_ given: Float, isFlat: Bool) -> Bool {
    switch self {
    case .number(let threshold, let missing, let missingGoesLeft):
      var value = given
      if isFlat, abs(value) <= 1e-35 { value = 0 }
      let isMissing =
        switch missing {
        case .none: false
        case .zero: value.isNaN || abs(value) <= 1e-35
        case .notANumber: value.isNaN
        }
      if isMissing { return !missingGoesLeft }
      return !((value.isNaN ? 0 : value) <= threshold)
    case .category(let right, let otherGoesRight, let missingGoesRight):
      if given.isNaN { return missingGoesRight }
      guard isFlat ? given > -1 : given >= 0, given < Float(right.count) else { return otherGoesRight }
      return right.contains(Int(given))
    }
  }
}
