internal import Base
internal import CKernels

/// The sections of a segment of trees, with every index that the kernels follow checked. The kernels check nothing.
struct TreeSections {
  private let columns: UnsafeBufferPointer<mk_tree_column>
  private let thresholds: UnsafeBufferPointer<Float>
  private let sets: UnsafeBufferPointer<UInt64>
  private let parts: UnsafeBufferPointer<mk_tree_part>
  private let nodes: UnsafeBufferPointer<mk_tree_node>
  private let leaves: UnsafeRawPointer?
  private let name: String

  init(_ segment: Segment, _ head: TreeHead) throws(Refusal) {
    let shape = head.shape
    name = segment.name
    columns = try segment.array("COLS", of: mk_tree_column.self, count: shape.columns)
    thresholds = try segment.array("THRS", of: Float.self, count: shape.planes)
    sets = try segment.array("SETS", of: UInt64.self)
    parts = try segment.array("PART", of: mk_tree_part.self, count: shape.parts)
    nodes = try segment.array("NODE", of: mk_tree_node.self, count: shape.nodes)
    let areFinite: Bool
    if shape.sumsAreFloats {
      let values = try segment.array("LEAF", of: Float.self, count: shape.leafValues)
      areFinite = values.allSatisfy(\.isFinite)
      leaves = UnsafeRawPointer(values.baseAddress)
    } else {
      let values = try segment.array("LEAF", of: Double.self, count: shape.leafValues)
      areFinite = values.allSatisfy(\.isFinite)
      leaves = UnsafeRawPointer(values.baseAddress)
    }
    guard areFinite else { throw refusal("LEAF", "has a value that is not finite") }
    guard !thresholds.contains(where: \.isNaN) else {
      throw refusal("THRS", "has a value that is not a number")
    }
    try checkColumns(featureCount: head.featureCount)
    try checkParts(head)
  }

  func forest(_ head: TreeHead) -> mk_forest {
    // Of an empty section there is no address, and nothing is read from it: any will do.
    let nowhere = UnsafeRawPointer(bitPattern: 64)
    func address<Element>(_ buffer: UnsafeBufferPointer<Element>) -> UnsafePointer<Element> {
      guard let start = buffer.baseAddress ?? nowhere?.assumingMemoryBound(to: Element.self) else {
        preconditionFailure("64 is an address")
      }
      return start
    }
    guard let leaves = leaves ?? nowhere else { preconditionFailure("64 is an address") }
    return mk_forest(
      columns: address(columns), column_count: columns.count, thresholds: address(thresholds),
      sets: sets.baseAddress, parts: address(parts), part_count: parts.count, nodes: nodes.baseAddress,
      leaves: leaves, leaves_are_floats: head.shape.sumsAreFloats ? 1 : 0, flat: head.isFlat ? 1 : 0,
      feature_count: head.featureCount, output_count: head.outputCount)
  }

  private func refusal(_ tag: SegmentTag, _ message: String) -> Refusal {
    Refusal(.unreadable, at: "\(name) section \(tag)", message)
  }

  private func checkColumns(featureCount: Int) throws(Refusal) {
    var planes = 0
    for (index, column) in columns.enumerated() {
      guard column.feature < featureCount, column.kind <= MK_TREE_CATEGORY.rawValue else {
        throw refusal("COLS", "has a column \(index) of a feature or kind that is not there")
      }
      planes += Int(column.left_count) + Int(column.right_count)
      guard column.kind == MK_TREE_CATEGORY.rawValue else { continue }
      let (words, overflow) = mk_tree_set_words(Int(column.set_bits)).multipliedReportingOverflow(
        by: Int(column.left_count))
      guard column.set_bits <= Forest.categoryCountMax, column.right_count == 0, !overflow,
        Int(column.set) <= sets.count, words <= sets.count - Int(column.set)
      else { throw refusal("COLS", "has a column \(index) whose sets lie outside of SETS") }
    }
    guard planes == thresholds.count else {
      throw refusal("COLS", "has columns of \(planes) planes, and there are \(thresholds.count)")
    }
  }

  private func checkParts(_ head: TreeHead) throws(Refusal) {
    var entries = [Bool](repeating: false, count: head.shape.entries)
    entries[0] = true
    for (index, part) in parts.enumerated() {
      let count = Int(part.leaf_count)
      guard (1...Int(MK_TREE_LEAVES)).contains(count), Int(part.node_count) <= Int(MK_TREE_LEAVES),
        Int(part.node) <= nodes.count - Int(part.node_count), part.leaf % 32 == 0,
        Int(part.leaf) <= head.shape.leafValues - (count > 32 ? 64 : 32),
        Int(part.output) < head.outputCount, Int(part.entry) < entries.count, entries[Int(part.entry)]
      else { throw refusal("PART", "has a part \(index) that points out of the other sections") }
      guard try isTree(part, entries: &entries) else {
        throw refusal("NODE", "has nodes of part \(index) that are no tree")
      }
    }
  }

  /// Whether each node and each leaf of the part has exactly one parent, which stands before it. Marks the entries that
  /// it opens.
  private func isTree(_ part: mk_tree_part, entries: inout [Bool]) throws(Refusal) -> Bool {
    let (nodeCount, leafCount) = (Int(part.node_count), Int(part.leaf_count))
    guard nodeCount > 0 else { return leafCount == 1 }
    var seen: (leaves: UInt64, nodes: UInt64) = (0, 1)
    for index in 0..<nodeCount {
      let node = nodes[Int(part.node) + index]
      guard Int(node.plane) < thresholds.count, seen.nodes >> UInt64(index) & 1 != 0 else { return false }
      for slot in [Int(node.left), Int(node.right)] {
        if slot < Int(MK_TREE_LEAVES) {
          guard slot < leafCount, seen.leaves >> UInt64(slot) & 1 == 0 else { return false }
          seen.leaves |= 1 << UInt64(slot)
        } else if slot < Int(MK_TREE_ENTRY) {
          let child = slot - Int(MK_TREE_LEAVES)
          guard child > index, child < nodeCount, seen.nodes >> UInt64(child) & 1 == 0 else { return false }
          seen.nodes |= 1 << UInt64(child)
        } else {
          let entry = slot - Int(MK_TREE_ENTRY)
          guard entry > 0, entry < entries.count else { return false }
          entries[entry] = true
        }
      }
    }
    // Leaf 0 of a part of a larger tree is for the rows that aren't in it.
    let all = leafCount == 64 ? UInt64.max : (1 << UInt64(leafCount)) - 1
    return seen.leaves | 1 == all
  }
}
