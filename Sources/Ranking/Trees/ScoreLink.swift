#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// What a model's objective makes of the sums of its trees, or of a network's last values.
package struct ScoreLink: Sendable, Equatable {
  package enum Form: UInt32, Sendable, CaseIterable {
    case identity = 0
    /// One over one plus the exponential of minus `factor` times the sum.
    case sigmoid = 1
    case exponential = 2
    /// The square with the sum's sign: labels were trained as square roots.
    case signedSquare = 3
    /// The logarithm of one plus the exponential.
    case softplus = 4
    /// Over all outputs of a row.
    case softmax = 5
    /// 1 above zero, else 0.
    case step = 6
  }

  package var form: Form
  package var factor: Double
  /// The arithmetic is that of floats, as XGBoost has it.
  package var isFloat: Bool

  package init(_ form: Form, factor: Double = 1, isFloat: Bool = false) {
    self.form = form
    self.factor = factor
    self.isFloat = isFloat
  }

  /// One row's sums in place.
  func apply(_ row: UnsafeMutableBufferPointer<Double>) {
    guard form != .softmax else { return softmax(row) }
    for index in row.indices { row[index] = isFloat ? Double(value(Float(row[index]))) : value(row[index]) }
  }

  private func value(_ sum: Double) -> Double {
    switch form {
    case .identity, .softmax: sum
    case .sigmoid: 1 / (1 + exp(-factor * sum))
    case .exponential: exp(sum)
    case .signedSquare: sum < 0 ? -(sum * sum) : sum * sum
    case .softplus: log1p(exp(sum))
    case .step: sum > 0 ? 1 : 0
    }
  }

  private func value(_ sum: Float) -> Float {
    switch form {
    // Above 88.7 the exponential of a float is infinite.
    case .sigmoid: 1 / (expf(min(-sum, 88.7)) + 1)
    case .exponential: expf(sum)
    default: Float(value(Double(sum)))
    }
  }

  private func softmax(_ row: UnsafeMutableBufferPointer<Double>) {
    guard let largest = row.max() else { return }
    if isFloat {
      var sum = 0.0
      for index in row.indices {
        let share = expf(Float(row[index]) - Float(largest))
        sum += Double(share)
        row[index] = Double(share)
      }
      for index in row.indices { row[index] = Double(Float(row[index]) / Float(sum)) }
    } else {
      var sum = 0.0
      for index in row.indices {
        row[index] = exp(row[index] - largest)
        sum += row[index]
      }
      for index in row.indices { row[index] /= sum }
    }
  }
}
