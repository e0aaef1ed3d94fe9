/// Rows, and how they came about.
package struct RankReply: Sendable, Equatable {
  package var requestID: String
  package var rows: [Row]
  /// The one generation that everything in this reply comes from.
  package var snapshot: SnapshotName
  /// The steps of the degradation ladder that were taken; empty when nothing was degraded.
  package var rungs: [Rung]
  package var region: String
  package var replica: String
  /// The newest routing that the replica knows: a client with an older one asks for it.
  package var routingEpoch: UInt64
  /// Only with `debug`: microseconds by stage, in the order in which they ran.
  package var stages: [StageTime]

  package init(
    requestID: String, rows: [Row], snapshot: SnapshotName, rungs: [Rung], region: String, replica: String,
    routingEpoch: UInt64, stages: [StageTime] = []
  ) {
    self.requestID = requestID
    self.rows = rows
    self.snapshot = snapshot
    self.rungs = rungs
    self.region = region
    self.replica = replica
    self.routingEpoch = routingEpoch
    self.stages = stages
  }

  package struct Row: Sendable, Equatable {
    /// `top_picks`, `continue_watching`, `because_you_watched`, `trending`, `new`.
    package var id: String
    /// For people: "Because you watched Heat".
    package var name: String
    package let titles: [RankedTitle]
    /// What owns the titles' texts.
    private let memory: (any AnyObject & Sendable)?

    /// `memory` is what owns the titles' texts.
    package init(id: String, name: String, titles: [RankedTitle], memory: (any AnyObject & Sendable)?) {
      self.id = id
      self.name = name
      self.titles = titles
      self.memory = memory
    }

    /// A row that keeps copies of its titles' texts.
    package init(id: String, name: String, copying titles: [RankedTitle]) {
      let copies = TitleTexts(titles.map(\.text))
      self.init(
        id: id, name: name,
        titles: zip(titles, copies.texts).map { title, text in
          RankedTitle(text: text, score: title.score, source: title.source)
        }, memory: copies)
    }

    /// The same of strings.
    package init(
      id: String, name: String,
      copying titles: [(id: String, name: String, score: Float, source: CandidateSource)]
    ) {
      let copies = TitleTexts(titles.map { (id: $0.id, name: $0.name) })
      self.init(
        id: id, name: name,
        titles: zip(titles, copies.texts).map { title, text in
          RankedTitle(text: text, score: title.score, source: title.source)
        }, memory: copies)
    }

    package static func == (one: Row, two: Row) -> Bool {
      one.id == two.id && one.name == two.name && one.titles == two.titles
    }
  }

  package struct RankedTitle: Sendable, Equatable {
    package let text: TitleText
    /// The ranker's; on the rung `retrieval_order` the similarity.
    package var score: Float
    package var source: CandidateSource

    @inline(__always)
    package init(text: TitleText, score: Float, source: CandidateSource) {
      self.text = text
      self.score = score
      self.source = source
    }

    package var id: String { String(decoding: text.id, as: UTF8.self) }
    package var name: String { String(decoding: text.name, as: UTF8.self) }
  }

  package struct StageTime: Sendable, Equatable {
    package var stage: Stage
    package var microseconds: UInt32

    package init(stage: Stage, microseconds: UInt32) {
      self.stage = stage
      self.microseconds = microseconds
    }
  }
}

/// The versions that a reply, an impression and a training row name.
package struct SnapshotName: Sendable, Equatable, Hashable {
  package var sequence: UInt64
  /// Hexadecimal SHA-256 of the manifest's bytes.
  package var digest: String
  package var space: String
  package var model: String
  package var features: String
  package var policy: String

  package init(
    sequence: UInt64, digest: String, space: String, model: String, features: String, policy: String
  ) {
    self.sequence = sequence
    self.digest = digest
    self.space = space
    self.model = model
    self.features = features
    self.policy = policy
  }
}

/// Where a candidate came from.
package enum CandidateSource: Int, Sendable, CaseIterable {
  case similar = 1
  case continueWatching = 2
  case becauseYouWatched = 3
  case trending = 4
  case new = 5
  case popular = 6
  /// On a list that editors keep in the policy.
  case editorial = 7
  /// Watched by the people who watched what the profile did.
  case coWatched = 8
}

/// The parts of one request, in order.
package enum Stage: Int, Sendable, CaseIterable {
  case queue = 1
  case features = 2
  case retrieval = 3
  case ranking = 4
  case assembly = 5
}

/// A step of the degradation ladder. Each one taken is in the reply and in the metrics.
package enum Rung: Int, Sendable, CaseIterable {
  /// The profile has no history: the cohort's vector, or none.
  case noHistory = 1
  /// The profile's features did not come in time: the cached vector, then the cohort's.
  case featuresLate = 2
  /// Retrieval was stopped at its deadline: what it had by then.
  case retrievalPartial = 3
  /// Retrieval gave nothing in time: popular titles.
  case popularOnly = 4
  /// The ranker did not finish in time: retrieval order.
  case retrievalOrder = 5
  /// The queue was too long for the deadline: popular titles, at once.
  case queueFull = 6
  /// Licences and maturity leave less than a row: fewer titles than asked.
  case shortRow = 7
}
