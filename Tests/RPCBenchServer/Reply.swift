import Base

/// The reply of the benchmark, about 2 KB: 50 titles that depend on the request. Every server makes the same.
enum Reply {
  static let titleCount = 50
  static let ids = (0..<titleCount).map { "t\(1_000_000 + $0 * 7919)" }
  /// Literals, as the texts of the other servers: kept for the life of the process, and counted by nobody.
  static let names = [
    "Long Way Home 100", "Long Way Home 101", "Long Way Home 102", "Long Way Home 103", "Long Way Home 104",
    "Long Way Home 105", "Long Way Home 106", "Long Way Home 107", "Long Way Home 108", "Long Way Home 109",
    "Long Way Home 110", "Long Way Home 111", "Long Way Home 112", "Long Way Home 113", "Long Way Home 114",
    "Long Way Home 115", "Long Way Home 116", "Long Way Home 117", "Long Way Home 118", "Long Way Home 119",
    "Long Way Home 120", "Long Way Home 121", "Long Way Home 122", "Long Way Home 123", "Long Way Home 124",
    "Long Way Home 125", "Long Way Home 126", "Long Way Home 127", "Long Way Home 128", "Long Way Home 129",
    "Long Way Home 130", "Long Way Home 131", "Long Way Home 132", "Long Way Home 133", "Long Way Home 134",
    "Long Way Home 135", "Long Way Home 136", "Long Way Home 137", "Long Way Home 138", "Long Way Home 139",
    "Long Way Home 140", "Long Way Home 141", "Long Way Home 142", "Long Way Home 143", "Long Way Home 144",
    "Long Way Home 145", "Long Way Home 146", "Long Way Home 147", "Long Way Home 148", "Long Way Home 149",
  ]
  /// As a replica has them, in a snapshot's memory.
  private static let texts = TitleTexts(
    zip(ids, names).map { TitleText(id: permanent($0), name: permanent($1)) })

  private static func permanent(_ text: String) -> UnsafeRawBufferPointer {
    let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: text.utf8.count, alignment: 1)
    copy.copyBytes(from: text.utf8)
    return UnsafeRawBufferPointer(copy)
  }

  static let snapshot = SnapshotName(
    sequence: 42, digest: "5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef",
    space: "space-3",
    model: "ranker-2026-11-20", features: "features-7", policy: "policy-12")

  static func seed(_ profile: some Sequence<UInt8>) -> Int { profile.reduce(0) { $0 + Int($1) } }

  static func score(_ index: Int, _ seed: Int) -> Float { Float(1000 - index * 15 - seed % 7) / 1000 }

  static func source(_ index: Int, _ seed: Int) -> Int { 1 + (seed + index) % 6 }

  private static let sources = (0...6).map { CandidateSource(rawValue: $0) ?? .popular }

  static func make(for request: RankRequest) -> RankReply {
    var profile = request.profileID
    let seed = profile.withUTF8 { Self.seed($0) }
    let texts = texts
    let count = min(request.titlesPerRow, titleCount)
    let titles = [RankReply.RankedTitle](unsafeUninitializedCapacity: count) { titles, made in
      for index in 0..<count {
        titles.initializeElement(
          at: index,
          to: RankReply.RankedTitle(
            text: texts.texts[index], score: score(index, seed), source: sources[source(index, seed)]))
      }
      made = count
    }
    return RankReply(
      requestID: request.requestID,
      rows: [RankReply.Row(id: "top_picks", name: "Top picks for you", titles: titles, memory: texts)],
      snapshot: snapshot, rungs: [], region: "north", replica: "north-1", routingEpoch: 7)
  }
}
