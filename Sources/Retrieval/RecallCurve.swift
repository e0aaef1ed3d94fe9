internal import Base

/// How hard a search tries.
package struct SearchSetting: Sendable, Equatable {
  /// The search ends when the lists that are left promise less than this share of k.
  package var yieldShare: Float
  /// Titles that are scored again, as a multiple of k.
  package var rescoreShare: Float

  package init(yieldShare: Float, rescoreShare: Float) {
    self.yieldShare = yieldShare
    self.rescoreShare = rescoreShare
  }

  /// Whether a search can work by it: what a segment says is not believed.
  var isSound: Bool {
    yieldShare >= 0 && yieldShare <= 100 && rescoreShare >= 1 && rescoreShare <= Self.rescoreShareMax
  }

  static let rescoreShareMax: Float = 4
}

/// How a search finds its setting.
package enum SearchEffort: Sendable, Equatable {
  /// As the build chose for its recall target.
  case tuned
  /// The cheapest setting that reached this recall at build, or the most thorough one.
  case recall(Float)
  case setting(SearchSetting)
  /// Every list.
  case everything
}

/// What the build measured with one setting, for results of one size.
package struct RecallPoint: Sendable, Equatable {
  /// Results a query.
  package var k: Int
  /// The recall that was asked for.
  package var target: Float
  package var setting: SearchSetting
  /// The recall that was measured.
  package var recall: Float
  /// Means over the queries.
  package var lists: Float
  package var titles: Float

  static let fieldCount = 7

  var fields: [Float] {
    [Float(k), target, setting.yieldShare, setting.rescoreShare, recall, lists, titles]
  }

  /// `nil` when a field is beyond what a build writes.
  init?(fields: some RandomAccessCollection<Float>) {
    let fields = Array(fields)
    guard fields.count == Self.fieldCount, fields.allSatisfy(\.isFinite),
      let k = Int(exactly: fields[0]), (1...Limits.candidateCountMax).contains(k)
    else { return nil }
    self.init(
      k: k, target: fields[1], setting: SearchSetting(yieldShare: fields[2], rescoreShare: fields[3]),
      recall: fields[4], lists: fields[5], titles: fields[6])
    guard setting.isSound else { return nil }
  }

  init(k: Int, target: Float, setting: SearchSetting, recall: Float, lists: Float, titles: Float) {
    self.k = k
    self.target = target
    self.setting = setting
    self.recall = recall
    self.lists = lists
    self.titles = titles
  }
}

/// The points that a build measured, by k and rising target.
package struct RecallCurve: Sendable, Equatable {
  package var points: [RecallPoint]
  /// The recall that searches aim for unless they say otherwise.
  package var target: Float

  /// Before anything is measured: thorough.
  static let unmeasured = SearchSetting(yieldShare: 0.03, rescoreShare: 2)

  /// The setting for `k` results: of the measured k nearest to it, the first that reaches the recall.
  func setting(k: Int, recall: Float) -> SearchSetting {
    let near = points.min { Self.distance($0.k, k) < Self.distance($1.k, k) }?.k
    let fitting = points.filter { $0.k == near }
    return (fitting.first { $0.target >= recall } ?? fitting.last)?.setting ?? Self.unmeasured
  }

  /// The point that searches for 500 aim for.
  package var tuned: RecallPoint? {
    let fitting = points.filter { $0.k == points.map(\.k).max() }
    return fitting.first { $0.target >= target } ?? fitting.last
  }

  private static func distance(_ left: Int, _ right: Int) -> Int {
    // By their ratio: 50 is nearer to 100 than to 20.
    let (low, high) = (min(left, right), max(left, right))
    return high * 1000 / max(low, 1)
  }
}
