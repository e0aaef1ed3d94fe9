internal import Base

/// What a network of bytes ranks otherwise than the floats that it was made of.
package struct QuantisationLoss: Sendable, Equatable {
  /// 1 minus NDCG@10, the floats' first ten being what is relevant, by place: from 0 for the same order to 1.
  package var ndcg10: Double
  /// Kendall's tau of the two orders, 1 for the same; mean over the groups.
  package var kendallTau: Double
  package var groupCount: Int
  package var rowCount: Int

  /// Rows of a group when nobody says which belong together.
  package static let groupRowCount = 100
  private static let depth = 10

  /// - Parameter groups: a number for each row, equal ones together; `nil` takes every hundred rows for one.
  package init(floats: [Float], bytes: [Float], groups: [Int]?) {
    precondition(floats.count == bytes.count && groups?.count ?? floats.count == floats.count)
    let groups = groups ?? floats.indices.map { $0 / Self.groupRowCount }
    var relevance = [Float](repeating: 0, count: floats.count)
    var (tauSum, tauCount, groupCount) = (0.0, 0, 0)
    var begin = 0
    while begin < groups.count {
      var end = begin + 1
      while end < groups.count, groups[end] == groups[begin] { end += 1 }
      let best = (begin..<end).sorted { (floats[$0], -$0) > (floats[$1], -$1) }.prefix(Self.depth)
      for (place, row) in best.enumerated() { relevance[row] = 1 - Float(place) / Float(Self.depth) }
      if let tau = Self.tau(floats[begin..<end], bytes[begin..<end]) {
        tauSum += tau
        tauCount += 1
      }
      groupCount += 1
      begin = end
    }
    ndcg10 = 1 - (RankingMetrics.ndcg(at: Self.depth, scores: bytes, labels: relevance, groups: groups) ?? 1)
    kendallTau = tauCount > 0 ? tauSum / Double(tauCount) : 1
    self.groupCount = groupCount
    rowCount = floats.count
  }

  init(_ numbers: UnsafeBufferPointer<Double>, name: String) throws(Refusal) {
    guard numbers.allSatisfy(\.isFinite), (0...1).contains(numbers[0]), (-1...1).contains(numbers[1]),
      let groupCount = Int(exactly: numbers[2]), let rowCount = Int(exactly: numbers[3])
    else { throw Refusal(.unreadable, at: "\(name) section LOSS", "has numbers out of range") }
    ndcg10 = numbers[0]
    kendallTau = numbers[1]
    self.groupCount = groupCount
    self.rowCount = rowCount
  }

  var numbers: [Double] {
    [min(1, max(0, ndcg10)), min(1, max(-1, kendallTau)), Double(groupCount), Double(rowCount)]
  }

  /// Of pairs that the floats tell apart, those in the same order less those in the other; pairs that bytes take for equal
  /// are neither. Of a group of more than 200 rows, the first 200.
  private static func tau(_ floats: ArraySlice<Float>, _ bytes: ArraySlice<Float>) -> Double? {
    let (floats, bytes) = (Array(floats.prefix(200)), Array(bytes.prefix(200)))
    var (pairs, sum) = (0, 0)
    for first in floats.indices {
      for second in 0..<first where floats[first] != floats[second] {
        pairs += 1
        guard bytes[first] != bytes[second] else { continue }
        sum += (floats[first] > floats[second]) == (bytes[first] > bytes[second]) ? 1 : -1
      }
    }
    return pairs > 0 ? Double(sum) / Double(pairs) : nil
  }
}
