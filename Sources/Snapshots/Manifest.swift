package import Base

/// What a snapshot is: its versions, and the names, sizes and digests of its segments and chunks. Not their meaning.
///
/// Its bytes (message `Manifest` of `snapshot.proto`) are deterministic; their SHA-256 is the snapshot's digest.
package struct Manifest: Sendable, Equatable {
  /// The version of this reader, which rises when a segment's format changes. A manifest that asks for a higher one is
  /// refused before anything of its snapshot is fetched.
  package static let readerVersion: UInt32 = 4
  /// How far ahead of our clock a manifest's or an order's maker may be.
  package static let clockSkewMilliseconds: Int64 = 5 * 60 * 1000
  package static let versionByteCountMax = 128
  package static let descriptionByteCountMax = 1024
  package static let kindByteCountMax = 16
  package static let nameByteCountMax = 64

  /// Rises with each publish; 0 is no sequence.
  package var sequence: UInt64
  /// What this one was built from; 0 and `nil` for a full build.
  package var parentSequence: UInt64
  package var parentDigest: Digest?
  package var created: Timestamp
  package var expires: Timestamp
  package var readerVersionMin: UInt32
  /// Versions of the embedding space, the ranker, the feature definitions and the policy.
  package var space: String
  package var model: String
  package var features: String
  package var policy: String
  package var titleCount: UInt64
  package var description: String
  /// Made by the generator: no real titles, no real people.
  package var isSynthetic: Bool
  package var segments: [Segment]

  package init(
    sequence: UInt64, parentSequence: UInt64 = 0, parentDigest: Digest? = nil, created: Timestamp,
    expires: Timestamp, readerVersionMin: UInt32 = Manifest.readerVersion, space: String, model: String,
    features: String, policy: String, titleCount: UInt64, description: String = "", isSynthetic: Bool = false,
    segments: [Segment] = []
  ) {
    self.sequence = sequence
    self.parentSequence = parentSequence
    self.parentDigest = parentDigest
    self.created = created
    self.expires = expires
    self.readerVersionMin = readerVersionMin
    self.space = space
    self.model = model
    self.features = features
    self.policy = policy
    self.titleCount = titleCount
    self.description = description
    self.isSynthetic = isSynthetic
    self.segments = segments
  }

  /// One file of the snapshot. `kind` and `name` together are its name inside of the snapshot.
  package struct Segment: Sendable, Equatable {
    package var kind: String
    package var name: String
    package var byteCount: UInt64
    package var digest: Digest
    /// In order; together they are the segment.
    package var chunks: [Chunk]

    package init(kind: String, name: String, byteCount: UInt64, digest: Digest, chunks: [Chunk]) {
      self.kind = kind
      self.name = name
      self.byteCount = byteCount
      self.digest = digest
      self.chunks = chunks
    }

    package var key: SegmentKey { SegmentKey(kind: kind, name: name) }
  }

  package struct Chunk: Sendable, Hashable {
    package var byteCount: UInt32
    package var digest: Digest

    package init(byteCount: UInt32, digest: Digest) {
      self.byteCount = byteCount
      self.digest = digest
    }
  }

  /// Bytes of all segments. A segment that is there under two names counts twice.
  package var byteCount: UInt64 { segments.reduce(0) { $0 + $1.byteCount } }
}

/// A segment's name inside of its snapshot.
package struct SegmentKey: Sendable, Hashable, CustomStringConvertible {
  package var kind: String
  package var name: String

  package init(kind: String, name: String) {
    self.kind = kind
    self.name = name
  }

  /// "vectors/base": how refusals call it.
  package var description: String { "\(kind)/\(name)" }
}
