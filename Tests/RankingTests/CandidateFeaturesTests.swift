import Base
import Testing

@testable import Ranking

@Suite("CandidateFeatures")
struct CandidateFeaturesTests {
  private func row(_ inputs: CandidateFeatures.Inputs, _ profile: CandidateFeatures.Profile) -> [String:
    Float]
  {
    Dictionary(
      uniqueKeysWithValues: zip(CandidateFeatures.names, CandidateFeatures.row(inputs, for: profile)))
  }

  private var profile: CandidateFeatures.Profile {
    var profile = CandidateFeatures.Profile()
    profile.historyCount = 50
    profile.genres.add(genreSet: 0b011, weight: 2)
    profile.genres.add(genreSet: 0b100, weight: 3)
    return profile
  }

  @Test("a row has a value for each name, and each says what it is called")
  func values() {
    #expect(CandidateFeatures.names.count == CandidateFeatures.count)
    let row = row(
      .init(
        ordinal: 7, similarity: 0.5, similarityLast: -0.25, popularity: 0.75, ageDays: 180, genres: 0b101,
        trending: 0.125, isInProgress: true, isMet: true), profile)
    #expect(row["similarity"] == 0.5 && row["similarity_last"] == -0.25)
    #expect(row["popularity"] == 0.75 && row["trending"] == 0.125)
    #expect(row["recency"] == 0.5 && row["is_new"] == 0)
    // One of the five parts of the watching was of genre 0, three of genre 2.
    #expect(row["genre_affinity"] == 0.8)
    #expect(row["history_count"] == 1 && row["similarity_by_history"] == 0.5)
    #expect(row["in_progress"] == 1 && row["is_met"] == 1)
    #expect(row["co_watched"] == 0 && row["co_watched_recent"] == 0 && row["co_watched_share"] == 0)
  }

  @Test("without a history, a release or a genre the values are those of nothing")
  func nothing() {
    let row = row(.init(), .init())
    #expect(row.values.allSatisfy { $0 == 0 })
    let unborn = self.row(
      .init(
        ordinal: 0, similarity: 0, similarityLast: 0, popularity: 0, ageDays: -3, genres: 0, trending: 0,
        isInProgress: false, isMet: false), .init())
    #expect(unborn["recency"] == 1 && unborn["is_new"] == 0)
  }

  @Test("whatever a peer's segments say, values are finite and within 1")
  func hostile() {
    for bad in [Float.nan, .infinity, -.infinity, 1e30, -1e30] {
      let inputs = CandidateFeatures.Inputs(
        ordinal: .max, similarity: bad, similarityLast: bad, popularity: bad, ageDays: bad, genres: .max,
        trending: bad, isInProgress: true, isMet: true)
      #expect(CandidateFeatures.row(inputs, for: profile).allSatisfy { $0.isFinite && abs($0) <= 1 })
    }
  }

  @Test("a block's rows are those of its candidates one by one", arguments: [1, 2, 63, 64, 65])
  func block(count: Int) {
    var random = SplitMix(seed: UInt64(count))
    let candidates = (0..<UInt32(count)).map { ordinal -> CandidateFeatures.Inputs in
      var inputs = CandidateFeatures.Inputs()
      inputs.ordinal = ordinal
      inputs.similarity = .random(in: -1...1, using: &random)
      inputs.similarityLast = .random(in: -1...1, using: &random)
      inputs.popularity = .random(in: 0...1, using: &random)
      if ordinal % 3 != 0 { inputs.ageDays = .random(in: -10...4000, using: &random) }
      inputs.genres = random.next() & 0b111
      inputs.trending = .random(in: 0...1, using: &random)
      inputs.isInProgress = ordinal % 5 == 0
      inputs.isMet = ordinal % 2 == 0
      return inputs
    }
    var rows = [Float](repeating: -9, count: count * CandidateFeatures.count)
    candidates.withUnsafeBufferPointer { candidates in
      rows.withUnsafeMutableBufferPointer { CandidateFeatures.write(candidates, for: profile, to: $0) }
    }
    #expect(rows == candidates.flatMap { CandidateFeatures.row($0, for: profile) })
  }
}
