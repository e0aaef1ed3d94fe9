internal import CKernels

/// Titles by list: places `offsets[list]..<offsets[list + 1]` of `ordinals`.
struct Lists {
  let offsets: [UInt32]
  /// In order within a list, until ``ListBlocks`` arranges them.
  var ordinals: [UInt32]

  init(_ assigned: [UInt32], count: Int) {
    var offsets = [UInt32](repeating: 0, count: count + 1)
    for list in assigned { offsets[Int(list) + 1] += 1 }
    for list in 0..<count { offsets[list + 1] += offsets[list] }
    var next = offsets
    var ordinals = [UInt32](repeating: 0, count: assigned.count)
    for (ordinal, list) in assigned.enumerated() {
      ordinals[Int(next[Int(list)])] = UInt32(ordinal)
      next[Int(list)] += 1
    }
    self.offsets = offsets
    self.ordinals = ordinals
  }

  var sizes: [Int] { zip(offsets, offsets.dropFirst()).map { Int($1 - $0) } }
  var largestCount: Int { sizes.max() ?? 0 }

  /// The number of each list's first block, and at the end that of all blocks: each list's titles begin a new one.
  var firstBlocks: [UInt32] { Self.firstBlocks(offsets) }

  static func firstBlocks(_ offsets: some Collection<UInt32>) -> [UInt32] {
    var blocks: [UInt32] = [0]
    blocks.reserveCapacity(offsets.count)
    for (begin, end) in zip(offsets, offsets.dropFirst()) {
      blocks.append(blocks[blocks.count - 1] + (end - begin + UInt32(MK_BLOCK) - 1) / UInt32(MK_BLOCK))
    }
    return blocks
  }

  /// The list that has the title at a place.
  func list(of place: Int) -> Int {
    var (low, high) = (0, offsets.count - 2)
    while low < high {
      let middle = (low + high + 1) / 2
      if Int(offsets[middle]) <= place { low = middle } else { high = middle - 1 }
    }
    return low
  }
}
