import Base
import CMessages
import CProtobufC
import Glibc
import Wire

/// The method with protobuf-c both ways, doing what nghttp2-server.c does, so that what differs is the stack.
enum ProtobufCRanking {
  /// C strings of the reply, kept for the life of the process.
  ///
  /// Guard for `@unchecked Sendable`: never written after they are made.
  private struct Texts: @unchecked Sendable {
    let ids = Reply.ids.map(permanent)
    let names = Reply.names.map(permanent)
    let rowID = permanent("top_picks")
    let rowName = permanent("Top picks for you")
    let digest = permanent(Reply.snapshot.digest)
    let space = permanent(Reply.snapshot.space)
    let model = permanent(Reply.snapshot.model)
    let features = permanent(Reply.snapshot.features)
    let policy = permanent(Reply.snapshot.policy)
    let region = permanent("north")
    let replica = permanent("north-1")
  }

  private static let texts = Texts()

  private static func permanent(_ text: String) -> UnsafeMutablePointer<CChar> {
    guard let copy = strdup(text) else { preconditionFailure("out of memory") }
    return copy
  }

  static func answer(_ call: ServerCall, _ message: [UInt8]) {
    guard let request = marquee__v1__rank_request__unpack(nil, message.count, message) else {
      return call.fail(Fault(.invalidArgument, "RankRequest: is not protobuf of this type"))
    }
    defer { marquee__v1__rank_request__free_unpacked(request, nil) }
    call.reply(encodeReply(to: request.pointee))
  }

  private static func encodeReply(to request: Marquee__V1__RankRequest) -> [UInt8] {
    let seed = request.profile_id.map { profile in
      Reply.seed(
        UnsafeBufferPointer(start: profile, count: strlen(profile)).lazy.map(UInt8.init(bitPattern:)))
    }
    let texts = Self.texts
    let count = min(Int(request.titles_per_row), Reply.titleCount)
    return withUnsafeTemporaryAllocation(of: Marquee__V1__RankedTitle.self, capacity: Reply.titleCount) {
      titles in
      withUnsafeTemporaryAllocation(
        of: UnsafeMutablePointer<Marquee__V1__RankedTitle>?.self, capacity: Reply.titleCount
      ) { pointers in
        guard let base = titles.baseAddress else { return [] }
        for index in 0..<count {
          fill(base + index, index, texts, seed: seed ?? 0)
          pointers.initializeElement(at: index, to: base + index)
        }
        var row = Marquee__V1__Row()
        marquee__v1__row__init(&row)
        row.id = texts.rowID
        row.name = texts.rowName
        row.n_titles = count
        row.titles = pointers.baseAddress
        return withUnsafeMutablePointer(to: &row) { encode($0, texts, requestID: request.request_id) }
      }
    }
  }

  private static func fill(
    _ title: UnsafeMutablePointer<Marquee__V1__RankedTitle>, _ index: Int, _ texts: Texts, seed: Int
  ) {
    marquee__v1__ranked_title__init(title)
    title.pointee.id = texts.ids[index]
    title.pointee.name = texts.names[index]
    title.pointee.score = Reply.score(index, seed)
    title.pointee.source = Marquee__V1__CandidateSource(rawValue: UInt32(Reply.source(index, seed)))
  }

  private static func encode(
    _ row: UnsafeMutablePointer<Marquee__V1__Row>, _ texts: Texts, requestID: UnsafeMutablePointer<CChar>?
  ) -> [UInt8] {
    var snapshot = Marquee__V1__SnapshotName()
    marquee__v1__snapshot_name__init(&snapshot)
    snapshot.sequence = 42
    snapshot.digest = texts.digest
    snapshot.space = texts.space
    snapshot.model = texts.model
    snapshot.features = texts.features
    snapshot.policy = texts.policy
    var rows: UnsafeMutablePointer<Marquee__V1__Row>? = row
    return withUnsafeMutablePointer(to: &snapshot) { snapshot in
      withUnsafeMutablePointer(to: &rows) { rows in
        var reply = Marquee__V1__RankResponse()
        marquee__v1__rank_response__init(&reply)
        reply.request_id = requestID
        reply.n_rows = 1
        reply.rows = rows
        reply.snapshot = snapshot
        reply.region = texts.region
        reply.replica = texts.replica
        reply.routing_epoch = 7
        let size = marquee__v1__rank_response__get_packed_size(&reply)
        return [UInt8](unsafeUninitializedCapacity: size) { bytes, count in
          count = marquee__v1__rank_response__pack(&reply, bytes.baseAddress)
        }
      }
    }
  }
}
