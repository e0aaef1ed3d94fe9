internal import Base
internal import CKernels

/// Turns vectors so that their first coordinates say most.
struct Rotation {
  let dimensions: Int
  /// Axes as panels: see `mk_kernels.dense`.
  let panels: [Float]
  private let bias: [Float]

  /// `axes` are `dimensions` rows of as many floats, orthonormal.
  init(axes: [Float], dimensions: Int) {
    var panels = [Float](repeating: 0, count: Self.panelled(dimensions) * dimensions)
    mk_pack_transposed(axes, dimensions, dimensions, dimensions, &panels)
    self.init(panels: panels, dimensions: dimensions)
  }

  init(panels: [Float], dimensions: Int) {
    self.dimensions = dimensions
    self.panels = panels
    bias = [Float](repeating: 0, count: Self.panelled(dimensions))
  }

  /// Whole panels for so many dimensions.
  static func panelled(_ dimensions: Int) -> Int {
    (dimensions + Int(MK_PANEL) - 1) / Int(MK_PANEL) * Int(MK_PANEL)
  }

  /// Writes the first `count` coordinates of each of `rows` turned vectors to `out`, one row after another.
  func turn(_ vectors: UnsafePointer<Float>, rows: Int, count: Int, to out: UnsafeMutablePointer<Float>) {
    mk_active().pointee.dense(
      vectors, dimensions, rows, dimensions, panels, bias, count, 0, out, count)
  }
}

/// The first coordinates of turned vectors, as vectors.
struct HeadVectors<Source: VectorSource>: VectorSource {
  let source: Source
  let rotation: Rotation
  let dimensions: Int

  var count: Int { source.count }

  func copy(_ ordinals: Range<Int>, into rows: UnsafeMutableBufferPointer<Float>) {
    let capacity = ordinals.count * source.dimensions
    withUnsafeTemporaryAllocation(of: Float.self, capacity: max(capacity, 1)) { whole in
      source.copy(ordinals, into: whole)
      guard let from = whole.baseAddress, let to = rows.baseAddress else { return }
      rotation.turn(from, rows: ordinals.count, count: dimensions, to: to)
    }
  }
}

/// Some of a source's vectors, spread evenly over the ordinals by chance.
struct SampledVectors<Source: VectorSource>: VectorSource {
  let source: Source
  private let ordinals: [Int]

  init(_ source: Source, count: Int, seed: UInt64) {
    self.source = source
    var random = SplitMix(seed: seed)
    let count = min(count, source.count)
    ordinals = (0..<count).map { place in
      let low = place * source.count / count
      let high = (place + 1) * source.count / count
      return Int.random(in: low..<max(high, low + 1), using: &random)
    }
  }

  var count: Int { ordinals.count }
  var dimensions: Int { source.dimensions }

  func copy(_ places: Range<Int>, into rows: UnsafeMutableBufferPointer<Float>) {
    let dimensions = source.dimensions
    for (index, place) in places.enumerated() {
      let range = index * dimensions..<(index + 1) * dimensions
      let row = UnsafeMutableBufferPointer(rebasing: rows[range])
      source.copy(ordinals[place]..<ordinals[place] + 1, into: row)
      // A vector that isn't finite must not spoil every mean; assigning will name it.
      if !row.allSatisfy(\.isFinite) { row.update(repeating: 0) }
    }
  }
}
