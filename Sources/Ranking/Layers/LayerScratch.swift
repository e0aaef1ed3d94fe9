internal import CKernels

/// What one worker thread needs to score with layers. Grows for a wider model, and stays.
final class LayerScratch {
  /// Rows between two layers: what they leave behind stays in the second cache.
  static let rowCount = 120

  private var width = 0
  private(set) var firstBytes: UnsafeMutablePointer<UInt8> = .allocate(capacity: 64)
  private(set) var secondBytes: UnsafeMutablePointer<UInt8> = .allocate(capacity: 64)
  private(set) var firstFloats: UnsafeMutablePointer<Float> = .allocate(capacity: 64)
  private(set) var secondFloats: UnsafeMutablePointer<Float> = .allocate(capacity: 64)

  deinit { free() }

  private func free() {
    firstBytes.deallocate()
    secondBytes.deallocate()
    firstFloats.deallocate()
    secondFloats.deallocate()
  }

  /// Room for rows of so many values, features or outputs.
  func reserve(width wanted: Int) {
    guard wanted > width else { return }
    free()
    width = LayerPadding.row(wanted)
    let count = width * LayerPadding.rows(Self.rowCount)
    firstBytes = .allocate(capacity: count)
    secondBytes = .allocate(capacity: count)
    // Ends of rows meet weights of zero, but are read.
    firstBytes.initialize(repeating: 0, count: count)
    secondBytes.initialize(repeating: 0, count: count)
    firstFloats = .allocate(capacity: count)
    secondFloats = .allocate(capacity: count)
  }
}
