internal import Base
internal import Snapshots

/// One ranking thread of a replica: takes the live generation once for a request and holds it to the end, so that a
/// cutover in between changes nothing about the answer.
final class ReplicaWorker: RankWorker {
  private let slot: LiveSlot<Generation>
  private let pipeline: RankPipeline
  private let routing: Routing
  private let counters: RankCounters
  private let region: String
  private let replica: String

  init(
    slot: LiveSlot<Generation>, pipeline: RankPipeline, routing: Routing, counters: RankCounters,
    region: String, replica: String
  ) {
    self.slot = slot
    self.pipeline = pipeline
    self.routing = routing
    self.counters = counters
    self.region = region
    self.replica = replica
  }

  func answer(_ job: RankJob, effort: Effort) -> Result<RankReply, Fault> {
    guard let generation = slot.current else {
      counters.add(.failed)
      return .failure(Replica.nothingToServe)
    }
    do throws(Fault) {
      let outcome = try pipeline.rank(job, in: generation, effort: effort)
      counters.addAnswer(rungs: outcome.rungs, stages: outcome.stages)
      return .success(
        RankReply(
          requestID: job.request.requestID, rows: outcome.rows, snapshot: generation.name,
          rungs: outcome.rungs, region: region, replica: replica, routingEpoch: routing.epoch,
          stages: job.request.debug ? outcome.stages : []))
    } catch {
      counters.add(error.code == .cancelled ? .droppedCancelled : .droppedExpired)
      return .failure(error)
    }
  }
}
