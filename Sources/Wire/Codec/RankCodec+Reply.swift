package import Base

extension RankCodec {
  /// The most that a field's tag and length, or a number of 32 bits, take.
  private static let fieldByteCountMax = 6
  /// How many bytes a row's length mostly takes.
  private static let rowLengthByteCount = 2

  /// The one hot message: room for all of it first, then one pass.
  static func send(_ reply: RankReply, _ call: ServerCall) {
    let byteCountMax = byteCountMax(reply)
    call.reply(byteCountMax: byteCountMax) { write(reply, into: $0) }
  }

  package static func encode(_ reply: RankReply) -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: byteCountMax(reply)) { buffer, count in
      count = write(reply, into: buffer)
    }
  }

  private static func write(_ reply: RankReply, into buffer: UnsafeMutableBufferPointer<UInt8>) -> Int {
    ExactWriter.write(into: buffer) { writer in
      writer.text(1, reply.requestID)
      for row in reply.rows {
        writer.nested(2, lengthByteCount: rowLengthByteCount) { write(row, to: &$0) }
      }
      writer.nested(3, lengthByteCount: 1) { write(reply.snapshot, to: &$0) }
      if !reply.rungs.isEmpty {
        // A rung is a byte.
        writer.header(4, byteCount: reply.rungs.count)
        for rung in reply.rungs { writer.varint(UInt64(rung.rawValue)) }
      }
      writer.text(5, reply.region)
      writer.text(6, reply.replica)
      writer.number(7, reply.routingEpoch)
      for time in reply.stages {
        writer.nested(8, lengthByteCount: 1) {
          $0.number(1, UInt64(time.stage.rawValue))
          $0.number(2, UInt64(time.microseconds))
        }
      }
    }
  }

  /// Texts count with their bytes, and all else with the most that it can take.
  private static func byteCountMax(_ reply: RankReply) -> Int {
    var texts = reply.requestID.utf8.count + reply.region.utf8.count + reply.replica.utf8.count
    texts += byteCount(reply.snapshot)
    // Of the reply 6 beside its rows, of the name 6.
    var fields = 12
    for row in reply.rows {
      texts += row.id.utf8.count + row.name.utf8.count
      for title in row.titles { texts += title.text.id.count + title.text.name.count }
      // Of the row 3 and of each title 4 beside its own.
      fields += 3 + 5 * row.titles.count
    }
    fields += 3 * reply.stages.count
    // Of the numbers, two have 64 bits.
    return texts + reply.rungs.count + fields * fieldByteCountMax + 10
  }

  private static func byteCount(_ name: SnapshotName) -> Int {
    name.digest.utf8.count + name.space.utf8.count + name.model.utf8.count + name.features.utf8.count
      + name.policy.utf8.count
  }

  @inline(__always)
  private static func write(_ row: RankReply.Row, to writer: inout ExactWriter) {
    writer.text(1, row.id)
    writer.text(2, row.name)
    for title in row.titles {
      writer.nested(3, lengthByteCount: 1) { writer in
        writer.bytes(1, title.text.id)
        writer.bytes(2, title.text.name)
        writer.float(3, title.score)
        writer.number(4, UInt64(title.source.rawValue))
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
