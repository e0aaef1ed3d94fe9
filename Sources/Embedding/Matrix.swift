internal import CKernels

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

// Products of tall tables with small square matrices. Rows are taken in blocks of 1024, whose sums are added in
// order, so that a result is the same bits with any number of threads.

/// A matrix, packed for the kernel that multiplies rows by it.
struct PackedMatrix {
  private let panels: [Float]
  private let bias: [Float]
  let inputs: Int
  let columns: Int

  /// `values` are `inputs` rows of `columns`: row vector × matrix is what it does.
  init(_ values: [Float], inputs: Int, columns: Int) {
    precondition(values.count == inputs * columns)
    let padded = (columns + Int(MK_PANEL) - 1) / Int(MK_PANEL) * Int(MK_PANEL)
    var panels = [Float](repeating: 0, count: padded * inputs)
    mk_pack(values, columns, inputs, columns, &panels)
    self.panels = panels
    self.inputs = inputs
    self.columns = columns
    bias = [Float](repeating: 0, count: padded)
  }

  /// `count` rows of `from`, multiplied, to `to`. The two don't overlap.
  func multiply(_ from: UnsafePointer<Float>, _ count: Int, to: UnsafeMutablePointer<Float>) {
    mk_active().pointee.dense(from, inputs, count, inputs, panels, bias, columns, 0, to, columns)
  }
}

/// Every row of `from` times the matrix, to the same row of `to`.
func multiply(_ from: VectorTable, by matrix: PackedMatrix, to: VectorTable, threadCount: Int) {
  inParallel(from.count, threadCount: threadCount) { range in
    matrix.multiply(from.row(range.lowerBound), range.count, to: to.row(range.lowerBound))
  }
}

/// leftᵀ × right: sums over the rows of two tables, a row for each of left's dimensions.
func gram(_ left: VectorTable, _ right: VectorTable, threadCount: Int) -> [Float] {
  precondition(left.count == right.count)
  let size = left.dimensions * right.dimensions
  let blockCount = (left.count + 1023) / 1024
  // Sums of some blocks at a time, so that the memory doesn't grow with the rows.
  let turn = min(64, max(1, (16 << 20) / size), max(1, blockCount))
  let partial = VectorTable(count: turn, dimensions: size)
  var total = [Double](repeating: 0, count: size)
  for first in stride(from: 0, to: blockCount, by: turn) {
    let blocks = first..<min(blockCount, first + turn)
    inParallel(blocks.count * 1024, threadCount: threadCount) { range in
      let block = blocks.lowerBound + range.lowerBound / 1024
      let rows = block * 1024..<min(left.count, (block + 1) * 1024)
      gramOfBlock(left, right, rows, to: partial.row(block - blocks.lowerBound))
    }
    for block in 0..<blocks.count {
      let sums = partial.row(block)
      for index in 0..<size { total[index] += Double(sums[index]) }
    }
  }
  return total.map { Float($0) }
}

private func gramOfBlock(
  _ left: VectorTable, _ right: VectorTable, _ rows: Range<Int>, to sums: UnsafeMutablePointer<Float>
) {
  let (inputs, columns) = (left.dimensions, right.dimensions)
  let padded = (columns + Int(MK_PANEL) - 1) / Int(MK_PANEL) * Int(MK_PANEL)
  let scratch = VectorTable(count: 1, dimensions: (inputs + padded) * rows.count + padded)
  let transposed = scratch.row(0)
  let panels = transposed + inputs * rows.count
  let bias = panels + padded * rows.count
  for (column, row) in rows.enumerated() {
    let source = left.row(row)
    for index in 0..<inputs { transposed[index * rows.count + column] = source[index] }
  }
  mk_pack(right.row(rows.lowerBound), columns, rows.count, columns, panels)
  mk_active().pointee.dense(
    transposed, rows.count, inputs, rows.count, panels, bias, columns, 0, sums, columns)
}

/// The matrix that makes a table's columns orthonormal when its rows are multiplied by it, from the table's own
/// `gram`: the inverse of the Cholesky factor. A column that the ones before it explain becomes zero.
func orthonormaliser(_ gram: [Float], dimensions: Int) -> [Float] {
  var factor = gram.map { Double($0) }
  let largest = (0..<dimensions).map { factor[$0 * dimensions + $0] }.max() ?? 0
  var isDropped = [Bool](repeating: false, count: dimensions)
  // Upper factor R with gram = Rᵀ × R, in place.
  for row in 0..<dimensions {
    for column in row..<dimensions {
      var sum = factor[row * dimensions + column]
      for above in 0..<row where !isDropped[above] {
        sum -= factor[above * dimensions + row] * factor[above * dimensions + column]
      }
      factor[row * dimensions + column] = sum
    }
    let pivot = factor[row * dimensions + row]
    // Sums of floats can't tell less than this from nothing.
    guard pivot > largest * 1e-6, pivot > 0 else {
      isDropped[row] = true
      continue
    }
    let root = pivot.squareRoot()
    for column in row..<dimensions { factor[row * dimensions + column] /= root }
  }
  var inverse = [Float](repeating: 0, count: dimensions * dimensions)
  var solution = [Double](repeating: 0, count: dimensions)
  for column in 0..<dimensions where !isDropped[column] {
    for row in stride(from: column, through: 0, by: -1) {
      guard !isDropped[row] else {
        solution[row] = 0
        continue
      }
      var sum: Double = row == column ? 1 : 0
      if row < column {
        for after in (row + 1)...column { sum -= factor[row * dimensions + after] * solution[after] }
      }
      solution[row] = sum / factor[row * dimensions + row]
      inverse[row * dimensions + column] = Float(solution[row])
    }
  }
  return inverse
}
