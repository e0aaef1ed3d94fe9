internal import Base

extension Manifest {
  /// What must hold of any manifest beyond its encoding: names, bounds, and sizes that agree. Built ones and decoded
  /// ones pass the same check, so that nobody signs what nobody can read.
  func check() throws(Refusal) {
    guard sequence > 0 else { throw malformed("sequence", "is 0") }
    guard parentSequence < sequence, (parentSequence == 0) == (parentDigest == nil) else {
      throw malformed("parent", "is not an earlier sequence with its digest")
    }
    guard readerVersionMin > 0 else { throw malformed("reader_version_min", "is 0") }
    guard created.milliseconds >= 0, expires > created else {
      throw malformed("expires_ms", "is not after created_ms")
    }
    for (field, text) in [("space", space), ("model", model), ("features", features), ("policy", policy)] {
      guard text.utf8.count <= Self.versionByteCountMax else {
        throw Refusal(.limitExceeded, at: "manifest \(field)", "has \(text.utf8.count) bytes")
      }
    }
    guard description.utf8.count <= Self.descriptionByteCountMax else {
      throw Refusal(.limitExceeded, at: "manifest description", "has \(description.utf8.count) bytes")
    }
    guard titleCount <= UInt64(Limits.titleCountMax) else {
      throw Refusal(.limitExceeded, at: "manifest title_count", "says \(titleCount) titles")
    }
    guard !segments.isEmpty else { throw malformed("segments", "has none") }
    guard segments.count <= Limits.segmentCountMax else {
      throw Refusal(.limitExceeded, at: "manifest segments", "has \(segments.count)")
    }
    var keys: Set<SegmentKey> = []
    var sizes: [Digest: UInt32] = [:]
    var known: [Digest: Segment] = [:]
    for (index, segment) in segments.enumerated() {
      let place = "segment \(index)"
      guard isPlainName(segment.kind, byteCountMax: Self.kindByteCountMax) else {
        throw malformed("\(place) kind", "is not 1 to \(Self.kindByteCountMax) of a-z 0-9 _ - .")
      }
      guard isPlainName(segment.name, byteCountMax: Self.nameByteCountMax) else {
        throw malformed("\(place) name", "is not 1 to \(Self.nameByteCountMax) of a-z 0-9 _ - .")
      }
      guard keys.insert(segment.key).inserted else { throw malformed(place, "\(segment.key) is there twice") }
      try check(segment, place: place, sizes: &sizes)
      if let twin = known[segment.digest], twin.chunks != segment.chunks {
        throw malformed(place, "has the digest of \(twin.key) and other chunks")
      }
      known[segment.digest] = segment
    }
  }

  private func check(
    _ segment: Segment, place: String, sizes: inout [Digest: UInt32]
  ) throws(Refusal) {
    guard segment.byteCount > 0 else { throw malformed("\(place) byte_count", "is 0") }
    guard segment.byteCount <= Limits.segmentByteCountMax else {
      throw Refusal(.limitExceeded, at: "manifest \(place) byte_count", "is \(segment.byteCount)")
    }
    // No overflow: a manifest has no room for 2^31 chunks of 2^32 bytes.
    var sum: UInt64 = 0
    for (number, chunk) in segment.chunks.enumerated() {
      guard chunk.byteCount > 0, chunk.byteCount <= Limits.chunkByteCountMax else {
        throw Refusal(
          .limitExceeded, at: "manifest \(place) chunk \(number)",
          "has \(chunk.byteCount) bytes, not 1 to \(Limits.chunkByteCountMax)")
      }
      guard sizes.updateValue(chunk.byteCount, forKey: chunk.digest) ?? chunk.byteCount == chunk.byteCount
      else { throw malformed("\(place) chunk \(number)", "has the digest of a chunk of another size") }
      sum += UInt64(chunk.byteCount)
    }
    guard sum == segment.byteCount else {
      throw malformed("\(place) chunks", "are \(sum) bytes where the segment has \(segment.byteCount)")
    }
  }

  private func malformed(_ place: String, _ message: String) -> Refusal {
    Refusal(.malformed, at: "manifest \(place)", message)
  }
}

/// Letters, digits, `_`, `-` and `.`, not beginning with a dot: nothing that could be a path.
private func isPlainName(_ name: String, byteCountMax: Int) -> Bool {
  guard (1...byteCountMax).contains(name.utf8.count), name.utf8.first != UInt8(ascii: ".") else {
    return false
  }
  return name.utf8.allSatisfy { byte in
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"),
      UInt8(ascii: "-"), UInt8(ascii: "."):
      true
    default: false
    }
  }
}
