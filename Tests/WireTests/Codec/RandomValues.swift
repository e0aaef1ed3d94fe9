import Base
import Wire

/// Random values of everything that travels, within what the schemas allow, edges often.
struct RandomValues {
  var random: SplitMix

  init(seed: UInt64) { random = SplitMix(seed: seed) }

  mutating func count(_ max: Int) -> Int { Int.random(in: 0...max, using: &random) }

  mutating func flag() -> Bool { Bool.random(using: &random) }

  mutating func word() -> UInt64 {
    // Every length of a varint alike, and both ends.
    let bits = UInt64.random(in: 0...64, using: &random)
    return bits == 64 ? random.next() | 1 << 63 : random.next() & ((1 << bits) - 1)
  }

  mutating func text(min: Int = 0, max: Int = 128) -> String {
    let pieces = ["a", "Z", "7", " ", "é", "ß", "日", "🎬", "\u{10FFFF}", "\n", "\u{1}"]
    let target = flag() ? count(max) : count(Swift.min(max, 12))
    var text = ""
    while text.utf8.count < target, let piece = pieces.randomElement(using: &random) {
      guard text.utf8.count + piece.utf8.count <= max else { break }
      text += piece
    }
    return text.utf8.count < min ? "x" : text
  }

  mutating func id() -> String { text(min: 1) }

  mutating func bytes(_ max: Int) -> [UInt8] {
    (0..<count(max)).map { _ in UInt8.random(in: 0...255, using: &random) }
  }

  mutating func digest() -> Digest { Digest(of: bytes(8)) }

  mutating func list<Value>(_ max: Int, _ make: (inout RandomValues) -> Value) -> [Value] {
    (0..<count(max)).map { _ in make(&self) }
  }

  mutating func one<Value: CaseIterable>(_ type: Value.Type) -> Value {
    guard let value = type.allCases.randomElement(using: &random) else { preconditionFailure("no cases") }
    return value
  }

  mutating func timestamp() -> Timestamp {
    Timestamp(milliseconds: Int64.random(in: 1...253_402_300_799_999, using: &random))
  }

  mutating func float() -> Float {
    // Not minus zero: protobuf-c takes it for the default and leaves it out, which the oracle would show.
    let edges: [Float] = [0, 1, .leastNonzeroMagnitude, .greatestFiniteMagnitude, -3.25]
    return flag() ? edges[count(edges.count - 1)] : Float.random(in: -10...10, using: &random)
  }
}

extension RandomValues {
  mutating func rankRequest() -> RankRequest {
    RankRequest(
      requestID: text(), profileID: id(), surface: id(), country: flag() ? "DE" : "US",
      maturityMax: UInt8.random(in: 1...18, using: &random), titlesPerRow: count(100),
      contextTitleID: text(), debug: flag())
  }

  mutating func snapshotName() -> SnapshotName {
    SnapshotName(
      sequence: word(), digest: digest().hex, space: text(), model: text(), features: text(), policy: text())
  }

  mutating func rankReply() -> RankReply {
    RankReply(
      requestID: text(),
      rows: list(5) { values in
        RankReply.Row(
          id: values.text(), name: values.text(max: 300),
          copying: values.list(100) { values in
            (
              id: values.id(), name: values.text(max: 200), score: values.float(),
              source: values.one(CandidateSource.self)
            )
          })
      },
      snapshot: snapshotName(), rungs: list(7) { $0.one(Rung.self) }, region: text(), replica: text(),
      routingEpoch: word(),
      stages: list(5) { values in
        RankReply.StageTime(
          stage: values.one(Stage.self), microseconds: UInt32(truncatingIfNeeded: values.word()))
      })
  }

  mutating func event() -> Event {
    Event(
      id: id(), profileID: id(), titleID: id(), kind: one(Event.Kind.self), at: timestamp(),
      progress: flag() ? 0 : Float.random(in: 0...1, using: &random), surface: text(), requestID: text())
  }

  mutating func receipt() -> RecordReceipt {
    let accepted = count(1 << 40)
    return RecordReceipt(acceptedCount: accepted, duplicateCount: count(accepted), position: word())
  }

  mutating func routing() -> RoutingTable {
    RoutingTable(
      epoch: word(),
      regions: (0..<count(6)).map { index in
        RoutingTable.Region(
          name: "region-\(index)", failedOverTo: flag() ? "" : id(),
          replicas: list(5) { $0.id() }, fallbacks: list(4) { $0.id() })
      })
  }

  mutating func signed() -> SignedBytes {
    SignedBytes(payload: bytes(400), signature: bytes(64), keyID: text())
  }

  mutating func refusal() -> Refusal {
    Refusal(one(Refusal.Code.self), at: text(max: 400), text(max: 400))
  }

  mutating func status() -> ReplicaStatus {
    ReplicaStatus(
      phase: one(ReplicaStatus.Phase.self), serving: word(), servingDigest: flag() ? nil : digest(),
      staged: list(8) { $0.word() },
      refused: list(8) { values in
        ReplicaStatus.RefusedVersion(
          sequence: values.word(), digest: values.digest(), refusal: values.refusal())
      },
      routingEpoch: word(), bytesTotal: word(), bytesFetched: word(), bytesReused: word(),
      readyMilliseconds: UInt32(truncatingIfNeeded: word()), recall: flag() ? nil : recall())
  }

  mutating func recall() -> RetrievalRecall {
    RetrievalRecall(
      sampleCount: word(), mean: share(), low: share(), high: share(), target: share(), partialCount: word(),
      droppedCount: word())
  }

  private mutating func share() -> Float { Float(count(1000)) / 1000 }

  mutating func report() -> FollowReport {
    switch count(3) {
    case 0: .hello(FollowReport.Hello(region: id(), replica: id(), address: id(), status: status()))
    case 1: .acknowledged(nonce: word() | 1, status: status())
    case 2: .refused(nonce: word() | 1, refusal: refusal(), status: status())
    default: .changed(status())
    }
  }

  mutating func directive() -> Directive {
    let body: Directive.Body =
      switch count(2) {
      case 0: .stage(manifest: signed(), peers: list(5) { $0.id() })
      case 1: .announce(sequence: word(), digest: digest(), rollback: flag() ? nil : signed())
      default: .routing(routing())
      }
    return Directive(nonce: word() | 1, body: body)
  }

  mutating func publishPart() -> PublishPart {
    flag()
      ? .chunks(list(5) { $0.bytes(300) })
      : .order(PublishOrder(manifest: signed(), regions: list(4) { $0.id() }))
  }

  mutating func fleet() -> FleetStatus {
    FleetStatus(
      routing: routing(),
      regions: list(3) { values in
        FleetStatus.Region(
          name: values.id(), target: values.word(), staging: values.word(), pinned: values.word(),
          halted: values.text(),
          replicas: values.list(3) { values in
            FleetStatus.Replica(
              name: values.id(), address: values.text(), isConnected: values.flag(),
              status: values.status())
          })
      },
      snapshots: list(6) { values in
        SnapshotSummary(
          sequence: values.word(), digest: values.digest(), parent: values.word(),
          created: values.timestamp(), expires: values.timestamp(), titleCount: values.word(),
          byteCount: values.word(), isWithdrawn: values.flag())
      })
  }
}
