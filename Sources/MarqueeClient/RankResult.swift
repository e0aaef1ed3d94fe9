internal import Base

/// Rows, and how they came about.
public struct RankResult: Sendable, Equatable {
  /// What exposures and events name: one for each ``MarqueeClient/rank(_:timeout:)``, however often it was tried.
  public let requestID: String
  public let rows: [Row]
  /// The one version that everything here comes from.
  public let snapshot: Snapshot
  /// What could not be had in time, by the name of the ladder's step (`noHistory`, `retrievalPartial` …).
  public let degradations: [String]
  /// Who answered.
  public let region: String
  public let replica: String
  /// The newest routing that the replica knew.
  public let routingEpoch: UInt64
  /// Only with `debug`: the stages in their order.
  public let stages: [StageTime]
  /// Tries that were made, the one that answered included.
  public let tryCount: Int

  public struct Row: Sendable, Equatable {
    public let id: String
    /// For people.
    public let name: String
    public let titles: [Title]
  }

  public struct Title: Sendable, Equatable {
    public let id: String
    public let name: String
    public let score: Float
    /// Where the title came from (`similar`, `trending` …).
    public let source: String
  }

  public struct Snapshot: Sendable, Equatable {
    public let sequence: UInt64
    /// Hexadecimal SHA-256 of the manifest.
    public let digest: String
    public let space: String
    public let model: String
    public let features: String
    public let policy: String
  }

  public struct StageTime: Sendable, Equatable {
    public let stage: String
    public let microseconds: Int
  }

  init(_ reply: RankReply, tryCount: Int) {
    requestID = reply.requestID
    rows = reply.rows.map { row in
      Row(
        id: row.id, name: row.name,
        titles: row.titles.map { Title(id: $0.id, name: $0.name, score: $0.score, source: "\($0.source)") })
    }
    let name = reply.snapshot
    snapshot = Snapshot(
      sequence: name.sequence, digest: name.digest, space: name.space, model: name.model,
      features: name.features, policy: name.policy)
    degradations = reply.rungs.map { "\($0)" }
    region = reply.region
    replica = reply.replica
    routingEpoch = reply.routingEpoch
    stages = reply.stages.map { StageTime(stage: "\($0.stage)", microseconds: Int($0.microseconds)) }
    self.tryCount = tryCount
  }
}
