import Base
import Testing

@testable import Retrieval

@Suite("Principal axes")
struct PrincipalAxesTests {
  @Test(
    "axes are orthonormal, and energies are the moments along them, falling", arguments: [1, 2, 3, 17, 64])
  func axes(dimensions: Int) {
    let values = clustered(500, dimensions: dimensions)
    let axes = PrincipalAxes(VectorRows(values, dimensions: dimensions))
    let row = { (index: Int) in axes.axes[index * dimensions..<(index + 1) * dimensions] }
    for left in 0..<dimensions {
      for right in 0...left {
        let product = zip(row(left), row(right)).reduce(0) { $0 + Double($1.0) * Double($1.1) }
        #expect(abs(product - (left == right ? 1 : 0)) < 1e-5)
      }
      let energy = (0..<500).reduce(0.0) { sum, title in
        let product = zip(row(left), values[title * dimensions..<(title + 1) * dimensions])
          .reduce(0) { $0 + Double($1.0) * Double($1.1) }
        return sum + product * product / 500
      }
      #expect(abs(energy - axes.energies[left]) < 1e-4)
    }
    #expect(axes.energies == axes.energies.sorted(by: >))
  }

  @Test("vectors that lie in few dimensions get short codes, and those that fill all of them get long ones")
  func headCount() {
    var random = SplitMix(seed: 4)
    let noise = { (scale: Float) in Float.random(in: -scale...scale, using: &random) }
    let flat = (0..<2000).flatMap { _ in unit((0..<32).map { _ in noise(1) }) }
    #expect(PrincipalAxes(VectorRows(flat, dimensions: 32)).headCount == 32)
    let thin = (0..<2000).flatMap { _ in unit((0..<32).map { noise($0 % 5 == 0 ? 1 : 0.03) }) }
    #expect(PrincipalAxes(VectorRows(thin, dimensions: 32)).headCount == 8)
    #expect(PrincipalAxes(VectorRows([Float](repeating: 0, count: 50), dimensions: 5)).headCount == 4)
  }

  @Test("a matrix that is diagonal already, or of one rank, is diagonalised too")
  func special() {
    var diagonal = SymmetricMatrix(dimensions: 3, values: [3, 0, 0, 0, 1, 0, 0, 0, 2])
    diagonal.diagonalise()
    #expect(diagonal.diagonal.sorted() == [1, 2, 3])
    var ones = SymmetricMatrix(dimensions: 4, values: [Double](repeating: 1, count: 16))
    ones.diagonalise()
    #expect(zip(ones.diagonal.sorted(), [0, 0, 0, 4]).allSatisfy { abs($0 - $1) < 1e-12 })
  }
}
