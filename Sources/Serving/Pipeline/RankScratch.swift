internal import Base
internal import Catalogue
internal import Ranking
internal import Retrieval

/// All that one worker needs to rank, made once and used for one request after another.
final class RankScratch {
  let search = SearchScratch()
  let ranker = RankerScratch()
  var candidates = Candidates()
  var profile = ProfileFacts()
  /// The profile's vector, and that of the title last watched: the generation's dimensions of each are in use.
  let vector: UnsafeMutableBufferPointer<Float>
  let lastVector: UnsafeMutableBufferPointer<Float>
  /// Of each candidate what the catalogue says of it, and how near it is to the title last watched.
  let signals: UnsafeMutableBufferPointer<TitleSignals>
  let lastSimilarities: UnsafeMutableBufferPointer<Float>
  /// What goes into the feature rows of all candidates, the rows, and their scores.
  let inputs: UnsafeMutableBufferPointer<CandidateFeatures.Inputs>
  let rows: UnsafeMutableBufferPointer<Float>
  let scores: UnsafeMutableBufferPointer<Float>
  /// Titles that the reply shows already. What is in rows, pinned titles included, is bounded by the limits.
  var shown = OrdinalTable(countMax: 2 * Limits.rowCountMax * Limits.titlesPerRowMax)
  /// Candidates by score, the best first: see ``Assembly``.
  var order: [UInt64] = []
  /// Co-watched titles by how much: see ``Gathering``.
  var keys: [UInt64] = []

  init() {
    vector = .allocate(capacity: Limits.dimensionsMax)
    lastVector = .allocate(capacity: Limits.dimensionsMax)
    signals = .allocate(capacity: Candidates.countMax)
    lastSimilarities = .allocate(capacity: Candidates.countMax)
    inputs = .allocate(capacity: Candidates.countMax)
    rows = .allocate(capacity: Candidates.countMax * CandidateFeatures.count)
    scores = .allocate(capacity: Candidates.countMax)
    vector.initialize(repeating: 0)
    lastVector.initialize(repeating: 0)
    signals.initialize(repeating: TitleSignals())
    lastSimilarities.initialize(repeating: 0)
    inputs.initialize(repeating: CandidateFeatures.Inputs())
    rows.initialize(repeating: 0)
    scores.initialize(repeating: 0)
    order.reserveCapacity(Candidates.countMax)
  }

  deinit {
    vector.deallocate()
    lastVector.deallocate()
    signals.deallocate()
    lastSimilarities.deallocate()
    inputs.deallocate()
    rows.deallocate()
    scores.deallocate()
  }
}
