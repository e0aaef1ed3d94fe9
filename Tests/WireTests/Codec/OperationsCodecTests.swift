import Base
import Testing
import Wire

@Suite struct OperationsCodecTests {
  private func message(_ decode: () throws -> Void) -> String {
    do {
      try decode()
      return "taken"
    } catch let fault as Fault { return fault.message } catch { return "\(error)" }
  }

  @Test("the order of a publishing and its chunks do not mix")
  func publishing() {
    let manifest = field(1, field(3, "key"))
    #expect(
      message { _ = try OperationsCodec.decodePublish(raw(manifest, field(3, "chunk"))) }.contains(
        "chunks belong"))
    #expect(
      message { _ = try OperationsCodec.decodePublish(field(2, "eu")) }.contains("regions belong"))
    #expect(
      message { _ = try OperationsCodec.decodePublish(raw(manifest, field(2, ""))) }
        == "PublishRequest: regions[0] is required")
    let large = OperationsCodec.encode(
      .chunks([[1], [UInt8](repeating: 0, count: Limits.chunkByteCountMax + 1)]))
    #expect(
      message { _ = try OperationsCodec.decodePublish(large) }
        == "PublishRequest: chunks[1] has 262145 bytes, more than 262144")
  }

  @Test("orders name what they need")
  func orders() {
    #expect(
      message { _ = try OperationsCodec.decodeRollback([]) } == "RollbackRequest: order is required")
    #expect(message { _ = try OperationsCodec.decodeRoute([]) } == "RouteRequest: from is required")
    #expect(
      message { _ = try OperationsCodec.decodePin(field(1, [0])) }
        == "PinRequest: region has a NUL at byte 0")
    #expect(throws: Never.self) { try OperationsCodec.decodeStatusRequest([]) }
    #expect(throws: Fault.self) { try OperationsCodec.decodeStatusRequest([0x0b]) }
  }

  @Test("a manifest that is too long is refused by its length")
  func longManifest() {
    let signed = SignedBytes(
      payload: [UInt8](repeating: 0, count: Limits.manifestByteCountMax + 1), signature: [], keyID: "")
    #expect(
      message { _ = try SignedCodec.decode(SignedCodec.encode(signed)) }
        == "Signed: payload has 4000001 bytes, more than 4000000")
    var fits = signed
    fits.payload.removeLast()
    #expect(message { _ = try SignedCodec.decode(SignedCodec.encode(fits)) } == "taken")
  }

  @Test("every chunk of the largest manifest can be missing")
  func allMissing() throws {
    let digests = Array(repeating: Digest(of: [1]), count: Limits.manifestByteCountMax / 36)
    #expect(try OperationsCodec.decodeMissing(OperationsCodec.encodeMissing(digests)).count == digests.count)
    #expect(throws: Fault.self) {
      try OperationsCodec.decodeMissing(OperationsCodec.encodeMissing(digests + digests))
    }
  }

  @Test("1,024 chunks can be asked for at once, and no more")
  func fetching() {
    let digests = Array(repeating: Digest(of: [1]), count: ChunkCodec.chunksPerFetchMax)
    #expect(throws: Never.self) { try ChunkCodec.decodeRequest(ChunkCodec.encode(digests)) }
    #expect(
      message { _ = try ChunkCodec.decodeRequest(ChunkCodec.encode(digests + digests.prefix(1))) }
        == "FetchRequest: sha256 has 1025 elements, more than 1024")
    #expect(
      message { _ = try ChunkCodec.decodeRequest(field(1, "short")) }
        == "FetchRequest: sha256[0] has 5 bytes, a SHA-256 has 32")
  }

  @Test("a chunk is here or missing, not both")
  func chunkOrMissing() {
    let digest = field(1, [UInt8](repeating: 7, count: 32))
    #expect(
      message { _ = try ChunkCodec.decodeReply(raw(digest, field(2, "x"), field(3, 1))) }
        == "FetchResponse: data is there although is_missing says it isn't")
  }
}
