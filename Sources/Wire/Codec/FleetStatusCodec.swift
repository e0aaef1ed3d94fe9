package import Base
internal import CMessages

/// `FleetStatus`.
package enum FleetStatusCodec {
  // Few replicas have refused anything; a fleet where all have refused much doesn't fit a message either.
  private static let reply = MessageShape.reply(
    marquee__v1__fleet_status__init,
    fieldCountMax: RoutingCodec.fieldCountMax + Limits.replicaCountMax * 96
      + CodecLimits.snapshotSummaryCountMax * 9)

  package static func decode(_ bytes: [UInt8]) throws(Fault) -> FleetStatus {
    try reply.decode(bytes) { message throws(Fault) in
      FleetStatus(
        routing: try Field.inside(
          try Field.required(message.routing, "routing"), "routing", RoutingCodec.read),
        regions: try Field.list(
          message.regions, message.n_regions, "regions", max: Limits.regionCountMax, region),
        snapshots: try Field.list(
          message.snapshots, message.n_snapshots, "snapshots", max: CodecLimits.snapshotSummaryCountMax,
          snapshot))
    }
  }

  package static func encode(_ fleet: FleetStatus) -> [UInt8] {
    var writer = ProtoWriter(capacity: 4096)
    writer.message(1) { RoutingCodec.write(fleet.routing, to: &$0) }
    for region in fleet.regions {
      writer.message(2) { write(region, to: &$0) }
    }
    for summary in fleet.snapshots {
      writer.message(3) { write(summary, to: &$0) }
    }
    return writer.bytes
  }

  private static func region(_ message: Marquee__V1__RegionStatus) throws(Fault) -> FleetStatus.Region {
    FleetStatus.Region(
      name: try Field.requiredText(message.name, "name"), target: message.target, staging: message.staging,
      pinned: message.pinned,
      halted: try Field.text(message.halted, "halted", max: CodecLimits.textByteCountMax),
      replicas: try Field.list(
        message.replicas, message.n_replicas, "replicas", max: Limits.replicaCountMax, replica))
  }

  private static func replica(_ message: Marquee__V1__FleetReplica) throws(Fault) -> FleetStatus.Replica {
    FleetStatus.Replica(
      name: try Field.text(message.name, "name"),
      address: try Field.text(message.address, "address", max: CodecLimits.addressByteCountMax),
      isConnected: message.is_connected != 0,
      status: try Field.inside(try Field.required(message.status, "status"), "status", StatusCodec.read))
  }

  private static func snapshot(_ message: Marquee__V1__SnapshotSummary) throws(Fault) -> SnapshotSummary {
    SnapshotSummary(
      sequence: message.sequence, digest: try Field.digest(message.digest, "digest"),
      parent: message.parent, created: try Field.timestamp(message.created_ms, "created_ms"),
      expires: try Field.timestamp(message.expires_ms, "expires_ms"), titleCount: message.title_count,
      byteCount: message.byte_count, isWithdrawn: message.is_withdrawn != 0)
  }

  private static func write(_ region: FleetStatus.Region, to writer: inout ProtoWriter) {
    writer.text(1, region.name)
    writer.number(2, region.target)
    writer.number(3, region.staging)
    writer.number(4, region.pinned)
    writer.text(5, region.halted.cut(toByteCount: CodecLimits.textByteCountMax))
    for replica in region.replicas {
      writer.message(6) { inner in
        inner.text(1, replica.name)
        inner.text(2, replica.address)
        inner.flag(3, replica.isConnected)
        inner.message(4) { StatusCodec.write(replica.status, to: &$0) }
      }
    }
  }

  private static func write(_ summary: SnapshotSummary, to writer: inout ProtoWriter) {
    writer.number(1, summary.sequence)
    writer.data(2, summary.digest.bytes)
    writer.number(3, summary.parent)
    writer.number(4, summary.created.milliseconds)
    writer.number(5, summary.expires.milliseconds)
    writer.number(6, summary.titleCount)
    writer.number(7, summary.byteCount)
    writer.flag(8, summary.isWithdrawn)
  }
}
