internal import CKernels

/// The 256 steps that rows of bytes count in: evenly apart by their ratio, from the smallest row's to the largest's. A byte
/// then tells a row's step, at the cost of half a percent of its precision.
struct RowSteps {
  let values: [Float]

  /// Of the largest magnitude of each row.
  init(_ magnitudes: [Float]) {
    let largest = magnitudes.reduce(0, max)
    let smallest = magnitudes.reduce(largest) { $1 > 0 ? min($0, $1) : $0 }
    let high = Double(largest) / 127
    let low = max(Double(smallest) / 127, high / 65_536)
    guard low > 0, low.isFinite else {
      values = [Float](repeating: 0, count: 256)
      return
    }
    // The 256th root, by square roots: they are the same everywhere.
    var ratio = high / low
    for _ in 0..<8 { ratio.formSquareRoot() }
    var values: [Float] = []
    var step = low
    for _ in 0..<255 {
      step *= ratio
      values.append(Float(step))
    }
    self.values = values + [Float(high)]
  }

  /// The least step that a row of this magnitude fits into.
  func index(_ magnitude: Float) -> UInt8 {
    var (low, high) = (0, 255)
    while low < high {
      let middle = (low + high) / 2
      if values[middle] * 127 >= magnitude { high = middle } else { low = middle + 1 }
    }
    return UInt8(low)
  }
}
