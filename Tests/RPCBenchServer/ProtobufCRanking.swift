import Base
import CMessages
import CProtobufC
import Glibc
import Wire

/// The method with protobuf-c both ways, doing what nghttp2-server.c does, so that what differs is the stack.
enum ProtobufCRanking {
  /// C strings of the reply, kept for the life of the process.
  ///
  /// Guard for `nonisolated(unsafe)`: never written after they are made.
  nonisolated(unsafe) private static let ids = Reply.ids.map(permanent)
  nonisolated(unsafe) private static let names = Reply.names.map(permanent)
  nonisolated(unsafe) private static let rowID = permanent("top_picks")
  nonisolated(unsafe) private static let rowName = permanent("Top picks for you")
  nonisolated(unsafe) private static let digest = permanent(Reply.snapshot.digest)
  nonisolated(unsafe) private static let space = permanent(Reply.snapshot.space)
  nonisolated(unsafe) private static let model = permanent(Reply.snapshot.model)
  nonisolated(unsafe) private static let features = permanent(Reply.snapshot.features)
  nonisolated(unsafe) private static let policy = permanent(Reply.snapshot.policy)
  nonisolated(unsafe) private static let region = permanent("north")
  nonisolated(unsafe) private static let replica = permanent("north-1")

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
    let count = min(Int(request.titles_per_row), Reply.titleCount)
    return withUnsafeTemporaryAllocation(of: Marquee__V1__RankedTitle.self, capacity: Reply.titleCount) {
      titles in
      withUnsafeTemporaryAllocation(
        of: UnsafeMutablePointer<Marquee__V1__RankedTitle>?.self, capacity: Reply.titleCount
      ) { pointers in
        guard let base = titles.baseAddress else { return [] }
        for index in 0..<count {
          fill(base + index, index, seed: seed ?? 0)
          pointers.initializeElement(at: index, to: base + index)
        }
        var row = Marquee__V1__Row()
        marquee__v1__row__init(&row)
        row.id = rowID
        row.name = rowName
        row.n_titles = count
        row.titles = pointers.baseAddress
        return withUnsafeMutablePointer(to: &row) { encode($0, requestID: request.request_id) }
      }
    }
  }

  private static func fill(_ title: UnsafeMutablePointer<Marquee__V1__RankedTitle>, _ index: Int, seed: Int) {
    marquee__v1__ranked_title__init(title)
    title.pointee.id = ids[index]
    title.pointee.name = names[index]
    title.pointee.score = Reply.score(index, seed)
    title.pointee.source = Marquee__V1__CandidateSource(rawValue: UInt32(Reply.source(index, seed)))
  }

  private static func encode(
    _ row: UnsafeMutablePointer<Marquee__V1__Row>, requestID: UnsafeMutablePointer<CChar>?
  ) -> [UInt8] {
    var snapshot = Marquee__V1__SnapshotName()
    marquee__v1__snapshot_name__init(&snapshot)
    snapshot.sequence = Reply.snapshot.sequence
    snapshot.digest = digest
    snapshot.space = space
    snapshot.model = model
    snapshot.features = features
    snapshot.policy = policy
    var rows: UnsafeMutablePointer<Marquee__V1__Row>? = row
    return withUnsafeMutablePointer(to: &snapshot) { snapshot in
      withUnsafeMutablePointer(to: &rows) { rows in
        var reply = Marquee__V1__RankResponse()
        marquee__v1__rank_response__init(&reply)
        reply.request_id = requestID
        reply.n_rows = 1
        reply.rows = rows
        reply.snapshot = snapshot
        reply.region = region
        reply.replica = replica
        reply.routing_epoch = 7
        let size = marquee__v1__rank_response__get_packed_size(&reply)
        return [UInt8](unsafeUninitializedCapacity: size) { bytes, count in
          count = marquee__v1__rank_response__pack(&reply, bytes.baseAddress)
        }
      }
    }
  }
}
