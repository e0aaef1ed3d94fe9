/// The limits of everything that grows, in one place, with their arithmetic. Reaching one is a clear error or a rung.
package enum Limits {
  /// A title's, profile's, request's or surface's id.
  package static let idByteCountMax = 128
  /// Titles in one generation. Ordinals are 32 bits; ten million titles are what the index is sized for.
  package static let titleCountMax = 16_000_000
  package static let dimensionsMax = 1024
  /// Candidates of one request: 500 are the rule, room for the other sources beside them.
  package static let candidateCountMax = 2048
  /// Rows in a reply, and titles in a row: 16 × 100 titles of about 60 bytes are 96 KB, far below a message's limit.
  package static let rowCountMax = 16
  package static let titlesPerRowMax = 100
  /// Events kept of one profile for serving: what the vector and the rows need. 100 × 40 bytes are 4 KB a profile.
  package static let recentEventCountMax = 100
  /// Titles that a profile has seen to the end and that are remembered when their events are gone, so that they aren't
  /// offered again. 500 × 32 bytes are 16 KB for those who have seen as many.
  package static let finishedTitleCountMax = 500
  /// Events in one Record message. 1,000 × 300 bytes are 300 KB, below a message's 4 MiB.
  package static let eventsPerMessageMax = 1000
  /// A manifest. A segment of 600 MB in chunks of 64 KiB is 9,600 chunks of 36 bytes: 350 KB. Ten times that fit.
  package static let manifestByteCountMax = 4_000_000
  package static let segmentCountMax = 32
  package static let segmentByteCountMax: UInt64 = 64 << 30
  /// Chunks are cut by content between these.
  package static let chunkByteCountMin = 16 << 10
  package static let chunkByteCountTarget = 64 << 10
  package static let chunkByteCountMax = 256 << 10
  /// Snapshots that a replica keeps beside the live one, for rollback.
  package static let generationCountMax = 3
  package static let refusedVersionCountMax = 64
  /// A publish that sends nothing for this long is ended: one goes on at a time, and others wait for it.
  package static let publishSilenceSeconds: UInt64 = 30
  package static let regionCountMax = 64
  package static let replicaCountMax = 1024
}
