internal import Base

/// What travels to a replica that has one snapshot and wants another: by segment, and in all.
package struct SnapshotDiff: Sendable, Equatable {
  package enum Change: String, Sendable { case same, changed, added, removed }

  package struct Segment: Sendable, Equatable {
    package var key: SegmentKey
    package var change: Change
    /// Bytes of the segment in the newer snapshot; in the older one when it was removed.
    package var byteCount: UInt64
    /// Of these, bytes in chunks that the older snapshot has anywhere, or that occur earlier in the newer one.
    package var bytesShared: UInt64
    package var bytesToMove: UInt64
    package var chunksToMove: Int
  }

  /// In the newer manifest's order, then what was removed.
  package var segments: [Segment] = []

  package var byteCount: UInt64 {
    segments.reduce(0) { $0 + ($1.change == .removed ? 0 : $1.byteCount) }
  }
  package var bytesToMove: UInt64 { segments.reduce(0) { $0 + $1.bytesToMove } }
  package var bytesShared: UInt64 { byteCount - bytesToMove }

  package init(from older: Manifest, to newer: Manifest) {
    var known = Set(older.segments.flatMap(\.chunks).map(\.digest))
    let before = Dictionary(
      older.segments.map { ($0.key, $0.digest) }, uniquingKeysWith: { first, _ in first })
    for segment in newer.segments {
      let moving = segment.chunks.filter { known.insert($0.digest).inserted }
      let bytesToMove = moving.reduce(UInt64(0)) { $0 + UInt64($1.byteCount) }
      let change: Change =
        switch before[segment.key] {
        case nil: .added
        case segment.digest: .same
        default: .changed
        }
      segments.append(
        Segment(
          key: segment.key, change: change, byteCount: segment.byteCount,
          bytesShared: segment.byteCount - bytesToMove, bytesToMove: bytesToMove, chunksToMove: moving.count))
    }
    let kept = Set(newer.segments.map(\.key))
    for segment in older.segments where !kept.contains(segment.key) {
      segments.append(
        Segment(
          key: segment.key, change: .removed, byteCount: segment.byteCount, bytesShared: 0, bytesToMove: 0,
          chunksToMove: 0))
    }
  }
}
