internal import Base
internal import Retrieval
internal import Synchronization

/// Chooses live searches to be compared with the exact answer, and keeps them until that is done.
///
/// Ranking threads never wait here: without room, or while somebody else is at the queue, a sample is dropped.
final class RecallMonitor: Sendable {
  /// Each holds a copy of its filter: 125 KB at a million titles.
  static let waitingCountMax = 4

  private let samplePeriod: UInt64
  private let searchCount = Atomic<UInt64>(0)
  private let waiting = Mutex<[RecallSample]>([])

  /// - Parameter samplePeriod: of how many searches one is chosen, on average; above 0.
  init(samplePeriod: Int) {
    precondition(samplePeriod > 0, "a monitor that samples nothing is none")
    self.samplePeriod = UInt64(samplePeriod)
  }

  /// Looks at a search that is done; its results are in the scratch.
  func look(
    at outcome: SearchOutcome, of query: UnsafeBufferPointer<Float>, k: Int, allowed: OrdinalFilter,
    in generation: Generation, scratch: SearchScratch
  ) {
    guard isNextChosen() else { return }
    guard !outcome.isPartial else { return generation.recall.addPartial() }
    let isKept: Bool? = waiting.withLockIfAvailable { waiting in
      guard waiting.count < Self.waitingCountMax else { return false }
      let count = min(max(outcome.count, 0), k, scratch.ordinals.count)
      waiting.append(
        RecallSample(
          query, k: k, allowed: allowed, found: scratch.ordinals.prefix(count), in: generation))
      return true
    }
    if isKept != true { generation.recall.addDropped() }
  }

  /// The sample that has waited longest.
  func next() -> RecallSample? { waiting.withLock { $0.isEmpty ? nil : $0.removeFirst() } }

  /// By a hash of the search's number: every so-and-so-manieth would always be the same source of a request.
  private func isNextChosen() -> Bool {
    let number = searchCount.wrappingAdd(1, ordering: .relaxed).oldValue
    var random = SplitMix(seed: number)
    return random.next() % samplePeriod == 0
  }
}

/// A retriever that a monitor looks at.
struct WatchedRetriever: Retriever {
  let retriever: any Retriever
  let monitor: RecallMonitor

  func search(
    _ query: UnsafeBufferPointer<Float>, k: Int, allowed: OrdinalFilter, in generation: Generation,
    deadline: Instant, time: any TimeSource, scratch: SearchScratch
  ) -> SearchOutcome {
    let outcome = retriever.search(
      query, k: k, allowed: allowed, in: generation, deadline: deadline, time: time, scratch: scratch)
    monitor.look(at: outcome, of: query, k: k, allowed: allowed, in: generation, scratch: scratch)
    return outcome
  }
}
