internal import Base

/// The candidates of one request, column by column, in memory that a worker keeps from request to request.
struct Candidates {
  /// A set of sources in two bytes.
  struct Sources: OptionSet {
    let rawValue: UInt16
    init(rawValue: UInt16) { self.rawValue = rawValue }
    init(_ source: CandidateSource) { rawValue = 1 << UInt16(source.rawValue) }
    /// Like the title that the request is about.
    static let context = Sources(rawValue: 1)
  }

  static let countMax = Limits.candidateCountMax

  private(set) var count = 0
  private(set) var ordinals: [UInt32] = []
  /// Cosine to the profile's vector, from ``setSimilarities(_:)``; 0 before, and without a vector.
  private(set) var similarities: [Float] = []
  /// The source that brought it first.
  private(set) var firstSources: [CandidateSource] = []
  /// What that source thought of it, in its own terms: the inner product of a search, the sum of who watched the same, and
  /// of a list one by its place, 1 for the first and 1/2 for the second.
  private(set) var sourceScores: [Float] = []
  private(set) var sources: [Sources] = []
  /// What orders the rows: the ranker's score with the policy's boost, or retrieval order.
  var scores: [Float] = []
  private var table = OrdinalTable(countMax: countMax)

  init() {
    ordinals.reserveCapacity(Self.countMax)
    similarities.reserveCapacity(Self.countMax)
    firstSources.reserveCapacity(Self.countMax)
    sourceScores.reserveCapacity(Self.countMax)
    sources.reserveCapacity(Self.countMax)
    scores.reserveCapacity(Self.countMax)
  }

  mutating func removeAll() {
    count = 0
    ordinals.removeAll(keepingCapacity: true)
    similarities.removeAll(keepingCapacity: true)
    firstSources.removeAll(keepingCapacity: true)
    sourceScores.removeAll(keepingCapacity: true)
    sources.removeAll(keepingCapacity: true)
    scores.removeAll(keepingCapacity: true)
    table.removeAll()
  }

  /// Adds a candidate, or the source to one that is there. Beyond the limit nothing is added; returns whether the
  /// candidate is new.
  @discardableResult
  mutating func add(_ ordinal: UInt32, _ source: CandidateSource, score: Float) -> Bool {
    if let index = table.value(ordinal) {
      sources[index].insert(Sources(source))
      return false
    }
    guard count < Self.countMax else { return false }
    _ = table.insert(ordinal, count)
    ordinals.append(ordinal)
    similarities.append(0)
    firstSources.append(source)
    sourceScores.append(score)
    sources.append(Sources(source))
    scores.append(0)
    count += 1
    return true
  }

  /// `body` fills in the similarity of each ordinal.
  mutating func setSimilarities(
    _ body: (UnsafeBufferPointer<UInt32>, UnsafeMutableBufferPointer<Float>) -> Void
  ) {
    ordinals.withUnsafeBufferPointer { ordinals in
      similarities.withUnsafeMutableBufferPointer { body(ordinals, $0) }
    }
  }

  func index(of ordinal: UInt32) -> Int? { table.value(ordinal) }

  mutating func mark(_ index: Int, _ sources: Sources) { self.sources[index].insert(sources) }
}
