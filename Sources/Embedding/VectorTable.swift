/// Owns rows of floats in one block of memory, `count` × `dimensions`; frees it in `deinit`.
///
/// Guard for `@unchecked Sendable`: rows are written only by the code of this room that makes the table, each by one
/// thread, before anybody else has it.
package final class VectorTable: @unchecked Sendable {
  package let count: Int
  package let dimensions: Int
  let rows: UnsafeMutablePointer<Float>

  /// All zeros.
  init(count: Int, dimensions: Int) {
    precondition(count >= 0 && dimensions > 0)
    self.count = count
    self.dimensions = dimensions
    let block = UnsafeMutableRawPointer.allocate(
      byteCount: max(1, count * dimensions) * MemoryLayout<Float>.stride, alignment: 64)
    rows = block.bindMemory(to: Float.self, capacity: max(1, count * dimensions))
    rows.initialize(repeating: 0, count: count * dimensions)
  }

  deinit { rows.deallocate() }

  /// Every row, one after another.
  package var floats: UnsafeBufferPointer<Float> {
    UnsafeBufferPointer(start: rows, count: count * dimensions)
  }

  package subscript(row: Int) -> UnsafeBufferPointer<Float> {
    precondition((0..<count).contains(row))
    return UnsafeBufferPointer(start: rows + row * dimensions, count: dimensions)
  }

  func row(_ index: Int) -> UnsafeMutablePointer<Float> { rows + index * dimensions }
}
