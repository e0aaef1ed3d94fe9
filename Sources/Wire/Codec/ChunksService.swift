package import Base

/// `Chunks`: pieces of snapshots by their digest.
package enum ChunksService {
  /// `fetch` gives a chunk's bytes, or `nil` when it isn't here.
  package static func methods(
    fetch: @escaping @Sendable (Digest, ServerCall) async throws -> [UInt8]?
  ) -> [RPCMethod] {
    [
      .streaming(.fetchChunks) { call, requests, writer in
        for digest in try ChunkCodec.decodeRequest(try await requests.only()) {
          let chunk = ChunkReply(digest: digest, data: try await fetch(digest, call))
          try await writer.send(ChunkCodec.encode(chunk))
        }
      }
    ]
  }
}

/// Calls `Chunks`.
package struct ChunksStub: Sendable {
  private let connection: ClientConnection

  package init(_ connection: ClientConnection) { self.connection = connection }

  /// One reply a digest, in their order; at most `ChunkCodec.chunksPerFetchMax` digests. The bytes are as the server
  /// sent them: whoever takes them checks that they have the digest.
  package func fetch(_ digests: [Digest], deadline: Instant?) async throws(CallFailure) -> Replies<ChunkReply>
  {
    precondition(digests.count <= ChunkCodec.chunksPerFetchMax, "more chunks than one request may name")
    return try await connection.serverStreaming(
      .fetchChunks, ChunkCodec.encode(digests), deadline: deadline
    ) { bytes throws(Fault) in try ChunkCodec.decodeReply(bytes) }
  }
}
