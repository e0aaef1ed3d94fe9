package import Base

/// A space: what turns titles into vectors that can be compared, now and for the titles that come later.
///
/// Vectors of two spaces have nothing to do with each other; ``digest`` tells spaces apart.
package struct Space: Equatable, Sendable {
  package static let kind: SegmentTag = "SPCE"
  package static let formatVersion: UInt32 = 1

  package let parameters: SpaceParameters
  let weights: WordWeights
  /// Of the titles' text vectors: what all have in common, which is taken off.
  let textMean: [Float]
  /// Of what watching gave the watched titles in the last round, likewise.
  let watchMean: [Float]
  /// Over everything above.
  package let digest: Digest

  /// For manifests and for people.
  package var name: String { "text-cowatch-\(parameters.dimensions)/\(digest.short)" }

  init(parameters: SpaceParameters, weights: WordWeights, textMean: [Float], watchMean: [Float]) {
    precondition(parameters.isValid)
    precondition(textMean.count == parameters.dimensions && watchMean.count == parameters.dimensions)
    self.parameters = parameters
    self.weights = weights
    self.textMean = textMean
    self.watchMean = watchMean
    var bytes: [UInt8] = []
    for number in Self.numbers(of: parameters) { bytes.append(littleEndian: number) }
    bytes.append(contentsOf: weights.bytes)
    for value in textMean + watchMean { bytes.append(littleEndian: value.bitPattern) }
    digest = Digest(of: bytes)
  }

  private static func numbers(of parameters: SpaceParameters) -> [UInt64] {
    [
      UInt64(parameters.dimensions), parameters.seed, UInt64(parameters.entriesPerWord),
      UInt64(parameters.roundCount), UInt64(parameters.textWeight.bitPattern),
      UInt64(parameters.ownWeight.bitPattern), UInt64(parameters.viewersAtHalf.bitPattern),
      UInt64(parameters.damping.bitPattern),
    ]
  }

  /// Writes the segment, about 130 KB, and brings it to the disk.
  package func write(to path: String) throws(DiskFault) {
    let writer = try SegmentWriter(path: path, kind: Self.kind, formatVersion: Self.formatVersion)
    try writer.add("PARM", Self.numbers(of: parameters))
    try writer.add("WORD", weights.bytes)
    try writer.add("TMEA", textMean)
    try writer.add("WMEA", watchMean)
    try writer.finish()
  }

  /// Copies the space out of its segment: nothing of `mapped` is kept.
  package init(opening mapped: MappedBytes, name: String) throws(Refusal) {
    let segment = try Segment(
      opening: mapped, name: name, kind: Self.kind, formatVersion: Self.formatVersion)
    let numbers = try segment.array("PARM", of: UInt64.self, count: 8)
    func float(_ index: Int) -> Float { Float(bitPattern: UInt32(truncatingIfNeeded: numbers[index])) }
    guard let dimensions = Int(exactly: numbers[0]), let entries = Int(exactly: numbers[2]),
      let rounds = Int(exactly: numbers[3])
    else { throw Refusal(.unreadable, at: "\(name) section PARM", "has numbers out of bounds") }
    let parameters = SpaceParameters(
      dimensions: dimensions, seed: numbers[1], entriesPerWord: entries, roundCount: rounds,
      textWeight: float(4), ownWeight: float(5), viewersAtHalf: float(6), damping: float(7))
    guard parameters.isValid else {
      throw Refusal(.unreadable, at: "\(name) section PARM", "has parameters out of bounds")
    }
    let weights = try segment.array("WORD", of: UInt8.self, count: WordWeights.bucketCount)
    let textMean = try segment.array("TMEA", of: Float.self, count: dimensions)
    let watchMean = try segment.array("WMEA", of: Float.self, count: dimensions)
    guard textMean.allSatisfy({ abs($0) <= 1 }), watchMean.allSatisfy({ abs($0) <= 1 }) else {
      throw Refusal(.unreadable, at: "\(name) section TMEA", "has a mean that no unit vectors have")
    }
    self.init(
      parameters: parameters, weights: WordWeights(bytes: Array(weights)), textMean: Array(textMean),
      watchMean: Array(watchMean))
  }
}
