import Base

/// `FleetStatus` as commands print it.
struct FleetReport: Encodable {
  var routing: RoutingReport
  var regions: [Region]
  var snapshots: [Snapshot]

  struct Region: Encodable {
    var name: String
    var target: UInt64
    var staging: UInt64
    var pinned: UInt64
    var halted: String
    var replicas: [Replica]
  }

  struct Replica: Encodable {
    var name: String
    var address: String
    var isConnected: Bool
    var status: Status
    /// What people read of ``Status/recall``; not in JSON.
    var recallLine: String?

    private enum CodingKeys: CodingKey { case name, address, isConnected, status }
  }

  struct Status: Encodable {
    var phase: String
    var serving: UInt64
    var servingDigest: String?
    var staged: [UInt64]
    var refused: [Refused]
    var routingEpoch: UInt64
    var bytesTotal: UInt64
    var bytesFetched: UInt64
    var bytesReused: UInt64
    var readyMs: UInt32
    var recall: Recall?
  }

  /// Of live searches of what is served; absent where none is sampled.
  struct Recall: Encodable {
    var samples: UInt64
    var mean: Float
    var low: Float
    var high: Float
    var target: Float
    var partial: UInt64
    var dropped: UInt64
    var isLow: Bool

    init(_ recall: RetrievalRecall) {
      samples = recall.sampleCount
      mean = recall.mean
      low = recall.low
      high = recall.high
      target = recall.target
      partial = recall.partialCount
      dropped = recall.droppedCount
      isLow = recall.isLow
    }
  }

  struct Refused: Encodable {
    var sequence: UInt64
    var digest: String
    var code: String
    var place: String
    var message: String
  }

  struct Snapshot: Encodable {
    var sequence: UInt64
    var digest: String
    var parent: UInt64
    var createdMs: Int64
    var expiresMs: Int64
    var titleCount: UInt64
    var byteCount: UInt64
    var isWithdrawn: Bool
  }

  init(_ status: FleetStatus) {
    routing = RoutingReport(status.routing)
    regions = status.regions.map { region in
      Region(
        name: region.name, target: region.target, staging: region.staging, pinned: region.pinned,
        halted: region.halted, replicas: region.replicas.map(Replica.init))
    }
    snapshots = status.snapshots.map {
      Snapshot(
        sequence: $0.sequence, digest: $0.digest.hex, parent: $0.parent, createdMs: $0.created.milliseconds,
        expiresMs: $0.expires.milliseconds, titleCount: $0.titleCount, byteCount: $0.byteCount,
        isWithdrawn: $0.isWithdrawn)
    }
  }

  var text: String {
    var lines = ["routing epoch \(routing.epoch)"]
    var table = Table("REGION", "REPLICA", "ADDRESS", "PHASE", "SERVES", "STAGED", "FETCHED")
    for region in regions {
      for replica in region.replicas {
        table.add(
          region.name, replica.name, replica.address, replica.isConnected ? replica.status.phase : "away",
          "\(replica.status.serving)", replica.status.staged.map(String.init).joined(separator: ","),
          "\(readable(bytes: replica.status.bytesFetched)) of \(readable(bytes: replica.status.bytesTotal))")
      }
    }
    lines.append(table.text)
    for region in regions {
      var facts = ["target \(region.target)"]
      if region.staging != 0 { facts.append("staging \(region.staging)") }
      if region.pinned != 0 { facts.append("pinned to \(region.pinned)") }
      if !region.halted.isEmpty { facts.append("HALTED: \(region.halted)") }
      let over = routing.regions.first { $0.name == region.name }?.failedOverTo ?? ""
      if !over.isEmpty { facts.append("failed over to \(over)") }
      lines.append("\(region.name): " + facts.joined(separator: ", "))
      for replica in region.replicas {
        if let line = replica.recallLine { lines.append("  \(replica.name) \(line)") }
        for refused in replica.status.refused {
          lines.append(
            "  \(replica.name) refused \(refused.sequence): \(refused.code) at \(refused.place): \(refused.message)"
          )
        }
      }
    }
    for snapshot in snapshots {
      lines.append(
        "snapshot \(snapshot.sequence)  \(snapshot.digest.prefix(12))  \(readable(count: snapshot.titleCount)) titles  "
          + readable(bytes: snapshot.byteCount) + (snapshot.parent == 0 ? "" : "  from \(snapshot.parent)")
          + (snapshot.isWithdrawn ? "  withdrawn" : ""))
    }
    return lines.joined(separator: "\n")
  }
}

extension FleetReport.Replica {
  private static func line(_ recall: RetrievalRecall) -> String? {
    guard recall.sampleCount > 0 else { return nil }
    return (recall.isLow ? "RECALL IS LOW: " : "") + recall.line
  }

  init(_ replica: FleetStatus.Replica) {
    let status = replica.status
    self.init(
      name: replica.name, address: replica.address, isConnected: replica.isConnected,
      status: FleetReport.Status(
        phase: "\(status.phase)", serving: status.serving, servingDigest: status.servingDigest?.hex,
        staged: status.staged,
        refused: status.refused.map {
          FleetReport.Refused(
            sequence: $0.sequence, digest: $0.digest.hex, code: $0.refusal.code.rawValue,
            place: $0.refusal.place,
            message: $0.refusal.message)
        }, routingEpoch: status.routingEpoch, bytesTotal: status.bytesTotal,
        bytesFetched: status.bytesFetched,
        bytesReused: status.bytesReused, readyMs: status.readyMilliseconds,
        recall: status.recall.map(FleetReport.Recall.init)),
      recallLine: status.recall.flatMap(Self.line))
  }
}

/// `RoutingTable` as commands print it.
struct RoutingReport: Encodable {
  struct Region: Encodable {
    var name: String
    var failedOverTo: String
    var replicas: [String]
    var fallbacks: [String]
  }

  var epoch: UInt64
  var regions: [Region]

  init(_ table: RoutingTable) {
    epoch = table.epoch
    regions = table.regions.map {
      Region(name: $0.name, failedOverTo: $0.failedOverTo, replicas: $0.replicas, fallbacks: $0.fallbacks)
    }
  }

  var text: String {
    var table = Table("REGION", "SERVED BY", "REPLICAS", "FALLBACKS")
    for region in regions {
      table.add(
        region.name, region.failedOverTo.isEmpty ? region.name : region.failedOverTo,
        region.replicas.joined(separator: " "), region.fallbacks.joined(separator: " "))
    }
    return "routing epoch \(epoch)\n" + table.text
  }
}
