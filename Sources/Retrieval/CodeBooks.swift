internal import Base
internal import CKernels

/// How turned residuals become codes of 4 bits: product quantisation (Jégou, Douze and Schmid 2011) after a turn, with groups
/// of dimensions as wide as they matter little. A code stands for one of 16 codewords of its group.
struct CodeBooks {
  let turn: CodeTurn
  /// For each turned dimension the values of 16 codewords.
  private(set) var book: [Float] = []
  /// Minus half the squared length of each codeword, to find the nearest by.
  private var bias: [Float] = []

  /// `sample` are turned rows.
  init(_ turn: CodeTurn, sample: [Float], seed: UInt64) {
    self.turn = turn
    let rowCount = turn.count > 0 ? sample.count / turn.count : 0
    var first = 0
    for (place, width) in turn.widths.enumerated() {
      let width = Int(width)
      guard width > 0 else {
        bias += [Float](repeating: 0, count: Int(MK_BOOK))
        continue
      }
      var group: [Float] = []
      group.reserveCapacity(rowCount * width)
      for row in 0..<rowCount {
        group += sample[row * turn.count + first..<row * turn.count + first + width]
      }
      add(Self.words(group, width: width, seed: seed &+ UInt64(place)), width: width)
      first += width
    }
  }

  private mutating func add(_ words: [Float], width: Int) {
    for dimension in 0..<width {
      for word in 0..<Int(MK_BOOK) { book.append(words[word * width + dimension]) }
    }
    for word in 0..<Int(MK_BOOK) {
      bias.append(
        (0..<width).reduce(Float(0)) { $0 - words[word * width + $1] * words[word * width + $1] / 2 })
    }
  }

  /// Codes of `count` turned rows, one byte each, group after group: `codes[group * count + row]`.
  func encode(_ turned: UnsafePointer<Float>, count: Int) -> [UInt8] {
    let kernels = mk_active()
    var codes = [UInt8](repeating: 0, count: count * turn.widths.count)
    var columns = [UInt32](repeating: 0, count: count)
    var values = [Float](repeating: 0, count: count)
    var first = 0
    for (group, width) in turn.widths.enumerated() {
      book.withUnsafeBufferPointer { book in
        bias.withUnsafeBufferPointer { bias in
          guard let words = book.baseAddress, let bias = bias.baseAddress else { return }
          kernels.pointee.nearest(
            turned + first, turn.count, count, Int(width), words + first * Int(MK_BOOK),
            bias + group * Int(MK_BOOK), Int(MK_BOOK), &columns, &values)
        }
      }
      for row in 0..<count { codes[group * count + row] = UInt8(truncatingIfNeeded: columns[row]) }
      first += Int(width)
    }
    return codes
  }

  /// 16 codewords by Lloyd's iterations.
  private static func words(_ sample: [Float], width: Int, seed: UInt64) -> [Float] {
    let count = Int(MK_BOOK)
    let rows = sample.count / width
    if width == 1 {
      // In one dimension, from quantiles: no chance, and near the end already.
      let sorted = sample.sorted()
      let start = (0..<count).map { sorted[min(rows - 1, (2 * $0 + 1) * rows / (2 * count))] }
      return Clustering.refine(Centroids(start, dimensions: 1), with: sample, iterationCount: 12).values
    }
    let clustering = Clustering(listCount: count, iterationCount: 10, seed: seed, threads: 1)
    var values = clustering.run(sample, dimensions: width) { _ in }.values
    // Fewer titles than codewords: the last one again.
    while values.count < count * width { values += Array(values.suffix(width)) }
    return values
  }
}

/// Dimensions in groups of one code each, by dynamic programming.
struct CodeGroups {
  /// Ranges of dimensions, that are in order of importance. Their number is even; some may be empty of dimensions no more
  /// than the last ones are.
  let ranges: [Range<Int>]

  /// Widths of a group, and the share of its importance that 16 codewords lose: what Lloyd's algorithm reaches for
  /// normal distributions.
  private static let losses: [(width: Int, loss: Float)] = [
    (1, 0.0095), (2, 0.11), (3, 0.23), (4, 0.33), (6, 0.49), (8, 0.59), (12, 0.71), (16, 0.78), (24, 0.85),
    (32, 0.89), (64, 0.945),
  ]

  /// The share of importance that may be lost without telling: what is scored again is then few.
  private static var lossTarget: Float { 0.02 }

  init(_ importance: [Float], pairCount: Int?) {
    let count = importance.count
    var sums: [Float] = [0]
    for value in importance { sums.append(sums[sums.count - 1] + value) }
    let total = sums[count]
    let most = pairCount.map { 2 * $0 } ?? min(2 * Int(MK_PAIR_LIMIT), max(2, (count + 1) / 2 + 1) / 2 * 2)
    // least[d]: the loss when the groups so far have the first d dimensions.
    var least = [Float](repeating: .infinity, count: count + 1)
    least[0] = 0
    var steps: [[UInt16]] = []
    var best: (end: Int, groups: Int) = (0, 0)
    for groups in 1...max(most, 2) {
      var next = [Float](repeating: .infinity, count: count + 1)
      var step = [UInt16](repeating: 0, count: count + 1)
      // An empty group, when there are more groups than dimensions.
      if groups > count { (next, step) = (least, [UInt16](repeating: 0, count: count + 1)) }
      for end in 1...count {
        for (width, loss) in Self.losses where width <= end {
          let sum = least[end - width] + loss * (sums[end] - sums[end - width])
          if sum < next[end] { (next[end], step[end]) = (sum, UInt16(width)) }
        }
      }
      least = next
      steps.append(step)
      guard groups % 2 == 0 else { continue }
      // What no group has is lost whole.
      let end = (0...count).min { least[$0] + total - sums[$0] < least[$1] + total - sums[$1] } ?? 0
      best = (end, groups)
      if pairCount == nil, least[end] + total - sums[end] <= Self.lossTarget * total { break }
    }
    var ranges: [Range<Int>] = []
    var end = best.end
    for groups in stride(from: best.groups, to: 0, by: -1) {
      let width = Int(steps[groups - 1][end])
      ranges.append(end - width..<end)
      end -= width
    }
    self.ranges = ranges.reversed()
  }
}
