/// A bounded queue of requests in which sources take turns: one that sends many waits behind its own, and one that
/// sends a request now and then waits behind at most one of each other's. A source's own requests keep their order.
///
/// Round robin by count and not by cost, since requests with every stage cost about the same.
struct FairLane {
  private struct Source {
    var id: UInt64
    var jobs: [RankJob] = []
    /// Where the next one is in `jobs`.
    var head = 0

    var count: Int { jobs.count - head }

    mutating func removeFirst() -> RankJob {
      let job = jobs[head]
      head += 1
      // What was handed out is let go of once it is the greater part.
      if head * 2 > jobs.count {
        jobs.removeFirst(head)
        head = 0
      }
      return job
    }
  }

  /// Those with requests, the next to be served first.
  private var turns: [Source] = []
  private(set) var count = 0

  /// How many are served before one that this source adds now.
  func countBefore(source: UInt64) -> Int {
    let own = turns.first { $0.id == source }?.count ?? 0
    return turns.reduce(0) { $0 + min($1.count, $1.id == source ? own : own + 1) }
  }

  mutating func append(_ job: RankJob) {
    count += 1
    if let index = turns.firstIndex(where: { $0.id == job.source }) {
      turns[index].jobs.append(job)
    } else {
      turns.append(Source(id: job.source, jobs: [job]))
    }
  }

  mutating func removeFirst() -> RankJob? {
    guard !turns.isEmpty else { return nil }
    count -= 1
    var source = turns.removeFirst()
    let job = source.removeFirst()
    if source.count > 0 { turns.append(source) }
    return job
  }

  mutating func removeAll(where isGone: (RankJob) -> Bool) -> [RankJob] {
    var gone: [RankJob] = []
    for index in turns.indices {
      let jobs = turns[index].jobs.dropFirst(turns[index].head)
      gone += jobs.filter(isGone)
      turns[index].jobs = jobs.filter { !isGone($0) }
      turns[index].head = 0
    }
    turns.removeAll { $0.count == 0 }
    count -= gone.count
    return gone
  }
}
