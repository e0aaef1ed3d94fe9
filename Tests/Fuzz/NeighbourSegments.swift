import Base

@testable import Ranking

/// Segments of neighbours, a base and its tail: refused with a place, or every title's list lies within bounds and sums are of
/// titles.
///
/// Of an input's first byte the lowest bits say whether the rest is a base's or a tail's segment as it is. If not, sections
/// follow in their order, each with two bytes of length before it: those of a base, and by the third bit those of a tail.
func fuzzNeighbourSegments(_ input: [UInt8]) {
  guard let first = input.first else { return }
  var script = FuzzBytes(Array(input.dropFirst()))
  let neighbours: TitleNeighbours
  do throws(Refusal) {
    switch first % 4 {
    case 2:
      _ = try NeighbourTail(opening: MappedBytes(copying: Array(script.all())), name: "segment")
      return
    case 3:
      neighbours = try TitleNeighbours(
        base: NeighbourBase.open(MappedBytes(copying: Array(script.all())), name: "segment"))
    default:
      let base = try NeighbourBase.open(
        segment(NeighbourBase.kind, NeighbourBase.formatVersion, baseSections, &script), name: "segment")
      guard first & 4 != 0 else {
        neighbours = try TitleNeighbours(base: base)
        break
      }
      let tail = try NeighbourTail(
        opening: segment(NeighbourTail.kind, NeighbourTail.formatVersion, tailSections, &script),
        name: "segment")
      do throws(Refusal) { neighbours = try TitleNeighbours(base: base, tail: tail) } catch {
        return ModelRows.check(error, of: "neighbours/tail")
      }
    }
  } catch {
    return ModelRows.check(error, of: "segment")
  }
  check(neighbours)
  sum(neighbours)
}

private let baseSections = [("HEAD", 4), ("OFFS", 4), ("ORDS", 4), ("WGTS", 2), ("SCAL", 4)]
private let tailSections = [
  ("HEAD", 4), ("ORIG", 4), ("MOVB", 4), ("MOVT", 4), ("TITL", 4), ("OFFS", 4), ("ORDS", 4), ("WGTS", 2),
  ("SCAL", 4),
]

private func segment(
  _ kind: SegmentTag, _ formatVersion: UInt32, _ sections: [(tag: String, size: Int)],
  _ script: inout FuzzBytes
) -> MappedBytes {
  let sections = sections.map { tag, size in
    let content = Array(script.take(Int(script.byte()) | Int(script.byte()) << 8))
    return SegmentDraft.Section(
      tag: tag, elementByteCount: size, content: Array(content.prefix(content.count / size * size)))
  }
  return SegmentDraft(tag: "\(kind)", formatVersion: formatVersion, sections: sections, gap: 64).mapped()
}

private func check(_ neighbours: TitleNeighbours) {
  guard neighbours.titleCount < 1 << 16 else { return }
  for title in 0..<UInt32(neighbours.titleCount) + 2 {
    var count = 0
    neighbours.forEach(of: title) { other, weight in
      count += 1
      guard Int(other) < neighbours.titleCount, weight >= 0, weight <= 1 else {
        found("title \(title) has \(other) beside it, by \(weight)")
      }
    }
    guard count <= NeighbourLists.neighbourCountMax else { found("title \(title) has \(count) neighbours") }
  }
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
