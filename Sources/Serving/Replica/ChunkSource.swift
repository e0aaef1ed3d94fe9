package import Base

/// Where a replica gets chunks from: its region's peers, and the control node.
package protocol ChunkSource: Sendable {
  /// Asks for chunks, at most `Replica.windowCountMax` of together `Replica.windowByteCountMax` bytes at a time. The
  /// stream ends when all have come, or when no more will from there: with a connection that broke they simply don't
  /// come. What comes is verified by the caller.
  func fetch(_ digests: [Digest], from origin: ChunkOrigin) -> AsyncStream<FetchedChunk>
}

package enum ChunkOrigin: Sendable, Equatable {
  /// A replica of the same region, `host:port`.
  case peer(String)
  case control
}

package struct FetchedChunk: Sendable {
  package var digest: Digest
  /// `nil` when who was asked says that it hasn't got it.
  package var bytes: [UInt8]?

  package init(digest: Digest, bytes: [UInt8]?) {
    self.digest = digest
    self.bytes = bytes
  }
}
