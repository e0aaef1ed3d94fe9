internal import Base
internal import CKernels

/// Writes an index segment: see ``VectorIndex`` for its sections.
struct IndexWriter {
  var centroids: Centroids
  var lists: Lists
  var probes: Int
  var curve: [(probes: Int, recall: Float)]

  func write(_ source: some VectorSource, to path: String, progress: (Double) -> Void) throws {
    let dimensions = source.dimensions
    let stride = VectorIndex.rowStride(dimensions: dimensions)
    let writer = try SegmentWriter(
      path: path, kind: VectorIndex.kind, formatVersion: VectorIndex.formatVersion)
    try writer.add(
      "HEAD",
      [
        UInt32(dimensions), UInt32(stride), UInt32(source.count), UInt32(centroids.count), UInt32(probes), 0,
        0, 0,
      ])
    try writer.add("CENT", centroids.values)
    let middles = VectorRows(centroids.values, dimensions: dimensions)
    let middleScales = try writeRows(
      middles, order: (0..<UInt32(centroids.count)).map { $0 }, section: "CEN8", to: writer
    ) { _ in }
    try writer.add("CSCL", middleScales)
    try writer.add("OFFS", lists.offsets)
    try writer.add("ORDN", lists.ordinals)
    let scales = try writeRows(source, order: lists.ordinals, section: "ROWS", to: writer, progress: progress)
    try writer.add("SCAL", scales)
    try writer.add("CURV", curve.flatMap { [Float($0.probes), $0.recall] })
    try writer.finish()
  }

  /// Writes the vectors in `order` as rows of bytes, and returns their scales.
  private func writeRows(
    _ source: some VectorSource, order: [UInt32], section: SegmentTag, to writer: SegmentWriter,
    progress: (Double) -> Void
  ) throws -> [Float] {
    let stride = VectorIndex.rowStride(dimensions: source.dimensions)
    let block = 4096
    var scales = [Float](repeating: 0, count: order.count)
    var vector = [Float](repeating: 0, count: source.dimensions)
    try writer.begin(section, elementByteCount: 1)
    for begin in Swift.stride(from: 0, to: order.count, by: block) {
      let end = min(order.count, begin + block)
      // Padding is the biased zero.
      var rows = [UInt8](repeating: 128, count: (end - begin) * stride)
      for place in begin..<end {
        let ordinal = Int(order[place])
        vector.withUnsafeMutableBufferPointer { source.copy(ordinal..<ordinal + 1, into: $0) }
        scales[place] = rows.withUnsafeMutableBufferPointer { rows in
          guard let to = rows.baseAddress else { return 0 }
          return mk_quantise(vector, source.dimensions, to + (place - begin) * stride)
        }
      }
      try writer.append(rows)
      progress(Double(end) / Double(order.count))
    }
    return scales
  }
}
