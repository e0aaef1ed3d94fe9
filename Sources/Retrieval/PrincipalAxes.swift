internal import CKernels

/// The axes along which vectors differ most, from the eigenvectors of their second moment, and how much each holds.
///
/// The moment is not centred: what all vectors have in common matters to inner products, and gets an axis.
struct PrincipalAxes {
  let dimensions: Int
  /// `dimensions` rows of as many floats, orthonormal; the first axis holds most.
  let axes: [Float]
  /// The mean square of the vectors' products with each axis, falling.
  let energies: [Double]

  /// Reads all vectors of `sample`; those must be finite.
  init(_ sample: some VectorSource) {
    dimensions = sample.dimensions
    var symmetric = SymmetricMatrix(dimensions: dimensions, values: Self.moment(of: sample))
    symmetric.diagonalise()
    let order = (0..<sample.dimensions).sorted { symmetric.diagonal[$0] > symmetric.diagonal[$1] }
    energies = order.map { max(0, symmetric.diagonal[$0]) }
    axes = order.flatMap { symmetric.vector($0) }
  }

  /// How many axes are worth a place in the codes: a multiple of 4.
  ///
  /// Two vectors' product along an axis has about the axis's energy; what the left-out axes add to a score is noise
  /// for the scan that re-scoring takes away again. It may have 3 % of what the score itself varies by.
  var headCount: Int {
    let squares = energies.map { $0 * $0 }
    let total = squares.reduce(0, +)
    var left = total
    var count = 0
    while count < dimensions, left > total * 1e-3 {
      left -= squares[count]
      count += 1
    }
    return VectorIndex.headCount(count, dimensions: dimensions)
  }

  /// The sum of the vectors' outer products over their number. Added up in blocks of floats, then as doubles.
  private static func moment(of sample: some VectorSource) -> [Double] {
    let dimensions = sample.dimensions
    let panelled = (dimensions + Int(MK_PANEL) - 1) / Int(MK_PANEL) * Int(MK_PANEL)
    let block = 256
    var sums = [Double](repeating: 0, count: dimensions * dimensions)
    var rows = [Float](repeating: 0, count: block * dimensions)
    var turned = rows
    var panels = [Float](repeating: 0, count: block * panelled)
    let bias = [Float](repeating: 0, count: panelled)
    var products = [Float](repeating: 0, count: dimensions * dimensions)
    for begin in stride(from: 0, to: sample.count, by: block) {
      let count = min(block, sample.count - begin)
      rows.withUnsafeMutableBufferPointer { sample.copy(begin..<begin + count, into: $0) }
      for row in 0..<count {
        for dimension in 0..<dimensions {
          turned[dimension * count + row] = rows[row * dimensions + dimension]
        }
      }
      mk_pack(rows, dimensions, count, dimensions, &panels)
      mk_active().pointee.dense(
        turned, count, dimensions, count, panels, bias, dimensions, 0, &products, dimensions)
      for place in sums.indices { sums[place] += Double(products[place]) }
    }
    let share = 1 / Double(max(sample.count, 1))
    return sums.map { $0 * share }
  }
}

/// A symmetric matrix and, once it is diagonal, its eigenvectors.
///
/// Householder's reflections bring it to three diagonals, and implicit QL steps with Wilkinson's shift to one (Golub
/// and Van Loan, Matrix Computations, 8.3). Plain double arithmetic in one order: the same everywhere.
struct SymmetricMatrix {
  private(set) var diagonal: [Double]
  private var beside: [Double]
  private var values: [Double]
  /// Rows turn into eigenvectors.
  private var vectors: [Double]
  private let count: Int

  init(dimensions: Int, values: [Double]) {
    count = dimensions
    self.values = values
    diagonal = [Double](repeating: 0, count: dimensions)
    beside = diagonal
    vectors = [Double](repeating: 0, count: dimensions * dimensions)
    for place in 0..<dimensions { vectors[place * dimensions + place] = 1 }
  }

  func vector(_ index: Int) -> [Float] {
    vectors[index * count..<(index + 1) * count].map { Float($0) }
  }

