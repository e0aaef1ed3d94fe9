import Base

/// The reply of the benchmark, about 2 KB: 50 titles that depend on the request. Every server makes the same.
enum Reply {
  static let titleCount = 50
  static let ids = (0..<titleCount).map { "t\(1_000_000 + $0 * 7919)" }
  static let names = (0..<titleCount).map { "Long Way Home \(100 + $0)" }
  static let snapshot = SnapshotName(
    sequence: 42, digest: "5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef",
    space: "space-3",
    model: "ranker-2026-11-20", features: "features-7", policy: "policy-12")

  static func seed(_ profile: some Sequence<UInt8>) -> Int { profile.reduce(0) { $0 + Int($1) } }

  static func score(_ index: Int, _ seed: Int) -> Float { Float(1000 - index * 15 - seed % 7) / 1000 }

  static func source(_ index: Int, _ seed: Int) -> Int { 1 + (seed + index) % 6 }

  static func make(for request: RankRequest) -> RankReply {
    let seed = seed(request.profileID.utf8)
    let titles = (0..<min(request.titlesPerRow, titleCount)).map { index in
      RankReply.RankedTitle(
        id: ids[index], name: names[index], score: score(index, seed),
        source: CandidateSource(rawValue: source(index, seed)) ?? .popular)
    }
    return RankReply(
      requestID: request.requestID,
      rows: [RankReply.Row(id: "top_picks", name: "Top picks for you", titles: titles)], snapshot: snapshot,
      rungs: [], region: "north", replica: "north-1", routingEpoch: 7)
  }
}
