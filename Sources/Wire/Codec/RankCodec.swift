package import Base
internal import CMessages

/// `RankRequest` and `RankResponse`.
package enum RankCodec {
  private static let request = MessageShape.request(marquee__v1__rank_request__init, fieldCountMax: 256)
  private static let reply = MessageShape.reply(
    marquee__v1__rank_response__init, fieldCountMax: Limits.rowCountMax * (Limits.titlesPerRowMax + 1) * 8)

  package static func decodeRequest(_ bytes: [UInt8]) throws(Fault) -> RankRequest {
    if let fields = bytes.withUnsafeBytes({ everydayFields($0) }) { return try checked(fields) }
    return try checked(try decodeFields(bytes))
  }

  /// By protobuf-c, whatever it is.
  static func decodeFields(_ bytes: [UInt8]) throws(Fault) -> RequestFields {
    try request.decode(bytes) { message throws(Fault) in
      RequestFields(
        requestID: try Field.text(message.request_id, "request_id"),
        profileID: try Field.text(message.profile_id, "profile_id"),
        surface: try Field.text(message.surface, "surface"),
        country: try Field.text(message.country, "country"),
        maturityMax: message.maturity_max, titlesPerRow: message.titles_per_row,
        contextTitleID: try Field.text(message.context_title_id, "context_title_id"),
        debug: message.debug != 0)
    }
  }

  private static func checked(_ fields: RequestFields) throws(Fault) -> RankRequest {
    let maturityMax = fields.maturityMax == 0 ? 18 : fields.maturityMax
    guard 1...18 ~= maturityMax else {
      throw Fault(
        .invalidArgument, "RankRequest: maturity_max \(maturityMax) is not between 1 and 18 (0 means 18)")
    }
    guard fields.titlesPerRow <= Limits.titlesPerRowMax else {
      throw Fault(
        .invalidArgument,
        "RankRequest: titles_per_row \(fields.titlesPerRow) is more than \(Limits.titlesPerRowMax)")
    }
    guard !fields.profileID.isEmpty else {
      throw Fault(.invalidArgument, "RankRequest: profile_id is required")
    }
    return RankRequest(
      requestID: fields.requestID, profileID: fields.profileID,
      surface: fields.surface.isEmpty ? "home" : fields.surface, country: try country(fields.country),
      maturityMax: UInt8(maturityMax), titlesPerRow: Int(fields.titlesPerRow),
      contextTitleID: fields.contextTitleID, debug: fields.debug)
  }

  /// A maturity of 0 goes out as 1, the lowest that the message can say: its 0 means 18.
  package static func encode(_ request: RankRequest) -> [UInt8] {
    var writer = ProtoWriter(capacity: 64 + request.profileID.utf8.count + request.requestID.utf8.count)
    writer.text(1, request.requestID)
    writer.text(2, request.profileID)
    writer.text(3, request.surface)
    writer.text(4, request.country)
    writer.number(5, UInt64(max(1, request.maturityMax)))
    writer.number(6, UInt64(max(0, request.titlesPerRow)))
    writer.text(7, request.contextTitleID)
    writer.flag(8, request.debug)
    return writer.bytes
  }

  /// Rungs and stages that this build has no word for (a newer replica's) are left out, and a title from a source
  /// that it doesn't know is taken as `popular`: the rows are worth more than their labels.
  package static func decodeReply(_ bytes: [UInt8]) throws(Fault) -> RankReply {
    try reply.decode(bytes) { message throws(Fault) in
      let snapshot = try Field.required(message.snapshot, "snapshot")
      let stages = try Field.list(
        message.stages, message.n_stages, "stages", max: 64
      ) { stage throws(Fault) in
        Stage(rawValue: Int(stage.stage.rawValue)).map {
          RankReply.StageTime(stage: $0, microseconds: stage.microseconds)
        }
      }
      try Field.checkCount(message.n_rungs, "rungs", max: 64)
      return RankReply(
        requestID: try Field.text(message.request_id, "request_id"),
        rows: try Field.list(message.rows, message.n_rows, "rows", max: Limits.rowCountMax, row),
        snapshot: try Field.inside(snapshot, "snapshot", snapshotName),
        rungs: (0..<message.n_rungs).compactMap { Rung(rawValue: Int(message.rungs[$0].rawValue)) },
        region: try Field.text(message.region, "region"),
        replica: try Field.text(message.replica, "replica"),
        routingEpoch: message.routing_epoch,
        stages: stages.compactMap { $0 })
    }
  }

  private static func country(_ text: String) throws(Fault) -> String {
    let letters = text.utf8
    guard !letters.isEmpty else { throw Fault(.invalidArgument, "RankRequest: country is required") }
    guard letters.count == 2, letters.allSatisfy({ isLetter($0) }) else {
      throw Fault(
        .invalidArgument,
        "RankRequest: country \(text.debugDescription) is not two letters of ISO 3166-1")
    }
    return letters.allSatisfy { $0 <= UInt8(ascii: "Z") } ? text : text.uppercased()
  }

  private static func isLetter(_ byte: UInt8) -> Bool {
    UInt8(ascii: "A")...UInt8(ascii: "Z") ~= byte & ~0x20
  }

  private static func row(_ message: Marquee__V1__Row) throws(Fault) -> RankReply.Row {
    RankReply.Row(
      id: try Field.text(message.id, "id"),
      name: try Field.text(message.name, "name", max: CodecLimits.textByteCountMax),
      copying: try Field.list(
        message.titles, message.n_titles, "titles", max: Limits.titlesPerRowMax, title))
  }

  /// Its texts lie in the message.
  private static func title(_ message: Marquee__V1__RankedTitle) throws(Fault) -> RankReply.RankedTitle {
    guard message.score.isFinite else { throw Fault(.invalidArgument, "score is not a number") }
    let id = try Field.utf8(message.id, "id")
    guard id.count > 0 else { throw Fault(.invalidArgument, "id is required") }
    return RankReply.RankedTitle(
      text: TitleText(
        id: id, name: try Field.utf8(message.name, "name", max: CodecLimits.textByteCountMax)),
      score: message.score,
      source: CandidateSource(rawValue: Int(message.source.rawValue)) ?? .popular)
  }

  private static func snapshotName(_ message: Marquee__V1__SnapshotName) throws(Fault) -> SnapshotName {
    SnapshotName(
      sequence: message.sequence, digest: try Field.text(message.digest, "digest"),
      space: try Field.text(message.space, "space"), model: try Field.text(message.model, "model"),
      features: try Field.text(message.features, "features"),
      policy: try Field.text(message.policy, "policy"))
  }
}
