package import Base

/// A space: what turns titles into vectors that can be compared, now and for the titles that come later.
///
/// Vectors of two spaces have nothing to do with each other; ``digest`` tells spaces apart.
package struct Space: Equatable, Sendable {
  package static let kind: SegmentTag = "SPCE"
  package static let formatVersion: UInt32 = 2

  package let parameters: SpaceParameters
  let weights: WordWeights
  /// What all titles' text vectors have in common, which is taken off.
  let textMean: [Float]
  /// From a text vector to its part in the space: `textDimensions` rows of `dimensions` columns.
  let textProjection: [Float]
  /// How much of the titles' likeness each dimension explains, the most first; 0 for one that is not used.
  let strengths: [Float]
  /// The root of the mean square of what watching weighs for a watched title.
  let watchScale: Float
  /// Over everything above.
  package let digest: Digest

  /// For manifests and for people.
  package var name: String { "text-cowatch-\(parameters.dimensions)/\(digest.short)" }

  init(
    parameters: SpaceParameters, weights: WordWeights, textMean: [Float], textProjection: [Float],
    strengths: [Float], watchScale: Float
  ) {
    let dimensions = parameters.dimensions
    precondition(parameters.isValid && textMean.count == parameters.textDimensions)
    precondition(strengths.count == dimensions && textProjection.count == textMean.count * dimensions)
    self.parameters = parameters
    self.weights = weights
    self.textMean = textMean
    self.textProjection = textProjection
    self.strengths = strengths
    self.watchScale = watchScale
    var bytes: [UInt8] = []
    for word in parameters.words { bytes.append(littleEndian: word) }
    bytes.append(contentsOf: weights.bytes)
    for values in [textMean, textProjection, strengths, [watchScale]] {
      for value in values { bytes.append(littleEndian: value.bitPattern) }
    }
    digest = Digest(of: bytes)
  }

  /// Writes the segment, about 660 KB with 128 dimensions of 1,024, and brings it to the disk.
  package func write(to path: String) throws(DiskFault) {
    let writer = try SegmentWriter(path: path, kind: Self.kind, formatVersion: Self.formatVersion)
    try writer.add("PARM", parameters.words)
    try writer.add("WORD", weights.bytes)
    try writer.add("MEAN", textMean)
    try writer.add("PROJ", textProjection)
    try writer.add("STRE", strengths)
    try writer.add("WSCA", [watchScale])
    try writer.finish()
  }

  /// Copies the space out of its segment: nothing of `mapped` is kept.
  package init(opening mapped: MappedBytes, name: String) throws(Refusal) {
    let segment = try Segment(
      opening: mapped, name: name, kind: Self.kind, formatVersion: Self.formatVersion)
    let words = try segment.array("PARM", of: UInt64.self, count: SpaceParameters.wordCount)
    guard let parameters = SpaceParameters(words: words) else {
      throw Refusal(.unreadable, at: "\(name) section PARM", "has parameters out of bounds")
    }
    let dimensions = parameters.dimensions
    let weights = try segment.array("WORD", of: UInt8.self, count: WordWeights.bucketCount)
    let textMean = try Self.floats(segment, "MEAN", count: parameters.textDimensions) { abs($0) <= 1 }
    let textProjection = try Self.floats(segment, "PROJ", count: parameters.textDimensions * dimensions) {
      $0.isFinite
    }
    let strengths = try Self.floats(segment, "STRE", count: dimensions) { $0 >= 0 && $0.isFinite }
    let watchScale = try Self.floats(segment, "WSCA", count: 1) { $0 > 0 && $0.isFinite }
    self.init(
      parameters: parameters, weights: WordWeights(bytes: Array(weights)), textMean: textMean,
      textProjection: textProjection, strengths: strengths, watchScale: watchScale[0])
  }

  private static func floats(
    _ segment: Segment, _ tag: SegmentTag, count: Int, _ isValid: (Float) -> Bool
  ) throws(Refusal) -> [Float] {
    let values = try segment.array(tag, of: Float.self, count: count)
    guard values.allSatisfy(isValid) else {
      throw Refusal(.unreadable, at: "\(segment.name) section \(tag)", "has numbers out of bounds")
    }
    return Array(values)
  }
}
