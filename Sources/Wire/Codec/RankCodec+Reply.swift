package import Base

extension RankCodec {
  /// The one hot message: every length first, then all of it straight into its bytes.
  package static func encode(_ reply: RankReply) -> [UInt8] {
    let rowByteCounts = reply.rows.map { byteCount($0) }
    let nameByteCount = byteCount(reply.snapshot)
    var total =
      ProtoSize.text(reply.requestID) + ProtoSize.text(reply.region) + ProtoSize.text(reply.replica)
      + ProtoSize.number(reply.routingEpoch) + ProtoSize.delimited(nameByteCount)
    for count in rowByteCounts { total += ProtoSize.delimited(count) }
    // A rung is a byte.
    if !reply.rungs.isEmpty { total += ProtoSize.delimited(reply.rungs.count) }
    for time in reply.stages { total += ProtoSize.delimited(byteCount(time)) }
    return ExactWriter.bytes(byteCount: total) { writer in
      writer.text(1, reply.requestID)
      for (row, byteCount) in zip(reply.rows, rowByteCounts) {
        writer.header(2, byteCount: byteCount)
        write(row, to: &writer)
      }
      writer.header(3, byteCount: nameByteCount)
      write(reply.snapshot, to: &writer)
      if !reply.rungs.isEmpty {
        writer.header(4, byteCount: reply.rungs.count)
        for rung in reply.rungs { writer.varint(UInt64(rung.rawValue)) }
      }
      writer.text(5, reply.region)
      writer.text(6, reply.replica)
      writer.number(7, reply.routingEpoch)
      for time in reply.stages {
        writer.header(8, byteCount: byteCount(time))
        writer.number(1, UInt64(time.stage.rawValue))
        writer.number(2, UInt64(time.microseconds))
      }
    }
  }

  private static func byteCount(_ row: RankReply.Row) -> Int {
    var total = ProtoSize.text(row.id) + ProtoSize.text(row.name)
    // Not element by element: each would be retained and released.
    row.titles.withUnsafeBufferPointer { titles in
      for index in titles.indices { total += ProtoSize.delimited(byteCount(titles[index])) }
    }
    return total
  }

  @inline(__always)
  private static func byteCount(_ title: RankReply.RankedTitle) -> Int {
    ProtoSize.text(title.id) + ProtoSize.text(title.name) + ProtoSize.float(title.score)
      + ProtoSize.number(UInt64(title.source.rawValue))
  }

  private static func byteCount(_ time: RankReply.StageTime) -> Int {
    ProtoSize.number(UInt64(time.stage.rawValue)) + ProtoSize.number(UInt64(time.microseconds))
  }

  private static func byteCount(_ name: SnapshotName) -> Int {
    ProtoSize.number(name.sequence) + ProtoSize.text(name.digest) + ProtoSize.text(name.space)
      + ProtoSize.text(name.model) + ProtoSize.text(name.features) + ProtoSize.text(name.policy)
  }

  private static func write(_ row: RankReply.Row, to writer: inout ExactWriter) {
    writer.text(1, row.id)
    writer.text(2, row.name)
    row.titles.withUnsafeBufferPointer { titles in
      for index in titles.indices {
        writer.header(3, byteCount: byteCount(titles[index]))
        withUnsafePointer(to: titles[index].id) { writer.text(1, at: $0) }
        withUnsafePointer(to: titles[index].name) { writer.text(2, at: $0) }
        writer.float(3, titles[index].score)
        writer.number(4, UInt64(titles[index].source.rawValue))
      }
    }
  }

  private static func write(_ name: SnapshotName, to writer: inout ExactWriter) {
    writer.number(1, name.sequence)
    writer.text(2, name.digest)
    writer.text(3, name.space)
    writer.text(4, name.model)
    writer.text(5, name.features)
    writer.text(6, name.policy)
  }
}
