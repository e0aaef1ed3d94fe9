import Base
import Testing

@testable import Serving

@Suite struct FairLaneTests {
  private func job(_ id: String, _ source: UInt64) -> RankJob {
    var request = RankRequest.test()
    request.requestID = id
    return RankJob(
      request: request, source: source, submitted: Instant(nanoseconds: 0), deadline: .distantFuture,
      cancellation: .init(),
      completion: { _ in })
  }

  private func lane(_ jobs: [(String, UInt64)]) -> FairLane {
    var lane = FairLane()
    for (id, source) in jobs { lane.append(job(id, source)) }
    return lane
  }

  private func drained(_ lane: FairLane) -> [String] {
    var lane = lane
    var ids: [String] = []
    while let job = lane.removeFirst() { ids.append(job.request.requestID) }
    #expect(lane.count == 0)
    return ids
  }

  @Test func `sources take turns, each in its own order`() {
    let lane = lane([("a1", 1), ("a2", 1), ("a3", 1), ("b1", 2), ("c1", 3), ("b2", 2)])
    #expect(lane.count == 6)
    #expect(drained(lane) == ["a1", "b1", "c1", "a2", "b2", "a3"])
  }

  @Test func `a quiet source waits behind one request of each busy one`() {
    let lane = lane((0..<500).map { ("a\($0)", 1) } + (0..<3).map { ("b\($0)", 2) })
    #expect(lane.countBefore(source: 9) == 2)
    #expect(lane.countBefore(source: 2) == 3 + 4)
    #expect(lane.countBefore(source: 1) == 503)
  }

  @Test
  func `what is counted before a request is what is served before it, but for the turn that is under way`() {
    var random = SystemRandomNumberGenerator()
    for _ in 0..<200 {
      var lane = FairLane()
      for number in 0..<Int.random(in: 0..<60, using: &random) {
        lane.append(job("\(number)", .random(in: 0..<6, using: &random)))
        if Int.random(in: 0..<3, using: &random) == 0 { _ = lane.removeFirst() }
      }
      let source = UInt64.random(in: 0..<7, using: &random)
      let reckoned = lane.countBefore(source: source)
      lane.append(job("new", source))
      let served = drained(lane)
      let before = served.firstIndex(of: "new") ?? -1
      #expect(abs(before - reckoned) <= 6, "\(served)")
    }
  }

  @Test func `what is taken out leaves the others in their order`() {
    var lane = lane([("a1", 1), ("x1", 1), ("b1", 2), ("x2", 2), ("x3", 3), ("a2", 1)])
    let gone = lane.removeAll { $0.request.requestID.hasPrefix("x") }
    #expect(Set(gone.map(\.request.requestID)) == ["x1", "x2", "x3"])
    #expect(lane.count == 3)
    #expect(drained(lane) == ["a1", "b1", "a2"])
  }
}
