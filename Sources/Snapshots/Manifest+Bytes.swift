package import Base

// The field numbers are those of message Manifest in Protos/marquee/v1/snapshot.proto.

extension Manifest {
  /// The manifest's one encoding. The same manifest has the same bytes on every machine.
  package var bytes: [UInt8] {
    var writer = FieldWriter()
    writer.number(1, sequence)
    writer.number(2, parentSequence)
    if let parentDigest { writer.digest(3, parentDigest) }
    writer.number(4, UInt64(bitPattern: created.milliseconds))
    writer.number(5, UInt64(bitPattern: expires.milliseconds))
    writer.number(6, UInt64(readerVersionMin))
    writer.text(7, space)
    writer.text(8, model)
    writer.text(9, features)
    writer.text(10, policy)
    writer.number(11, titleCount)
    writer.text(12, description)
    writer.flag(13, isSynthetic)
    for segment in segments { writer.message(14, segment.fields) }
    return writer.bytes
  }

  /// Decodes strictly: what does not encode to the same bytes again is refused as `malformed`, what is too much as
  /// `limitExceeded`, and what asks for a newer reader as `newerReader`.
  package init(bytes: [UInt8]) throws(Refusal) {
    guard bytes.count <= Limits.manifestByteCountMax else {
      throw Refusal(
        .limitExceeded, at: "manifest",
        "has \(bytes.count) bytes; \(Limits.manifestByteCountMax) are the most")
    }
    // The array's own accessor forgets the error's type, so it travels as a value.
    let outcome: Result<Manifest, Refusal> = bytes.withUnsafeBytes { buffer in
      do throws(Refusal) { return .success(try Manifest(reading: buffer)) } catch { return .failure(error) }
    }
    self = try outcome.get()
    // The reader checks form by form; this one check holds whatever it might have let through.
    guard self.bytes == bytes else { throw Refusal(.malformed, at: "manifest", "is not in canonical form") }
    try check()
  }

  /// The sequence that unverified bytes claim, for logs and `status`; 0 if they claim none.
  static func claimedSequence(_ bytes: [UInt8]) -> UInt64 {
    bytes.withUnsafeBytes { buffer in
      var reader = FieldReader(buffer, name: "manifest")
      guard let field = try? reader.next(), field.number == 1 else { return 0 }
      return (try? reader.number(field)) ?? 0
    }
  }

  private init(reading bytes: UnsafeRawBufferPointer) throws(Refusal) {
    self.init(
      sequence: 0, created: Timestamp(milliseconds: 0), expires: Timestamp(milliseconds: 0),
      readerVersionMin: 0, space: "", model: "", features: "", policy: "", titleCount: 0)
    var reader = FieldReader(bytes, name: "manifest")
    while let field = try reader.next(repeated: [14]) {
      switch field.number {
      case 1: sequence = try reader.number(field)
      case 2: parentSequence = try reader.number(field)
      case 3: parentDigest = try reader.digest(field)
      case 4: created.milliseconds = Int64(bitPattern: try reader.number(field))
      case 5: expires.milliseconds = Int64(bitPattern: try reader.number(field))
      case 6:
        readerVersionMin = try reader.word(field)
        // At once: what follows may be of a form that this reader can't know.
        guard readerVersionMin <= Self.readerVersion else {
          throw Refusal(
            .newerReader, at: "manifest reader_version_min",
            "asks for reader \(readerVersionMin), this one is \(Self.readerVersion): upgrade it first")
        }
      case 7: space = try reader.text(field)
      case 8: model = try reader.text(field)
      case 9: features = try reader.text(field)
      case 10: policy = try reader.text(field)
      case 11: titleCount = try reader.number(field)
      case 12: description = try reader.text(field)
      case 13: isSynthetic = try reader.flag(field)
      case 14:
        guard segments.count < Limits.segmentCountMax else {
          throw Refusal(.limitExceeded, at: "manifest segments", "are more than \(Limits.segmentCountMax)")
        }
        var inner = try reader.message(field, name: "manifest segment \(segments.count)")
        segments.append(try Segment(reading: &inner))
      default: throw reader.unknown(field)
      }
    }
  }
}

extension Manifest.Segment {
  fileprivate var fields: FieldWriter {
    var writer = FieldWriter()
    writer.text(1, kind)
    writer.text(2, name)
    writer.number(3, byteCount)
    writer.digest(4, digest)
    for chunk in chunks {
      var inner = FieldWriter()
      inner.number(1, UInt64(chunk.byteCount))
      inner.digest(2, chunk.digest)
      writer.message(5, inner)
    }
    return writer
  }

  fileprivate init(reading reader: inout FieldReader) throws(Refusal) {
    var kind = ""
    var name = ""
    var byteCount: UInt64 = 0
    var digest: Digest?
    var chunks: [Manifest.Chunk] = []
    while let field = try reader.next(repeated: [5]) {
      switch field.number {
      case 1: kind = try reader.text(field)
      case 2: name = try reader.text(field)
      case 3: byteCount = try reader.number(field)
      case 4: digest = try reader.digest(field)
      case 5:
        var inner = try reader.message(field)
        chunks.append(try Manifest.Chunk(reading: &inner))
      default: throw reader.unknown(field)
      }
    }
    guard let digest else { throw reader.refusal("has no digest") }
    self.init(kind: kind, name: name, byteCount: byteCount, digest: digest, chunks: chunks)
  }
}

extension Manifest.Chunk {
  fileprivate init(reading reader: inout FieldReader) throws(Refusal) {
    var byteCount: UInt32 = 0
    var digest: Digest?
    while let field = try reader.next() {
      switch field.number {
      case 1: byteCount = try reader.word(field)
      case 2: digest = try reader.digest(field)
      default: throw reader.unknown(field)
      }
    }
    guard let digest else { throw reader.refusal("has no digest") }
    self.init(byteCount: byteCount, digest: digest)
  }
}
