package import Base
internal import CKernels

/// Writes one part's embeddings segment, vector after vector, in the order of the ordinals.
package final class VectorsWriter {
  private let writer: SegmentWriter
  private let dimensions: Int
  private let path: String
  private var row: [UInt16]
  private var count = 0

  /// `dimensions` is 1 to ``Base/Limits/dimensionsMax``.
  package init(path: String, dimensions: Int) throws(DiskFault) {
    precondition((1...Limits.dimensionsMax).contains(dimensions), "a vector has 1 to 1024 dimensions")
    self.path = path
    self.dimensions = dimensions
    row = [UInt16](repeating: 0, count: Vectors.rowStride(dimensions: dimensions))
    writer = try SegmentWriter(path: path, kind: Vectors.kind, formatVersion: Vectors.formatVersion)
    try writer.begin("ROWS", elementByteCount: MemoryLayout<UInt16>.stride)
  }

  /// Appends the next ordinal's vector, rounded to halves. Search expects unit length; zeros are allowed.
  package func append(_ vector: UnsafeBufferPointer<Float>) throws(DiskFault) {
    precondition(vector.count == dimensions, "a vector has the dimensions of its segment")
    guard count < Limits.titleCountMax else {
      throw DiskFault(.failed, path: path, "has \(count) titles, as many as a generation may")
    }
    guard let start = vector.baseAddress else { return }
    row.withUnsafeMutableBufferPointer { row in
      guard let to = row.baseAddress else { return }
      mk_active().pointee.halves_from_floats(start, dimensions, to)
    }
    try writer.append(row)
    count += 1
  }

  package func append(_ vector: [Float]) throws(DiskFault) {
    let outcome: Result<Void, DiskFault> = vector.withUnsafeBufferPointer { buffer in
      do throws(DiskFault) {
        try append(buffer)
        return .success(())
      } catch {
        return .failure(error)
      }
    }
    try outcome.get()
  }

  package func finish() throws(DiskFault) {
    let head: [UInt32] = [UInt32(dimensions), UInt32(row.count), UInt32(count), 0]
    try writer.add("HEAD", head)
    try writer.finish()
  }
}
