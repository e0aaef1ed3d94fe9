import Base
import Retrieval
import Snapshots
import Testing

@testable import Serving

@Suite struct RecallTests {
  private func kitchen(_ retriever: TestRetriever = TestRetriever()) throws -> TestKitchen {
    var kitchen = try TestKitchen(TestSnapshot())
    kitchen.histories.watch("p", ["a2", "a8", "a14"])
    kitchen.stages.retriever = retriever
    return kitchen
  }

  private func watch(_ kitchen: inout TestKitchen, samplePeriod: Int = 1) -> (RecallMonitor, RecallMeter) {
    let monitor = RecallMonitor(samplePeriod: samplePeriod)
    kitchen.stages.retriever = WatchedRetriever(retriever: kitchen.stages.retriever, monitor: monitor)
    return (monitor, RecallMeter(monitor, time: kitchen.time))
  }

  @Test func `an index that finds all has a recall of one`() throws {
    var kitchen = try kitchen()
    let (_, meter) = watch(&kitchen)
    for _ in 0..<40 {
      _ = try kitchen.rank(.test())
      while meter.measureNext() {}
    }
    let report = kitchen.generation.recall.report
    #expect(report.sampleCount >= 40 && report.droppedCount == 0 && report.partialCount == 0)
    #expect(report.mean == 1 && report.low == 1 && report.high == 1 && report.target == 1)
    #expect(!report.isLow)
  }

  @Test func `an index that finds the half of it is low, with a filter too`() throws {
    var kitchen = try kitchen(TestRetriever(change: { $0.count /= 2 }))
    let (_, meter) = watch(&kitchen)
    for number in 0..<40 {
      _ = try kitchen.rank(.test(country: number % 2 == 0 ? "DE" : "FR", maturityMax: 12))
      while meter.measureNext() {}
    }
    let report = kitchen.generation.recall.report
    #expect(report.sampleCount >= 40 && abs(report.mean - 0.5) < 0.02)
    #expect(report.low <= report.mean && report.high >= report.mean && report.isLow)
    #expect(report.line.hasPrefix("retrieval finds 0.5 of the exact answers"))
  }

  @Test func `a search that was cut short is counted apart`() throws {
    var kitchen = try kitchen(TestRetriever(change: { $0.isPartial = true }))
    let (monitor, meter) = watch(&kitchen)
    _ = try kitchen.rank(.test())
    #expect(monitor.next() == nil && !meter.measureNext())
    let report = kitchen.generation.recall.report
    #expect(report.partialCount > 0 && report.sampleCount == 0 && report.droppedCount == 0)
    #expect(report.low == 0 && report.high == 1)
  }

  @Test func `what a full queue has no room for is dropped and counted`() throws {
    var kitchen = try kitchen()
    let (monitor, _) = watch(&kitchen)
    for _ in 0..<20 { _ = try kitchen.rank(.test()) }
    var waitingCount = 0
    while monitor.next() != nil { waitingCount += 1 }
    #expect(waitingCount == RecallMonitor.waitingCountMax)
    #expect(kitchen.generation.recall.report.droppedCount >= 20 - 4)
  }

  @Test func `about as many are sampled as were asked for`() throws {
    var kitchen = try kitchen()
    let (monitor, _) = watch(&kitchen, samplePeriod: 10)
    var sampledCount = 0
    for _ in 0..<300 {
      _ = try kitchen.rank(.test())
      while monitor.next() != nil { sampledCount += 1 }
    }
    // Two searches a request: the profile's vector, and the title last watched.
    #expect((30...90).contains(sampledCount))
  }

  @Test func `a sample keeps no generation alive, and is nothing once that is gone`() throws {
    let monitor = RecallMonitor(samplePeriod: 1)
    weak var gone: Generation?
    do {
      var kitchen = try kitchen()
      kitchen.stages.retriever = WatchedRetriever(retriever: kitchen.stages.retriever, monitor: monitor)
      _ = try kitchen.rank(.test())
      gone = kitchen.generation
      #expect(gone != nil)
    }
    #expect(gone == nil)
    let meter = RecallMeter(monitor, time: ManualTime(now: TestSnapshot.now))
    #expect(meter.measureNext())
    while meter.measureNext() {}
  }

  @Test func `a replica measures while it serves, across a cutover, and says so in its status`() async throws
  {
    let fleet = try TestFleet()
    let one = try fleet.replica(recallSamplePeriod: 1, recallIntervalMilliseconds: 1)
    let generations = try (1...2).map { try TestSnapshot(sequence: UInt64($0)).open(time: fleet.time) }
    let events = (0..<4).map {
      Event(id: "e\($0)", profileID: "p", titleID: "a\($0 * 6)", kind: .like, at: fleet.time.now)
    }
    one.replica.slot.cutover(to: generations[0])
    _ = try await one.replica.record(events)
    for generation in generations {
      one.replica.slot.cutover(to: generation)
      while generation.recall.report.sampleCount < 3 { _ = try await one.rank(.test()) }
      let status = await one.replica.status
      #expect(status.serving == generation.sequence)
      #expect((status.recall?.sampleCount ?? 0) >= 3 && status.recall?.mean == 1)
      #expect(await one.replica.shareRecall() == nil)
    }
    await one.stop()
  }

  @Test func `nothing is sampled unless it is asked for`() async throws {
    let fleet = try TestFleet()
    let one = try fleet.replica()
    let generation = try TestSnapshot().open(time: fleet.time)
    one.replica.slot.cutover(to: generation)
    for _ in 0..<20 { _ = try await one.rank(.test()) }
    #expect(await one.replica.status.recall == nil)
    #expect(await one.replica.shareRecall() == nil)
    #expect(generation.recall.report == RetrievalRecall(target: 1))
    await one.stop()
  }

  @Test func `news is given once a minute, and at once when recall turns`() {
    var news = RecallNews()
    let start = Instant(nanoseconds: 1)
    var recall = RetrievalRecall(sampleCount: 1, mean: 0.9, target: 0.95)
    #expect(news.take(recall, of: 1, at: start) == .more)
    #expect(news.take(recall, of: 1, at: start.advanced(byMilliseconds: 90_000)) == .nothing)
    recall.sampleCount = 40
    #expect(news.take(recall, of: 1, at: start.advanced(byMilliseconds: 59_000)) == .nothing)
    #expect(news.take(recall, of: 1, at: start.advanced(byMilliseconds: 60_000)) == .more)
    (recall.sampleCount, recall.low, recall.high) = (41, 0.88, 0.91)
    #expect(recall.isLow)
    #expect(news.take(recall, of: 1, at: start.advanced(byMilliseconds: 61_000)) == .turn)
    recall.sampleCount = 42
    #expect(news.take(recall, of: 1, at: start.advanced(byMilliseconds: 62_000)) == .nothing)
    (recall.sampleCount, recall.high) = (43, 0.93)
    #expect(news.take(recall, of: 1, at: start.advanced(byMilliseconds: 63_000)) == .turn)
    #expect(news.take(recall, of: 2, at: start.advanced(byMilliseconds: 63_000)) == .more)
  }
}
