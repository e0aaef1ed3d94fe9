import Base
import Testing

@testable import Embedding

@Suite struct ArithmeticTests {
  private func table(_ count: Int, _ dimensions: Int, seed: UInt64) -> VectorTable {
    var random = SplitMix(seed: seed)
    let table = VectorTable(count: count, dimensions: dimensions)
    for index in 0..<(count * dimensions) {
      table.rows[index] = Float(Int64(bitPattern: random.next()) >> 40) / Float(1 << 23)
    }
    return table
  }

  @Test(
    "a product over rows is the plain sum, around every block's end",
    arguments: [0, 1, 15, 1023, 1024, 1025, 2500])
  func gramOfTables(count: Int) {
    let (rowCount, columnCount) = (19, 33)
    let left = table(count, rowCount, seed: 1)
    let right = table(count, columnCount, seed: 2)
    let product = gram(left, right, threadCount: 2)
    #expect(product == gram(left, right, threadCount: 1))
    for row in 0..<rowCount {
      for column in 0..<columnCount {
        var sum = 0.0
        for index in 0..<count { sum += Double(left[index][row]) * Double(right[index][column]) }
        #expect(abs(Double(product[row * columnCount + column]) - sum) < 1e-3)
      }
    }
  }

  @Test("rows times a packed matrix are the plain products", arguments: [1, 7, 16, 17, 40], [3, 40, 100])
  func multiplied(columns: Int, inputs: Int) {
    let rows = table(70, inputs, seed: 3)
    let matrix = table(inputs, columns, seed: 4)
    let result = VectorTable(count: 70, dimensions: columns)
    let packed = PackedMatrix(Array(matrix.floats), inputs: inputs, columns: columns)
    multiply(rows, by: packed, to: result, threadCount: 1)
    for row in 0..<70 {
      for column in 0..<columns {
        var sum = 0.0
        for index in 0..<inputs { sum += Double(rows[row][index]) * Double(matrix[index][column]) }
        #expect(abs(Double(result[row][column]) - sum) < 1e-4)
      }
    }
  }

  @Test("columns come out orthonormal, and one that others explain comes out as nothing")
  func orthonormal() {
    let dimensions = 12
    let rows = table(500, dimensions, seed: 5)
    for index in 0..<500 { rows.rows[index * dimensions + 7] = rows[index][2] - 3 * rows[index][5] }
    let matrix = PackedMatrix(
      orthonormaliser(gram(rows, rows, threadCount: 1), dimensions: dimensions), inputs: dimensions,
      columns: dimensions)
    let result = VectorTable(count: 500, dimensions: dimensions)
    multiply(rows, by: matrix, to: result, threadCount: 1)
    let product = gram(result, result, threadCount: 1)
    for row in 0..<dimensions {
      for column in 0..<dimensions {
        let expected: Float = row == column && row != 7 ? 1 : 0
        #expect(abs(product[row * dimensions + column] - expected) < 1e-3)
      }
    }
  }

  @Test("nothing has no orthonormal columns and no strengths")
  func zeros() {
    let zeros = [Float](repeating: 0, count: 25)
    #expect(orthonormaliser(zeros, dimensions: 5) == zeros)
    #expect(eigen(zeros, dimensions: 5).values == [0, 0, 0, 0, 0])
  }

  @Test("eigenvectors make the matrix again, the strongest first", arguments: [1, 2, 5, 33])
  func eigenvectors(dimensions: Int) {
    let rows = table(60, dimensions, seed: 6)
    let matrix = gram(rows, rows, threadCount: 1)
    let (values, vectors) = eigen(matrix, dimensions: dimensions)
    #expect(values == values.sorted(by: >))
    for row in 0..<dimensions {
      for column in 0..<dimensions {
        var sum = 0.0
        for index in 0..<dimensions {
          sum += values[index] * vectors[row * dimensions + index] * vectors[column * dimensions + index]
        }
        #expect(abs(sum - Double(matrix[row * dimensions + column])) < 1e-3)
      }
    }
  }

  @Test("a unit vector is one, at any length, and nothing stays nothing", arguments: [1, 7, 8, 9, 128])
  func unit(count: Int) {
    let rows = table(1, count, seed: 7)
    let row = rows.row(0)
    #expect(normalise(row, count))
    #expect(abs(dot(row, row, count) - 1) < 1e-5)
    row.update(repeating: 0, count: count)
    #expect(!normalise(row, count) && rows[0].allSatisfy { $0 == 0 })
  }
}
