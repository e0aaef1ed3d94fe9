/// Titles by list: places `offsets[list]..<offsets[list + 1]` of `ordinals`, in the order of the ordinals.
struct Lists {
  let offsets: [UInt32]
  let ordinals: [UInt32]

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
