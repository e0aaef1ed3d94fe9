import Base
import CMessages
import CProtobufC
import Glibc
import Wire

/// The method with protobuf-c both ways, doing what nghttp2-server.c does, so that what differs is the stack.
enum ProtobufCRanking {
  /// C strings of the reply, kept for the life of the process; those of the titles in tables, as the C server has them.
  ///
  /// Guard for `@unchecked Sendable`: never written after they are made.
  private struct Texts: @unchecked Sendable {
    static let idBytes = 16
    static let nameBytes = 32
    let ids = table(Reply.ids, idBytes)
    let names = table(Reply.names, nameBytes)
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

  /// Where the titles of a reply are put together: the C server has them on its stack, which Swift has no room for.
  ///
  /// Guard for `nonisolated(unsafe)`: answers are made on the one event loop.
  nonisolated(unsafe) private static let titles = UnsafeMutablePointer<Marquee__V1__RankedTitle>.allocate(
    capacity: Reply.titleCount)
  nonisolated(unsafe) private static let pointers = {
    let pointers = UnsafeMutablePointer<UnsafeMutablePointer<Marquee__V1__RankedTitle>?>.allocate(
      capacity: Reply.titleCount)
    for index in 0..<Reply.titleCount { (pointers + index).initialize(to: titles + index) }
    return pointers
  }()

  private static func table(_ texts: [String], _ stride: Int) -> UnsafeMutablePointer<CChar> {
    let table = UnsafeMutablePointer<CChar>.allocate(capacity: texts.count * stride)
    for (index, text) in texts.enumerated() {
      precondition(text.utf8.count < stride, "\(text) is too long")
      strcpy(table + index * stride, text)
    }
    return table
  }

  private static func permanent(_ text: String) -> UnsafeMutablePointer<CChar> {
    guard let copy = strdup(text) else { preconditionFailure("out of memory") }
    return copy
  }

  static func answer(_ call: ServerCall, _ message: [UInt8]) {
    guard let request = marquee__v1__rank_request__unpack(nil, message.count, message) else {
      return call.fail(Fault(.invalidArgument, "RankRequest: is not protobuf of this type"))
    }
    defer { marquee__v1__rank_request__free_unpacked(request, nil) }
    sendReply(to: request.pointee, call)
  }

  private static func sendReply(to request: Marquee__V1__RankRequest, _ call: ServerCall) {
    let seed = request.profile_id.map { profile in
      Reply.seed(
        UnsafeBufferPointer(start: profile, count: strlen(profile)).lazy.map(UInt8.init(bitPattern:)))
    }
    let texts = Self.texts
    let count = min(Int(request.titles_per_row), Reply.titleCount)
    for index in 0..<count { fill(titles + index, index, texts, seed: seed ?? 0) }
    var row = Marquee__V1__Row()
    marquee__v1__row__init(&row)
    row.id = texts.rowID
    row.name = texts.rowName
    row.n_titles = count
    row.titles = pointers
    withUnsafeMutablePointer(to: &row) { send($0, texts, requestID: request.request_id, call) }
  }

  private static func fill(
    _ title: UnsafeMutablePointer<Marquee__V1__RankedTitle>, _ index: Int, _ texts: Texts, seed: Int
  ) {
    marquee__v1__ranked_title__init(title)
    title.pointee.id = texts.ids + index * Texts.idBytes
    title.pointee.name = texts.names + index * Texts.nameBytes
    title.pointee.score = Reply.score(index, seed)
    title.pointee.source = Marquee__V1__CandidateSource(rawValue: UInt32(Reply.source(index, seed)))
  }

  private static func send(
    _ row: UnsafeMutablePointer<Marquee__V1__Row>, _ texts: Texts, requestID: UnsafeMutablePointer<CChar>?,
    _ call: ServerCall
  ) {
    var snapshot = Marquee__V1__SnapshotName()
    marquee__v1__snapshot_name__init(&snapshot)
    snapshot.sequence = 42
    snapshot.digest = texts.digest
    snapshot.space = texts.space
    snapshot.model = texts.model
    snapshot.features = texts.features
    snapshot.policy = texts.policy
    var rows: UnsafeMutablePointer<Marquee__V1__Row>? = row
    withUnsafeMutablePointer(to: &snapshot) { snapshot in
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
        call.reply(byteCountMax: size) { marquee__v1__rank_response__pack(&reply, $0.baseAddress) }
      }
    }
  }
}
