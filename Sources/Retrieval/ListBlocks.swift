internal import Base
internal import CKernels

/// Arranges the titles of each list in blocks that lie together: a search looks into those blocks of a list that are near
/// its query.
///
/// A list is halved across the direction in which its titles differ most, and so are its halves, in whole blocks.
struct ListBlocks {
  /// Places in the order of the blocks.
  let lists: Lists
  let firstBlocks: [UInt32]
  /// For each block a row of `width` bytes, biased by 128: where its titles lie from their list's centroid, in turned
  /// dimensions.
  private var rows: [UInt8]
  let width: Int
  /// What they count.
  let step: Float

  /// Of the vectors' lists.
  init(_ vectors: ListVectors<some VectorSource>, turn: CodeTurn, threads: Int) {
    let width = IndexHead.blockWidth(turnedCount: turn.count)
    var lists = vectors.lists
    let firstBlocks = lists.firstBlocks
    let blockCount = Int(firstBlocks[firstBlocks.count - 1])
    var middles = [Float](repeating: 0, count: blockCount * turn.count)
    lists.ordinals.withUnsafeMutableBufferPointer { ordinals in
      middles.withUnsafeMutableBufferPointer { middles in
        forEachBlock(of: firstBlocks.count - 1, blockCount: 8, threads: threads) { some, _ in
          for list in some {
            let places = Int(vectors.lists.offsets[list])..<Int(vectors.lists.offsets[list + 1])
            let turned = Self.turned(vectors, places, turn)
            var arranged = ArrangedRows(turned, count: places.count, width: turn.count)
            arranged.halve()
            for (place, row) in zip(places, arranged.order) {
              ordinals[place] = vectors.lists.ordinals[places.lowerBound + row]
            }
            let begin = Int(firstBlocks[list]) * turn.count
            for (offset, value) in arranged.middles.enumerated() { middles[begin + offset] = value }
          }
        }
      }
    }
    self.lists = lists
    self.firstBlocks = firstBlocks
    self.width = width
    let step = middles.reduce(0) { max($0, abs($1)) } / 127
    self.step = step
    rows = [UInt8](repeating: 128, count: blockCount * width)
    guard turn.count > 0 else { return }
    rows.withUnsafeMutableBufferPointer { rows in
      middles.withUnsafeBufferPointer { middles in
        guard let from = middles.baseAddress, let to = rows.baseAddress else { return }
        for block in 0..<blockCount {
          mk_quantise_by(from + block * turn.count, turn.count, width, step, to + block * width)
        }
      }
    }
  }

  /// The block of the title at a place of a list.
  func block(of place: Int, in list: Int) -> Int {
    Int(firstBlocks[list]) + (place - Int(lists.offsets[list])) / Int(MK_BLOCK)
  }

  /// Makes a turned residual one from the middle of a block; returns by how much that lowers its square.
  func subtractMiddle(_ block: Int, from row: UnsafeMutablePointer<Float>, width: Int) -> Float {
    var less: Float = 0
    for dimension in 0..<width {
      let middle = (Float(rows[block * self.width + dimension]) - 128) * step
      less += middle * (2 * row[dimension] - middle)
      row[dimension] -= middle
    }
    return less
  }

  /// The rows as the segment has them: of each list the first 4 bytes of all blocks, then the second 4, and so on.
  var sectionRows: [UInt8] {
    var section: [UInt8] = []
    section.reserveCapacity(rows.count)
    for (begin, end) in zip(firstBlocks, firstBlocks.dropFirst()) {
      for byte in stride(from: 0, to: width, by: 4) {
        for block in Int(begin)..<Int(end) {
          section += rows[block * width + byte..<block * width + byte + 4]
        }
      }
    }
    return section
  }

  /// The turned residuals of a list.
  private static func turned(
    _ vectors: ListVectors<some VectorSource>, _ places: Range<Int>, _ turn: CodeTurn
  ) -> [Float] {
    var turned = [Float](repeating: 0, count: places.count * turn.count)
    turned.withUnsafeMutableBufferPointer { turned in
      withUnsafeTemporaryAllocation(of: Float.self, capacity: 256 * vectors.dimensions) { rows in
        guard let start = rows.baseAddress, let out = turned.baseAddress else { return }
        for begin in Swift.stride(from: places.lowerBound, to: places.upperBound, by: 256) {
          let some = begin..<min(begin + 256, places.upperBound)
          vectors.copy(some, into: start)
          vectors.subtractCentroids(from: start, of: some)
          turn.turn(start, rowCount: some.count, into: out + (begin - places.lowerBound) * turn.count)
        }
      }
    }
    return turned
  }
}

