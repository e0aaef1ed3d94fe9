package import Base
internal import CMessages

/// One chunk as `Chunks.Fetch` answers it.
package struct ChunkReply: Sendable, Equatable {
  package var digest: Digest
  /// `nil`: it isn't here. What is here was not verified yet.
  package var data: [UInt8]?

  package init(digest: Digest, data: [UInt8]?) {
    self.digest = digest
    self.data = data
  }
}

/// `FetchRequest` and `FetchResponse`.
package enum ChunkCodec {
  private static let request = MessageShape.request(
    marquee__v1__fetch_request__init, fieldCountMax: CodecLimits.chunksPerFetchMax + 64)
  private static let reply = MessageShape.reply(marquee__v1__fetch_response__init, fieldCountMax: 64)

  /// Digests in one request at most; a caller who needs more asks again.
  package static let chunksPerFetchMax = CodecLimits.chunksPerFetchMax

  package static func decodeRequest(_ bytes: [UInt8]) throws(Fault) -> [Digest] {
    try request.decode(bytes) { message throws(Fault) in
      try Field.digests(message.sha256, message.n_sha256, "sha256", max: chunksPerFetchMax)
    }
  }

  package static func encode(_ digests: some Collection<Digest>) -> [UInt8] {
    var writer = ProtoWriter(capacity: digests.count * (Digest.byteCount + 2))
    for digest in digests { writer.dataElement(1, digest.bytes) }
    return writer.bytes
  }

  package static func decodeReply(_ bytes: [UInt8]) throws(Fault) -> ChunkReply {
    try reply.decode(bytes) { message throws(Fault) in
      let data = try Field.bytes(message.data, "data", max: Limits.chunkByteCountMax)
      guard message.is_missing == 0 || data.isEmpty else {
        throw Fault(.invalidArgument, "data is there although is_missing says it isn't")
      }
      return ChunkReply(
        digest: try Field.digest(message.sha256, "sha256"), data: message.is_missing == 0 ? data : nil)
    }
  }

  package static func encode(_ chunk: ChunkReply) -> [UInt8] {
    var writer = ProtoWriter(capacity: (chunk.data?.count ?? 0) + Digest.byteCount + 16)
    writer.dataElement(1, chunk.digest.bytes)
    if let data = chunk.data { writer.data(2, data) } else { writer.flag(3, true) }
    return writer.bytes
  }
}
