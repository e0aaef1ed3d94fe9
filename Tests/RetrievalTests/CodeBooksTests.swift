import Base
import Testing

@testable import Retrieval

@Suite("Code books")
struct CodeBooksTests {
  @Test("groups are whole, even in number, and as many as pay", arguments: [1, 2, 3, 16, 100])
  func groups(dimensions: Int) {
    let falling = (0..<dimensions).map { 1 / Float(($0 + 1) * ($0 + 1)) }
    for importance in [falling, [Float](repeating: 1, count: dimensions)] {
      let ranges = CodeGroups(importance, pairCount: nil).ranges
      #expect(ranges.count % 2 == 0 && ranges.first?.lowerBound == 0)
      #expect((ranges.last?.upperBound ?? 0) <= dimensions)
      for (left, right) in zip(ranges, ranges.dropFirst()) { #expect(left.upperBound == right.lowerBound) }
    }
    #expect(CodeGroups(falling, pairCount: 3).ranges.count == 6)
  }

  @Test("where few dimensions matter few codes are taken, and those that don't are left out")
  func fewDimensions() {
    let importance = (0..<64).map { $0 < 4 ? Float(1) : 1e-6 }
    let few = CodeGroups(importance, pairCount: nil).ranges
    let flat = CodeGroups([Float](repeating: 1, count: 64), pairCount: nil).ranges
    #expect(few.count <= 6 && flat.count == 32)
    #expect(few.prefix(4).allSatisfy { $0.count == 1 })
  }

  @Test("a turn is orthogonal, and brings what varies to the front")
  func turn() {
    var random = SplitMix(seed: 5)
    // Two directions that are no axes have nearly everything.
    let directions = [unit([1, 2, 3, 4, 5, 6]), unit([6, -1, 2, -5, 1, -1])]
    var values: [Float] = []
    for _ in 0..<400 {
      let (a, b) = (Float.random(in: -2...2, using: &random), Float.random(in: -1...1, using: &random))
      values += (0..<6).map {
        a * directions[0][$0] + b * directions[1][$0] + Float.random(in: -0.01...0.01, using: &random)
      }
    }
    let turn = Turn(values, dimensions: 6)
    for left in 0..<6 {
      for right in 0..<6 {
        let product = (0..<6).reduce(Float(0)) { $0 + turn.rows[left * 6 + $1] * turn.rows[right * 6 + $1] }
        #expect(abs(product - (left == right ? 1 : 0)) < 1e-4)
      }
    }
    let turned = turn.turned(values)
    let energy = (0..<6).map { dimension in
      (0..<400).reduce(Float(0)) { $0 + turned[$1 * 6 + dimension] * turned[$1 * 6 + dimension] }
    }
    #expect(energy[0] > energy[1] && energy[1] > 100 * energy[2])
  }

  @Test("a turn of zeros is still one")
  func emptyTurn() {
    let turn = Turn([Float](repeating: 0, count: 20), dimensions: 4)
    #expect(turn.rows == [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1])
  }

  @Test("codes tell most of a residual's products")
  func encode() {
    let dimensions = 16
    let values = clustered(2000, dimensions: dimensions, clusters: 1)
    let centroids = Centroids([Float](repeating: 0.1, count: dimensions), dimensions: dimensions)
    let turn = CodeTurn(residuals: values, centroids: centroids, sizes: [2000], pairCount: 8)
    #expect(turn.pairCount == 8 && turn.widths.reduce(0) { $0 + Int($1) } == turn.count)
    var turned = [Float](repeating: 0, count: 2000 * turn.count)
    turn.turn(values, rowCount: 2000, into: &turned)
    let books = CodeBooks(turn, sample: turned, seed: 1)
    let codes = books.encode(turned, count: 2000)
    #expect(codes.count == 2000 * 16 && codes.allSatisfy { $0 < 16 })
    let query = unit((0..<dimensions).map { Float($0 % 5) - 2 })
    var (loss, all) = (Float(0), Float(0))
    for row in 0..<2000 {
      let exact = (0..<dimensions).reduce(Float(0)) { $0 + query[$1] * values[row * dimensions + $1] }
      var told: Float = 0
      var first = 0
      for (group, width) in turn.widths.enumerated() {
        for dimension in first..<first + Int(width) {
          let across = (0..<dimensions).reduce(Float(0)) {
            $0 + query[$1] * turn.rows[dimension * dimensions + $1]
          }
          told += across * books.book[dimension * 16 + Int(codes[group * 2000 + row])]
        }
        first += Int(width)
      }
      loss += (exact - told) * (exact - told)
      all += exact * exact
    }
    #expect(loss < 0.15 * all)
  }

  @Test("a row's step is the least that it fits into")
  func rowSteps() {
    let steps = RowSteps([0.1, 0, 0.7, 0.35])
    #expect(steps.values == steps.values.sorted() && steps.values[255] == Float(Double(Float(0.7)) / 127))
    for magnitude in [Float(0.1), 0.2, 0.35, 0.7] {
      let index = Int(steps.index(magnitude))
      #expect(steps.values[index] * 127 >= magnitude * 0.9999)
      if index > 0 { #expect(steps.values[index - 1] * 127 < magnitude) }
    }
    #expect(steps.index(0) == 0)
    #expect(RowSteps([0, 0]).values.allSatisfy { $0 == 0 })
    #expect(RowSteps([]).values.count == 256)
  }
}
