import Base

@testable import Ranking

/// Segments of neighbours: refused with a place, or every title's list lies within bounds and sums are of titles.
///
/// An input's first byte says whether the rest is a segment as it is. If not, sections follow in their order, each with two
/// bytes of length before it.
func fuzzNeighbourSegments(_ input: [UInt8]) {
  guard let first = input.first else { return }
  var script = FuzzBytes(Array(input.dropFirst()))
  let mapped: MappedBytes
  if first % 4 == 3 {
    mapped = MappedBytes(copying: Array(script.all()))
  } else {
    let sections = [("HEAD", 4), ("OFFS", 4), ("ORDS", 4), ("WGTS", 2), ("SCAL", 4)].map { tag, size in
      let content = Array(script.take(Int(script.byte()) | Int(script.byte()) << 8))
      return SegmentDraft.Section(
        tag: tag, elementByteCount: size, content: Array(content.prefix(content.count / size * size)))
    }
    mapped =
      SegmentDraft(tag: "NBRS", formatVersion: TitleNeighbours.formatVersion, sections: sections, gap: 64)
      .mapped()
  }
  let neighbours: TitleNeighbours
  do throws(Refusal) { neighbours = try TitleNeighbours(opening: mapped, name: "segment") } catch {
    return ModelRows.check(error, of: "segment")
  }
  guard neighbours.titleCount < 1 << 16 else { return }
  for title in 0..<UInt32(neighbours.titleCount) + 2 {
    var count = 0
    neighbours.forEach(of: title) { other, weight in
      count += 1
      guard Int(other) < neighbours.titleCount, weight >= 0, weight <= 1 else {
        found("title \(title) has \(other) beside it, by \(weight)")
      }
    }
    guard count <= NeighbourWriter.neighbourCountMax else { found("title \(title) has \(count) neighbours") }
  }
  sum(neighbours)
}

/// What a request makes of them, twice in the same table.
private func sum(_ neighbours: TitleNeighbours) {
  var sums = NeighbourSums()
  var keys: [UInt64] = []
  var seen: [[UInt32]] = []
  for _ in 0..<2 {
    sums.reset()
    let history = (0..<60).map { (UInt32($0 * 7), Float($0 % 9) - 2) }
    sums.add(history, neighbours)
    var best: [UInt32] = []
    sums.best(20, into: &keys) {
      $0 % 3 != 0
    } body: {
      best.append($0)
    }
    guard best.count <= 20, best.allSatisfy({ Int($0) < neighbours.titleCount && $0 % 3 != 0 }) else {
      found("the best of \(neighbours.titleCount) titles are \(best)")
    }
    seen.append(best)
  }
  guard seen[0] == seen[1] else { found("the same sums, another time: \(seen)") }
}
