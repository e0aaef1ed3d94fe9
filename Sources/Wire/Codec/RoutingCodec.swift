package import Base
internal import CMessages

/// `RoutingTable`, alone and inside other messages.
package enum RoutingCodec {
  private static let empty = MessageShape.request(marquee__v1__get_routing_request__init, fieldCountMax: 64)
  private static let reply = MessageShape.reply(
    marquee__v1__routing_table__init, fieldCountMax: fieldCountMax)

  /// Each region may name itself and every other region, and all of them together `replicaCountMax` replicas.
  static let fieldCountMax = Limits.regionCountMax * (Limits.regionCountMax + 8) + Limits.replicaCountMax

  package static func decodeRequest(_ bytes: [UInt8]) throws(Fault) {
    try empty.decode(bytes) { _ throws(Fault) in }
  }

  package static func encodeRequest() -> [UInt8] { [] }

  package static func decodeTable(_ bytes: [UInt8]) throws(Fault) -> RoutingTable {
    try reply.decode(bytes, read)
  }

  package static func encode(_ table: RoutingTable) -> [UInt8] {
    var writer = ProtoWriter(capacity: 256)
    write(table, to: &writer)
    return writer.bytes
  }

  static func read(_ message: Marquee__V1__RoutingTable) throws(Fault) -> RoutingTable {
    let regions = try Field.list(
      message.regions, message.n_regions, "regions", max: Limits.regionCountMax, region)
    guard Set(regions.map(\.name)).count == regions.count else {
      throw Fault(.invalidArgument, "regions name one region twice")
    }
    return RoutingTable(epoch: message.epoch, regions: regions)
  }

  static func write(_ table: RoutingTable, to writer: inout ProtoWriter) {
    writer.number(1, table.epoch)
    for region in table.regions {
      writer.message(2) { inner in
        inner.text(1, region.name)
        inner.text(2, region.failedOverTo)
        for address in region.replicas { inner.textElement(3, address) }
        for name in region.fallbacks { inner.textElement(4, name) }
      }
    }
  }

  private static func region(_ message: Marquee__V1__RoutingRegion) throws(Fault) -> RoutingTable.Region {
    RoutingTable.Region(
      name: try Field.requiredText(message.name, "name"),
      failedOverTo: try Field.text(message.failed_over_to, "failed_over_to"),
      replicas: try Field.texts(
        message.replicas, message.n_replicas, "replicas", max: Limits.replicaCountMax,
        byteCountMax: CodecLimits.addressByteCountMax),
      fallbacks: try Field.texts(
        message.fallbacks, message.n_fallbacks, "fallbacks", max: Limits.regionCountMax))
  }
}
