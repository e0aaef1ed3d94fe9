internal import CKernels

/// Where the parts of an index lie, in a segment's mapping or in a builder's memory. Only pointers: whoever makes one
/// keeps what they lead to.
///
/// Titles lie list after list, each list in whole groups of 16; a slot is a title's place among them, and a list's last
/// group may have slots to spare.
///
/// Guard for `@unchecked Sendable`: what the pointers lead to doesn't change while the tables are in use.
struct IndexTables: @unchecked Sendable {
  var dimensions: Int
  /// Dimensions of a code: a multiple of 4.
  var head: Int
  /// Bytes of a row: a multiple of 64.
  var rowStride: Int
  var count: Int
  var listCount: Int
  var groupCount: Int
  /// The axes in panels.
  var rotation: UnsafePointer<Float>
  /// A step of each turned coordinate.
  var steps: UnsafePointer<Float>
  /// Centroids in groups, as codes.
  var centroids: UnsafePointer<UInt8>
  /// The first group of each list, and the end of the last.
  var offsets: UnsafePointer<UInt32>
  /// Titles in each list.
  var sizes: UnsafePointer<UInt32>
  var radii: UnsafePointer<Float>
  var codes: UnsafePointer<UInt8>
  var rows: UnsafePointer<UInt8>
  /// The ordinal of each slot.
  var ordinals: UnsafePointer<UInt32>

  /// Coordinates that the code speaks of.
  var headDimensions: Int { min(head, dimensions) }
  var slotCount: Int { groupCount * Int(MK_GROUP) }

  /// The first slot of a list.
  func slot(_ list: Int) -> Int { Int(offsets[list]) * Int(MK_GROUP) }

  /// The code of the group that begins at `slot`.
  func code(_ slot: Int) -> UnsafePointer<UInt8> { codes + slot * head }
}