/// Rows of one list, brought into blocks.
struct ArrangedRows {
  /// The rows in their order now.
  private(set) var order: [Int]
  private let width: Int
  private var rows: [Float]
  private var products: [Float]
  private var keys: [UInt64]

  init(_ rows: [Float], count: Int, width: Int) {
    self.width = width
    self.rows = rows
    order = Array(0..<count)
    products = [Float](repeating: 0, count: count)
    keys = [UInt64](repeating: 0, count: count)
  }

  private static var blockCount: Int { Int(MK_BLOCK) }
  /// Iterations towards the direction in which rows differ most: near it is near enough.
  private static var iterationCount: Int { 5 }

  mutating func halve() {
    if width > 0 { halve(0..<order.count) }
  }

  /// The means of the blocks' rows, one after another.
  var middles: [Float] {
    stride(from: 0, to: order.count, by: Self.blockCount).flatMap {
      mean($0..<min($0 + Self.blockCount, order.count))
    }
  }

  private mutating func halve(_ range: Range<Int>) {
    let blocks = (range.count + Self.blockCount - 1) / Self.blockCount
    guard blocks > 1 else { return }
    project(range, on: direction(range))
    sort(range)
    let middle = range.lowerBound + blocks / 2 * Self.blockCount
    halve(range.lowerBound..<middle)
    halve(middle..<range.upperBound)
  }

  /// By power iteration, from the dimension in which rows differ most.
  private mutating func direction(_ range: Range<Int>) -> [Float] {
    let mean = mean(range)
    var squares = [Float](repeating: 0, count: width)
    for row in range {
      for dimension in 0..<width {
        let value = rows[row * width + dimension] - mean[dimension]
        squares[dimension] += value * value
      }
    }
    var direction = [Float](repeating: 0, count: width)
    direction[squares.indices.max { (squares[$0], $1) < (squares[$1], $0) } ?? 0] = 1
    for _ in 0..<Self.iterationCount {
      project(range, on: direction)
      let middle = (0..<width).reduce(Float(0)) { $0 + mean[$1] * direction[$1] }
      var next = [Float](repeating: 0, count: width)
      rows.withUnsafeBufferPointer { rows in
        guard let start = rows.baseAddress else { return }
        var sum: Float = 0
        for row in range {
          mk_add_scaled(start + row * width, products[row] - middle, width, &next)
          sum += products[row] - middle
        }
        mk_add_scaled(mean, -sum, width, &next)
      }
      let length = next.reduce(0) { $0 + $1 * $1 }.squareRoot()
      guard length > 0, length.isFinite else { return direction }
      direction = next.map { $0 / length }
    }
    return direction
  }

  private func mean(_ range: Range<Int>) -> [Float] {
    var sums = [Float](repeating: 0, count: width)
    for row in range { for dimension in 0..<width { sums[dimension] += rows[row * width + dimension] } }
    return sums.map { $0 / Float(max(1, range.count)) }
  }

  private mutating func project(_ range: Range<Int>, on direction: [Float]) {
    rows.withUnsafeBufferPointer { rows in
      products.withUnsafeMutableBufferPointer { products in
        guard let from = rows.baseAddress, let to = products.baseAddress else { return }
        mk_active().pointee.dot_floats(
          from + range.lowerBound * width, width, range.count, direction, width, to + range.lowerBound)
      }
    }
  }

  /// By their products, the largest first.
  private mutating func sort(_ range: Range<Int>) {
    for row in range { keys[row - range.lowerBound] = mk_key(products[row], UInt32(row - range.lowerBound)) }
    mk_sort_descending(&keys, range.count)
    let (rowsBefore, orderBefore) = (
      Array(rows[range.lowerBound * width..<range.upperBound * width]), Array(order[range])
    )
    for (place, key) in zip(range, keys) {
      let row = Int(mk_key_ordinal(key))
      order[place] = orderBefore[row]
      for dimension in 0..<width { rows[place * width + dimension] = rowsBefore[row * width + dimension] }
    }
  }
}
