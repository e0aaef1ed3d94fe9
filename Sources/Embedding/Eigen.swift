/// Eigenvalues and -vectors of a symmetric matrix by Jacobi's rotations (1846), the largest value first.
///
/// `vectors` has one in each column, rows after rows. Cyclic sweeps until what is off the diagonal is nothing beside
/// it, 30 at most: a matrix of 128 takes about eight.
func eigen(_ matrix: [Float], dimensions count: Int) -> (values: [Double], vectors: [Double]) {
  // The two halves differ by rounding; their mean is symmetric.
  var a = [Double](repeating: 0, count: count * count)
  for row in 0..<count {
    for column in 0..<count {
      a[row * count + column] =
        (Double(matrix[row * count + column]) + Double(matrix[column * count + row])) / 2
    }
  }
  // Rows of `v` are the vectors: rotating two rows is two runs through memory.
  var v = [Double](repeating: 0, count: count * count)
  for index in 0..<count { v[index * count + index] = 1 }
  let size = a.reduce(0) { $0 + $1 * $1 }
  a.withUnsafeMutableBufferPointer { a in
    v.withUnsafeMutableBufferPointer { v in
      for _ in 0..<30 {
        var off = 0.0
        for row in 0..<count {
          for column in 0..<row { off += a[row * count + column] * a[row * count + column] }
        }
        guard off > size * 1e-18 else { return }
        for p in 0..<count {
          for q in (p + 1)..<max(count, p + 1) { rotate(&a, &v, p, q, count, least: size * 1e-24) }
        }
      }
    }
  }
  let order = (0..<count).sorted { (-a[$0 * count + $0], $0) < (-a[$1 * count + $1], $1) }
  var vectors = [Double](repeating: 0, count: count * count)
  for (column, source) in order.enumerated() {
    // One sign, so that the same matrix gives the same vectors however it was rotated.
    let row = v[source * count..<(source + 1) * count]
    let largest = row.max { abs($0) < abs($1) } ?? 1
    let sign: Double = largest < 0 ? -1 : 1
    for (index, value) in row.enumerated() { vectors[index * count + column] = value * sign }
  }
  return (order.map { a[$0 * count + $0] }, vectors)
}

/// Turns the plane of axes `p` and `q` so that the matrix has nothing between them.
private func rotate(
  _ a: inout UnsafeMutableBufferPointer<Double>, _ v: inout UnsafeMutableBufferPointer<Double>, _ p: Int,
  _ q: Int, _ count: Int, least: Double
) {
  let between = a[p * count + q]
  guard between * between > least else { return }
  let ratio = (a[q * count + q] - a[p * count + p]) / (2 * between)
  let tangent = (ratio >= 0 ? 1 : -1) / (abs(ratio) + (ratio * ratio + 1).squareRoot())
  let cosine = 1 / (tangent * tangent + 1).squareRoot()
  let sine = tangent * cosine
  for index in 0..<count {
    let x = a[p * count + index]
    let y = a[q * count + index]
    a[p * count + index] = cosine * x - sine * y
    a[q * count + index] = sine * x + cosine * y
    let s = v[p * count + index]
    let t = v[q * count + index]
    v[p * count + index] = cosine * s - sine * t
    v[q * count + index] = sine * s + cosine * t
  }
  for index in 0..<count {
    let x = a[index * count + p]
    let y = a[index * count + q]
    a[index * count + p] = cosine * x - sine * y
    a[index * count + q] = sine * x + cosine * y
  }
}
