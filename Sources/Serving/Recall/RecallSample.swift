internal import Base
internal import Retrieval

/// One live search, copied: what was asked and what was found.
///
/// Of the generation it keeps nothing alive: one that nobody serves any more is not worth measuring.
final class RecallSample: Sendable {
  weak let generation: Generation?
  let query: [Float]
  let k: Int
  /// A bit for each ordinal: which might be found.
  let allowed: [UInt64]
  let allowedBitCount: Int
  let allowedCount: Int
  let found: [UInt32]

  init(
    _ query: UnsafeBufferPointer<Float>, k: Int, allowed: OrdinalFilter, found: some Sequence<UInt32>,
    in generation: Generation
  ) {
    self.generation = generation
    self.query = Array(query)
    self.k = k
    self.allowed = Array(UnsafeBufferPointer(start: allowed.words, count: (allowed.bitCount + 63) / 64))
    allowedBitCount = allowed.bitCount
    allowedCount = allowed.allowedCount
    self.found = Array(found)
  }
}
