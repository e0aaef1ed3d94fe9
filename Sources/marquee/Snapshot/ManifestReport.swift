import Base
import Foundation
import Snapshots

/// A manifest as commands print it.
struct ManifestReport: Encodable {
  struct Segment: Encodable {
    var segment: String
    var byteCount: UInt64
    var sha256: String
    var chunkCount: Int
  }

  var sequence: UInt64
  var digest: String
  var parentSequence: UInt64
  var created: String
  var expires: String
  var keyId: String
  var readerVersionMin: UInt32
  var space: String
  var model: String
  var features: String
  var policy: String
  var titleCount: UInt64
  var bytesTotal: UInt64
  var isSynthetic: Bool
  var description: String
  var segments: [Segment]

  init(_ version: VerifiedManifest, segments showsSegments: Bool) {
    let manifest = version.manifest
    sequence = manifest.sequence
    digest = version.digest.hex
    parentSequence = manifest.parentSequence
    created = Self.text(manifest.created)
    expires = Self.text(manifest.expires)
    keyId = version.envelope.keyID
    readerVersionMin = manifest.readerVersionMin
    space = manifest.space
    model = manifest.model
    features = manifest.features
    policy = manifest.policy
    titleCount = manifest.titleCount
    bytesTotal = manifest.byteCount
    isSynthetic = manifest.isSynthetic
    description = manifest.description
    segments =
      showsSegments
      ? manifest.segments.map {
        Segment(
          segment: "\($0.kind)/\($0.name)", byteCount: $0.byteCount, sha256: $0.digest.hex,
          chunkCount: $0.chunks.count)
      } : []
  }

  private static func text(_ moment: Timestamp) -> String {
    Date(timeIntervalSince1970: Double(moment.milliseconds) / 1000).ISO8601Format()
  }

  var text: String {
    var lines = [
      "snapshot \(sequence)\(isSynthetic ? ", SYNTHETIC: made by the generator" : "")",
      "digest    \(digest)", "signed by \(keyId)",
      "parent    \(parentSequence == 0 ? "none, a full build" : "\(parentSequence)")",
      "created   \(created), expires \(expires), reader version \(readerVersionMin)",
      "titles    \(readable(count: titleCount)), \(readable(bytes: bytesTotal))", "space     \(space)",
      "model     \(model)", "features  \(features)", "policy    \(policy)",
    ]
    if !description.isEmpty { lines.append("about     \(description)") }
    var table = Table("SEGMENT", "SIZE", "CHUNKS", "SHA-256")
    for segment in segments {
      table.add(segment.segment, readable(bytes: segment.byteCount), "\(segment.chunkCount)", segment.sha256)
    }
    return (lines + ["", table.text]).joined(separator: "\n")
  }
}
