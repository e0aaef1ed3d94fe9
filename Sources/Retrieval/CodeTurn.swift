internal import CKernels

/// The turned dimensions in which codes tell where titles lie, in groups of one code each.
///
/// Groups are chosen so that what is lost of inner products is least: one dimension where queries and residuals, the vectors
/// from centroids to titles, both are large, many where they aren't, and the least are left out.
struct CodeTurn {
  let dimensions: Int
  /// Turned dimensions of each code: two neighbours are a pair, one with much to tell beside one with little.
  private(set) var widths: [UInt16] = []
  /// A row of `dimensions` floats for each turned dimension, group after group: orthogonal and of unit length.
  private(set) var rows: [Float] = []
  private var panels: [Float] = []

  var pairCount: Int { widths.count / 2 }
  /// Turned dimensions.
  var count: Int { rows.count / dimensions }

  /// `residuals` are rows of a sample; `centroids`, weighted by their titles, stand for queries.
  ///
  /// `pairCount` `nil` takes as many pairs of codes as pay.
  init(residuals: [Float], centroids: Centroids, sizes: [Int], pairCount: Int?) {
    dimensions = centroids.dimensions
    let whole = Turn(residuals, dimensions: dimensions)
    let spread = Self.spread(whole.turned(residuals), weights: nil, dimensions: dimensions)
    let energy = Self.spread(whole.turned(centroids.values), weights: sizes, dimensions: dimensions)
    // A query is a mean of some titles: it has a part of their spread too.
    let importance = (0..<dimensions).map { spread[$0] * (energy[$0] + spread[$0] / 10) + 1e-12 }
    let order = (0..<dimensions).sorted { (importance[$0], $1) > (importance[$1], $0) }
    let groups = CodeGroups(order.map { importance[$0] }, pairCount: pairCount).ranges
    let half = groups.count / 2
    for place in groups.indices {
      let group = groups[place % 2 == 0 ? place / 2 : 2 * half - 1 - place / 2]
      widths.append(UInt16(group.count))
      for dimension in order[group] {
        rows += whole.rows[dimension * dimensions..<(dimension + 1) * dimensions]
      }
    }
    panels = [Float](repeating: 0, count: paddedCount * dimensions)
    mk_pack_transposed(rows, dimensions, dimensions, count, &panels)
  }

  private var paddedCount: Int { (count + Int(MK_PANEL) - 1) / Int(MK_PANEL) * Int(MK_PANEL) }

  /// `rowCount` vectors, turned into rows of `count`.
  func turn(
    _ vectors: UnsafePointer<Float>, rowCount: Int, into out: UnsafeMutablePointer<Float>
  ) {
    let zeros = [Float](repeating: 0, count: paddedCount)
    mk_active().pointee.dense(vectors, dimensions, rowCount, dimensions, panels, zeros, count, 0, out, count)
  }

  /// Mean squares of each dimension.
  private static func spread(_ rows: [Float], weights: [Int]?, dimensions: Int) -> [Float] {
    var sums = [Float](repeating: 0, count: dimensions)
    var total: Float = 0
    for row in 0..<rows.count / dimensions {
      let weight = Float(weights?[row] ?? 1)
      total += weight
      for dimension in 0..<dimensions {
        let value = rows[row * dimensions + dimension]
        sums[dimension] += weight * value * value
      }
    }
    return sums.map { $0 / max(total, 1) }
  }
}
