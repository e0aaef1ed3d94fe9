internal import Base
internal import CKernels

/// What one worker thread needs to score with trees. Grows for a larger forest, and stays.
final class TreeScratch {
  private var block: UnsafeMutableRawBufferPointer
  private var parts: [UnsafeMutableRawPointer] = []

  private static let rowCount = Int(MK_TREE_ROWS)
  private static let planeByteCount = Int(MK_TREE_WORDS) * MemoryLayout<UInt64>.stride

  init() { block = .allocate(byteCount: 0, alignment: 64) }

  deinit { block.deallocate() }

  /// Makes room for a forest. What was read from here before is not valid any more.
  func reserve(_ shape: TreeRanker.Shape, outputCount: Int) {
    let doubles = outputCount * Self.rowCount * MemoryLayout<Double>.stride
    let sizes = [
      (Int(MK_TREE_GROUP) + 1) * Self.rowCount * MemoryLayout<Float>.stride,
      shape.planes * Self.planeByteCount,
      (Int(MK_TREE_ENTRY) + shape.entries) * Self.planeByteCount,
      Self.rowCount,
      doubles,
      doubles / 2,
      (outputCount * MemoryLayout<Double>.stride + 63) / 64 * 64,
    ]
    let total = sizes.reduce(0, +)
    if total > block.count {
      block.deallocate()
      block = .allocate(byteCount: total, alignment: 64)
      // Places of rows that a block doesn't have are computed too: with any numbers, but with some.
      block.initializeMemory(as: UInt8.self, repeating: 0)
    }
    guard var place = block.baseAddress else { preconditionFailure("a forest takes room") }
    parts.removeAll(keepingCapacity: true)
    for size in sizes {
      parts.append(place)
      place += size
    }
  }

  var pointers: mk_tree_scratch {
    mk_tree_scratch(
      turned: parts[0].assumingMemoryBound(to: Float.self),
      planes: parts[1].assumingMemoryBound(to: UInt64.self),
      slots: parts[2].assumingMemoryBound(to: UInt64.self),
      codes: parts[3].assumingMemoryBound(to: UInt8.self))
  }

  /// For each output a place for every row of a block.
  var sums: UnsafeMutablePointer<Double> { parts[4].assumingMemoryBound(to: Double.self) }
  var floatSums: UnsafeMutablePointer<Float> { parts[5].assumingMemoryBound(to: Float.self) }
  /// One row's outputs.
  var row: UnsafeMutablePointer<Double> { parts[6].assumingMemoryBound(to: Double.self) }

  func fill(_ base: [Double]) {
    for (output, value) in base.enumerated() {
      (sums + output * Self.rowCount).update(repeating: value, count: Self.rowCount)
    }
  }

  func fillFloats(_ base: [Double]) {
    for (output, value) in base.enumerated() {
      (floatSums + output * Self.rowCount).update(repeating: Float(value), count: Self.rowCount)
    }
  }

  /// Sums of floats as doubles.
  func widen(_ outputCount: Int) {
    let (sums, floatSums) = (sums, floatSums)
    for index in 0..<outputCount * Self.rowCount { sums[index] = Double(floatSums[index]) }
  }
}
