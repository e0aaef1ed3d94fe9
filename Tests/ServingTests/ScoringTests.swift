import Base
import Catalogue
import Ranking
import Retrieval
import Synchronization
import Testing

@testable import Serving

@Suite struct ScoringTests {
  /// What a ranker was given, block by block.
  final class RecordingScorer: Scorer {
    let rows = Mutex<[[Float]]>([])

    func score(
      _ rows: UnsafeBufferPointer<Float>, count: Int, into scores: UnsafeMutableBufferPointer<Float>,
      in generation: Generation, scratch: RankerScratch
    ) {
      let width = CandidateFeatures.count
      let copies = (0..<count).map { Array(rows[$0 * width..<($0 + 1) * width]) }
      self.rows.withLock { $0 += copies }
      for place in 0..<count { scores[place] = 0 }
    }
  }

  @Test func `over several blocks each candidate's row is its own, in base and tail`() throws {
    var snapshot = TestSnapshot()
    (snapshot.count, snapshot.tailCount) = (300, 40)
    snapshot.wanted = [[2, 8, 14], [2, 8, 14], [2, 310]]
    let scorer = RecordingScorer()
    var kitchen = try TestKitchen(snapshot)
    kitchen.stages = RankStages(scorer: scorer)
    kitchen.histories.watch("p", ["a2", "a8"])
    let pipeline = RankPipeline(histories: kitchen.histories, stages: kitchen.stages, time: kitchen.time)
    let job = RankJob(
      request: .test(), submitted: kitchen.time.instant,
      deadline: kitchen.time.instant.advanced(byMilliseconds: 1000), cancellation: Cancellation()
    ) { _ in }
    _ = try pipeline.rank(job, in: kitchen.generation, effort: .full)
    let (rows, ordinals) = (scorer.rows.withLock { $0 }, pipeline.candidates.ordinals)
    #expect(rows.count == ordinals.count && rows.count > 2 * kitchen.generation.ranker.blockCount)
    #expect(ordinals.contains { $0 >= 300 } && ordinals.contains { $0 < 300 })
    let catalogue = kitchen.generation.catalogue
    var last = [Float](repeating: 0, count: kitchen.generation.vectors.dimensions)
    last.withUnsafeMutableBufferPointer { kitchen.generation.vectors.copy(8, to: $0) }
    for (row, ordinal) in zip(rows, ordinals) {
      #expect(row[2] == catalogue.popularity(ordinal) && row[5] == catalogue.trending(ordinal))
      let near = last.withUnsafeBufferPointer { kitchen.generation.vectors.dot(ordinal, $0) }
      #expect(row[1] == min(1, max(-1, near)))
      #expect(row[13] == ([2, 8].contains(ordinal) ? 1 : 0))
      #expect((row[10] > 0) == (ordinal == 14))
    }
    #expect(Set(rows.map { $0[0] }).count > 3)
  }
}
