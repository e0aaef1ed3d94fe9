import Base

@testable import Ranking

/// Forests of chance, for tests: every kind of test, and trees of any size and form.
struct ForestMaker {
  var random: SplitMix
  var features = 20

  init(seed: UInt64) { random = SplitMix(seed: seed) }

  mutating func forest(
    _ origin: Forest.Origin, leaves: [Int], outputs: Int = 1, form: ScoreLink.Form = .identity
  ) -> Forest {
    let trees = leaves.enumerated().map { tree($1, origin, output: $0 % outputs) }
    let isFloat = origin == .xgBoost
    return Forest(
      origin: origin, features: (0..<features).map { "feature \($0)" }, outputCount: outputs,
      base: (0..<outputs).map { _ in isFloat ? Double(Float.random(in: -1...1, using: &random)) : 0 },
      divisor: 1,
      link: ScoreLink(form, isFloat: isFloat), trees: trees, objective: "test")
  }

  /// Leaves are split at random until there are enough: balanced or a chain, as it comes.
  private mutating func tree(_ leafCount: Int, _ origin: Forest.Origin, output: Int) -> Forest.Tree {
    var nodes: [Forest.Node] = []
    var open: [(parent: Int, isLeft: Bool)] = []
    while nodes.count < leafCount - 1 {
      let test = test(origin)
      let feature =
        if case .category = test { features - 1 } else { Int.random(in: 0..<features - 1, using: &random) }
      if !open.isEmpty {
        let place = open.remove(at: Int.random(in: 0..<open.count, using: &random))
        if place.isLeft {
          nodes[place.parent].left = .node(nodes.count)
        } else {
          nodes[place.parent].right = .node(nodes.count)
        }
      }
      open += [(nodes.count, true), (nodes.count, false)]
      nodes.append(Forest.Node(feature: feature, test: test, left: .leaf(0), right: .leaf(0)))
    }
    for (leaf, place) in open.enumerated() {
      if place.isLeft {
        nodes[place.parent].left = .leaf(leaf)
      } else {
        nodes[place.parent].right = .leaf(leaf)
      }
    }
    let values = (0..<leafCount).map { _ in
      let value = Double.random(in: -1...1, using: &random)
      return origin == .xgBoost ? Double(Float(value)) : value
    }
    return Forest.Tree(nodes: nodes, leaves: values, output: output)
  }

  private mutating func test(_ origin: Forest.Origin) -> Forest.Test {
    let flip = { (random: inout SplitMix) in Bool.random(using: &random) }
    if Int.random(in: 0..<6, using: &random) == 0 {
      var set = CategorySet(count: Int.random(in: 0...150, using: &random))
      for category in 0..<set.count where flip(&random) { set.insert(category) }
      return .category(right: set, otherGoesRight: flip(&random), missingGoesRight: flip(&random))
    }
    let kinds: [Forest.Missing] = origin == .xgBoost ? [.notANumber] : [.none, .zero, .notANumber]
    return .number(
      threshold: (Float.random(in: -2...2, using: &random) * 8).rounded() / 8,
      missing: kinds[Int.random(in: 0..<kinds.count, using: &random)], missingGoesLeft: flip(&random))
  }

  mutating func rows(_ count: Int) -> [Float] {
    let odd: [Float] = [.nan, .infinity, -.infinity, 0, -0.0, 1e-35, -1e-36, -0.5, -1, 3e38, 149.5, 1000]
    return (0..<count * features).map { index in
      if Int.random(in: 0..<8, using: &random) == 0 {
        return odd[Int.random(in: 0..<odd.count, using: &random)]
      }
      return index % features == features - 1
        ? Float(Int.random(in: 0..<160, using: &random))
        : (Float.random(in: -2.5...2.5, using: &random) * 16).rounded() / 16
    }
  }
}