  mutating func diagonalise() {
    for column in 0..<max(0, count - 2) { reflect(column) }
    for place in 0..<count {
      diagonal[place] = values[place * count + place]
      if place + 1 < count { beside[place] = values[place * count + place + 1] }
    }
    for place in 0..<count { settle(place) }
  }

  /// Clears a column below its second diagonal by a reflection, on both sides.
  private mutating func reflect(_ column: Int) {
    let first = column + 1
    var mirror = [Double](repeating: 0, count: count)
    var square = 0.0
    for row in first..<count {
      mirror[row] = values[row * count + column]
      square += mirror[row] * mirror[row]
    }
    let length = square.squareRoot()
    let target = mirror[first] > 0 ? -length : length
    square += (target - 2 * mirror[first]) * target
    mirror[first] -= target
    guard square > 0 else { return }
    let factor = 2 / square
    let count = self.count
    values.withUnsafeMutableBufferPointer { values in
      var moved = [Double](repeating: 0, count: count)
      var along = 0.0
      for row in column..<count {
        var sum = 0.0
        for other in first..<count { sum += values[row * count + other] * mirror[other] }
        moved[row] = factor * sum
        along += moved[row] * mirror[row]
      }
      for row in column..<count { moved[row] -= factor / 2 * along * mirror[row] }
      for row in column..<count {
        for other in column..<count {
          values[row * count + other] -= mirror[row] * moved[other] + moved[row] * mirror[other]
        }
      }
    }
    vectors.withUnsafeMutableBufferPointer { vectors in
      var sum = [Double](repeating: 0, count: count)
      for row in first..<count {
        for place in 0..<count { sum[place] += mirror[row] * vectors[row * count + place] }
      }
      for row in first..<count {
        let weight = factor * mirror[row]
        for place in 0..<count { vectors[row * count + place] -= weight * sum[place] }
      }
    }
  }

  /// Turns planes until the value beside `place` is nothing, or has had its chances: three a value are the rule.
  private mutating func settle(_ place: Int) {
    for _ in 0..<100 {
      var end = place
      while end + 1 < count, !isNothing(end) { end += 1 }
      guard end > place else { return }
      chase(from: end, to: place)
    }
  }

  private func isNothing(_ place: Int) -> Bool {
    abs(beside[place]) <= (abs(diagonal[place]) + abs(diagonal[place + 1])) * 0x1p-53
  }

  /// One implicit QL step on the block `place...end`.
  private mutating func chase(from end: Int, to place: Int) {
    let slope = (diagonal[place + 1] - diagonal[place]) / (2 * beside[place])
    let size = (slope * slope + 1).squareRoot()
    var bulge = diagonal[end] - diagonal[place] + beside[place] / (slope + (slope < 0 ? -size : size))
    var (sine, cosine, shift) = (1.0, 1.0, 0.0)
    for row in stride(from: end - 1, through: place, by: -1) {
      let (out, kept) = (sine * beside[row], cosine * beside[row])
      let length = (out * out + bulge * bulge).squareRoot()
      beside[row + 1] = length
      guard length > 0 else {
        diagonal[row + 1] -= shift
        beside[end] = 0
        return
      }
      sine = out / length
      cosine = bulge / length
      let low = diagonal[row + 1] - shift
      let turn = (diagonal[row] - low) * sine + 2 * cosine * kept
      shift = sine * turn
      diagonal[row + 1] = low + shift
      bulge = cosine * turn - kept
      rotate(row, sine: sine, cosine: cosine)
    }
    diagonal[place] -= shift
    beside[place] = bulge
    beside[end] = 0
  }

  private mutating func rotate(_ row: Int, sine: Double, cosine: Double) {
    let count = self.count
    vectors.withUnsafeMutableBufferPointer { vectors in
      for place in row * count..<(row + 1) * count {
        let (upper, lower) = (vectors[place], vectors[place + count])
        vectors[place + count] = sine * upper + cosine * lower
        vectors[place] = cosine * upper - sine * lower
      }
    }
  }
}
