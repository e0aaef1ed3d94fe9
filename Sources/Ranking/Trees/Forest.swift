internal import Base

/// Boosted trees as an importer reads them, before they are laid out for scoring.
package struct Forest: Sendable, Equatable {
  package enum Origin: UInt32, Sendable {
    case lightGBM = 1
    case xgBoost = 2
  }

  /// How a node sees a value that isn't there.
  package enum Missing: UInt32, Sendable {
    /// Nothing is missing: what is not a number counts as zero.
    case none = 0
    /// Zero and what is not a number are missing.
    case zero = 1
    /// What is not a number is missing.
    case notANumber = 2
  }

  package enum Test: Sendable, Equatable {
    /// Left if the value is at most `threshold`.
    case number(threshold: Float, missing: Missing, missingGoesLeft: Bool)
    /// Whether a row goes right: by category, for values that are no category of these, and without a value.
    case category(right: CategorySet, otherGoesRight: Bool, missingGoesRight: Bool)
  }

  package enum Child: Sendable, Equatable {
    case node(Int)
    case leaf(Int)
  }

  package struct Node: Sendable, Equatable {
    package var feature: Int
    package var test: Test
    package var left: Child
    package var right: Child
  }

  package struct Tree: Sendable, Equatable {
    /// The first is the root; none when the tree is one leaf.
    package var nodes: [Node]
    package var leaves: [Double]
    /// Which of a row's sums the leaves belong to.
    package var output: Int
  }

  package var origin: Origin
  package var features: [String]
  package var outputCount: Int
  /// What each sum begins with.
  package var base: [Double]
  /// What sums are divided by.
  package var divisor: Double
  package var link: ScoreLink
  package var trees: [Tree]
  /// The objective, as the file calls it.
  package var objective: String

  package static let featureCountMax = 4096
  package static let outputCountMax = 256
  package static let treeCountMax = 100_000
  package static let leafCountMax = 65_536
  /// Categories that a node can tell apart.
  package static let categoryCountMax = 1 << 16
  /// 64-bit words of all sets of categories, of nodes and of tests: 128 MB. A set is as long as its highest category, so
  /// that six bytes of a file can ask for 8 KB.
  package static let setWordCountMax = 1 << 24
}

/// Which of the categories 0 ..< `count` go right, as bits.
package struct CategorySet: Sendable, Hashable {
  package let count: Int
  package private(set) var words: [UInt64]

  package init(count: Int) {
    self.count = count
    words = [UInt64](repeating: 0, count: (count + 63) / 64)
  }

  package mutating func insert(_ category: Int) {
    precondition((0..<count).contains(category), "a set has room for its categories")
    words[category / 64] |= 1 << UInt64(category % 64)
  }

  package func contains(_ category: Int) -> Bool {
    (0..<count).contains(category) && words[category / 64] >> UInt64(category % 64) & 1 != 0
  }
}

extension Forest.Tree {
  /// What is wrong with the nodes as a tree; `nil` when each node and each leaf hangs on the root exactly once.
  var shapeFault: String? {
    var nodesSeen = [Bool](repeating: false, count: nodes.count)
    var leavesSeen = [Bool](repeating: false, count: leaves.count)
    var open = nodes.isEmpty ? [] : [0]
    if nodes.isEmpty { return leaves.count == 1 ? nil : "has \(leaves.count) leaves and no node" }
    nodesSeen[0] = true
    while let index = open.popLast() {
      for child in [nodes[index].left, nodes[index].right] {
        switch child {
        case .node(let child):
          guard nodes.indices.contains(child) else {
            return "has node \(index) with child \(child), and the last is \(nodes.count - 1)"
          }
          guard !nodesSeen[child] else { return "has node \(child) below two others" }
          nodesSeen[child] = true
          open.append(child)
        case .leaf(let leaf):
          guard leaves.indices.contains(leaf) else {
            return "has node \(index) with leaf \(leaf), and the last is \(leaves.count - 1)"
          }
          guard !leavesSeen[leaf] else { return "has leaf \(leaf) below two nodes" }
          leavesSeen[leaf] = true
        }
      }
    }
    guard let lost = nodesSeen.firstIndex(of: false) ?? leavesSeen.firstIndex(of: false) else { return nil }
    return "has a node or leaf \(lost) that does not hang on the root"
  }
}
