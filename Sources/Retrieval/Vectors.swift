package import Base
internal import CKernels

/// One part's embeddings segment: a vector of halves for each ordinal, used in place.
///
///     HEAD  u32 × 4: dimensions, halves a row, titles, 0
///     ROWS  f16: a row for each ordinal, padded to 64 bytes
///
/// Guard for `@unchecked Sendable`: the pointer leads into the segment's mapping, which is kept and never changes.
package struct Vectors: VectorSource, @unchecked Sendable {
  package static let kind: SegmentTag = "EMBD"
  package static let formatVersion: UInt32 = 1

  package let count: Int
  package let dimensions: Int
  package let name: String
  let rowStride: Int
  private let segment: Segment
  private let rows: UnsafeBufferPointer<UInt16>

  /// `name` is how refusals call the segment. The rows are not read.
  package init(opening mapped: MappedBytes, name: String) throws(Refusal) {
    segment = try Segment(opening: mapped, name: name, kind: Self.kind, formatVersion: Self.formatVersion)
    self.name = name
    let head = try segment.array("HEAD", of: UInt32.self, count: 4)
    let place = "\(name) section HEAD"
    dimensions = Int(head[0])
    rowStride = Int(head[1])
    count = Int(head[2])
    guard (1...Limits.dimensionsMax).contains(dimensions) else {
      throw Refusal(.limitExceeded, at: place, "has vectors of \(dimensions) dimensions")
    }
    guard rowStride == Self.rowStride(dimensions: dimensions) else {
      throw Refusal(.unreadable, at: place, "has rows of \(rowStride) halves for \(dimensions) dimensions")
    }
    guard count <= Limits.titleCountMax else {
      throw Refusal(.limitExceeded, at: place, "has \(count) titles")
    }
    rows = try segment.array("ROWS", of: UInt16.self, count: count * rowStride)
  }

  /// Halves in a row: whole cache lines.
  static func rowStride(dimensions: Int) -> Int { (dimensions + 31) / 32 * 32 }

  /// Copies one title's vector to `vector`, which has `dimensions` floats.
  package func copy(_ ordinal: Int, to vector: UnsafeMutableBufferPointer<Float>) {
    precondition(vector.count >= dimensions, "the vector has room")
    guard let to = vector.baseAddress else { return }
    mk_active().pointee.floats_from_halves(row(ordinal), dimensions, to)
  }

  package func copy(_ ordinals: Range<Int>, into vectors: UnsafeMutableBufferPointer<Float>) {
    precondition(vectors.count >= ordinals.count * dimensions, "the vectors have room")
    guard let start = vectors.baseAddress else { return }
    let kernels = mk_active()
    for (index, ordinal) in ordinals.enumerated() {
      kernels.pointee.floats_from_halves(row(ordinal), dimensions, start + index * dimensions)
    }
  }

  /// Adds `weight` times one title's vector to `sum`, which has `dimensions` floats.
  package func add(_ ordinal: Int, weight: Float, to sum: UnsafeMutableBufferPointer<Float>) {
    precondition(sum.count >= dimensions, "the sum has room")
    guard let to = sum.baseAddress else { return }
    mk_active().pointee.add_halves(row(ordinal), weight, dimensions, to)
  }

  /// The inner product of one title's vector with `query`, which has `dimensions` floats.
  package func dot(_ ordinal: Int, _ query: UnsafeBufferPointer<Float>) -> Float {
    precondition(query.count >= dimensions, "the query is whole")
    guard let start = query.baseAddress else { return 0 }
    var product: Float = 0
    mk_active().pointee.dot_halves(row(ordinal), rowStride, 1, start, dimensions, &product)
    return product
  }

  /// The inner products of many titles' vectors with `query`; the caller has looked at the ordinals.
  func dots(
    _ ordinals: UnsafeBufferPointer<UInt32>, _ query: UnsafeBufferPointer<Float>,
    into products: UnsafeMutableBufferPointer<Float>
  ) {
    precondition(query.count >= dimensions, "the query is whole")
    guard let start = query.baseAddress, let to = products.baseAddress, let from = ordinals.baseAddress,
      let rows = rows.baseAddress
    else { return }
    mk_active().pointee.dot_halves_at(rows, rowStride, from, ordinals.count, start, dimensions, to)
  }

  /// The first of `dimensions` halves of a title.
  func row(_ ordinal: Int) -> UnsafePointer<UInt16> {
    precondition(ordinal >= 0 && ordinal < count, "an ordinal of this part")
    guard let start = rows.baseAddress else { preconditionFailure("a part with titles has rows") }
    return start + ordinal * rowStride
  }

  /// The first row, if there is one.
  var base: UnsafePointer<UInt16>? { rows.baseAddress }
}
