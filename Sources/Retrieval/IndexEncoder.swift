internal import CKernels

/// One part's codes, rows and ordinals in memory, before they are written.
final class EncodedTitles {
  let sizes: [UInt32]
  let offsets: [UInt32]
  let ordinals: [UInt32]
  let codes: UnsafeMutableRawBufferPointer
  let rows: UnsafeMutableRawBufferPointer

  /// The head's dimensions are those of `steps` up to `head`.
  init(
    _ source: some VectorSource, lists: [UInt32], listCount: Int, rotation: Rotation, steps: [Float],
    head: Int, threads: Int, progress: (Double) -> Void
  ) {
    let group = Int(MK_GROUP)
    var sizes = [UInt32](repeating: 0, count: listCount)
    for list in lists { sizes[Int(list)] += 1 }
    var offsets: [UInt32] = [0]
    for size in sizes {
      offsets.append(offsets[offsets.count - 1] + (size + UInt32(group) - 1) / UInt32(group))
    }
    let slotCount = Int(offsets[listCount]) * group
    // Titles of a list in the order of their ordinals.
    var next = offsets.map { $0 * UInt32(group) }
    var ordinals = [UInt32](repeating: .max, count: slotCount)
    var slots = [UInt32](repeating: 0, count: lists.count)
    for (ordinal, list) in lists.enumerated() {
      slots[ordinal] = next[Int(list)]
      ordinals[Int(next[Int(list)])] = UInt32(ordinal)
      next[Int(list)] += 1
    }
    self.sizes = sizes
    self.offsets = offsets
    self.ordinals = ordinals
    let stride = VectorIndex.rowStride(dimensions: source.dimensions)
    codes = .allocate(byteCount: slotCount * head, alignment: 64)
    rows = .allocate(byteCount: slotCount * stride, alignment: 64)
    // Padding is the biased zero.
    codes.initializeMemory(as: UInt8.self, repeating: 128)
    rows.initializeMemory(as: UInt8.self, repeating: 128)
    let inverse = steps.map { $0 > 0 ? 1 / $0 : 0 }.map { $0.isFinite ? $0 : 0 }
    let (dimensions, codeStart, rowStart) = (source.dimensions, codes.baseAddress, rows.baseAddress)
    forEachTurnedBlock(of: source, rotation: rotation, threads: threads, progress: progress) {
      turned, range, _ in
      guard let codeStart, let rowStart else { return }
      for (index, ordinal) in range.enumerated() {
        let slot = Int(slots[ordinal])
        mk_encode(
          turned + index * dimensions, dimensions, head, inverse,
          codeStart.assumingMemoryBound(to: UInt8.self) + slot / group * group * head, slot % group,
          rowStart.assumingMemoryBound(to: UInt8.self) + slot * stride)
      }
    }
  }

  deinit {
    codes.deallocate()
    rows.deallocate()
  }

  var largestSize: Int { Int(sizes.max() ?? 0) }
}

/// The middles of lists and how far lists reach, as a segment has them.
struct EncodedLists {
  let centroids: Centroids
  let head: Int
  let radii: [Float]
  /// A step of each turned coordinate: 1/127 of the largest.
  let steps: [Float]
  let rotation: Rotation
  /// Centroids in groups.
  let codes: [UInt8]

  init(centroids: Centroids, head: Int, radii: [Float], steps: [Float], rotation: Rotation) {
    self.centroids = centroids
    self.head = head
    self.radii = radii
    self.steps = steps
    self.rotation = rotation
    let group = Int(MK_GROUP)
    let inverse = steps.map { $0 > 0 ? 1 / $0 : 0 }.map { $0.isFinite ? $0 : 0 }
    let groupCount = (centroids.count + group - 1) / group
    var codes = [UInt8](repeating: 128, count: groupCount * group * head)
    var row = [UInt8](repeating: 0, count: centroids.dimensions)
    codes.withUnsafeMutableBufferPointer { codes in
      centroids.values.withUnsafeBufferPointer { values in
        guard let to = codes.baseAddress, let from = values.baseAddress else { return }
        for list in 0..<centroids.count {
          mk_encode(
            from + list * centroids.dimensions, centroids.dimensions, head, inverse,
            to + list / group * group * head, list % group, &row)
        }
      }
    }
    self.codes = codes
  }

  /// Steps that leave a sixteenth above the largest coordinate of a part, for what its tail may bring.
  static func steps(largest: [Float]) -> [Float] { largest.map { $0 * (17.0 / 16) / 127 } }
}
