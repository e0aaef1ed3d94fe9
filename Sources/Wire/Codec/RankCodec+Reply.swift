package import Base

extension RankCodec {
  /// The one hot message: lengths first, then everything straight into bytes that are never moved.
  package static func encode(_ reply: RankReply) -> [UInt8] {
    let rowByteCounts = reply.rows.map(byteCount)
    let capacity =
      rowByteCounts.reduce(0) { $0 + ProtoSize.delimited($1) }
      + ProtoSize.text(reply.requestID) + ProtoSize.text(reply.region) + ProtoSize.text(reply.replica)
      + ProtoSize.number(reply.routingEpoch)
      + ProtoSize.delimited(byteCount(reply.snapshot))
      // A rung is a byte, a stage at most 10.
      + ProtoSize.delimited(reply.rungs.count) + reply.stages.count * 10
    var writer = ProtoWriter(capacity: capacity)
    writer.text(1, reply.requestID)
    for (row, byteCount) in zip(reply.rows, rowByteCounts) {
      writer.header(2, byteCount: byteCount)
      write(row, to: &writer)
    }
    writer.header(3, byteCount: byteCount(reply.snapshot))
    write(reply.snapshot, to: &writer)
    writer.packed(4, reply.rungs.map { UInt64($0.rawValue) })
    writer.text(5, reply.region)
    writer.text(6, reply.replica)
    writer.number(7, reply.routingEpoch)
    for time in reply.stages {
      writer.message(8) { inner in
        inner.number(1, UInt64(time.stage.rawValue))
        inner.number(2, UInt64(time.microseconds))
      }
    }
    return writer.bytes
  }

  private static func byteCount(_ row: RankReply.Row) -> Int {
    var total = ProtoSize.text(row.id) + ProtoSize.text(row.name)
    for title in row.titles { total += ProtoSize.delimited(byteCount(title)) }
    return total
  }

  private static func byteCount(_ title: RankReply.RankedTitle) -> Int {
    ProtoSize.text(title.id) + ProtoSize.text(title.name) + ProtoSize.float(title.score)
      + ProtoSize.number(UInt64(title.source.rawValue))
  }

  private static func byteCount(_ name: SnapshotName) -> Int {
    ProtoSize.number(name.sequence) + ProtoSize.text(name.digest) + ProtoSize.text(name.space)
      + ProtoSize.text(name.model) + ProtoSize.text(name.features) + ProtoSize.text(name.policy)
  }

  private static func write(_ row: RankReply.Row, to writer: inout ProtoWriter) {
    writer.text(1, row.id)
    writer.text(2, row.name)
    for title in row.titles {
      writer.header(3, byteCount: byteCount(title))
      writer.text(1, title.id)
      writer.text(2, title.name)
      writer.float(3, title.score)
      writer.number(4, UInt64(title.source.rawValue))
    }
  }

  private static func write(_ name: SnapshotName, to writer: inout ProtoWriter) {
    writer.number(1, name.sequence)
    writer.text(2, name.digest)
    writer.text(3, name.space)
    writer.text(4, name.model)
    writer.text(5, name.features)
    writer.text(6, name.policy)
  }
}
