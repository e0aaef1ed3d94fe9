import Base
import Glibc
import Testing

@testable import Ranking

@Suite("Title neighbours")
struct TitleNeighboursTests {
  /// Two tastes, title 4 that everybody wants, and title 5 that one person shares with others.
  private let wanted: [[UInt32]] = [[0, 1, 4], [0, 1, 4], [1, 0], [2, 3, 4], [3, 2, 4], [2, 3, 5]]

  private func written(_ wanted: [[UInt32]], titleCount: Int) throws -> TitleNeighbours {
    let path = try temporaryFile()
    defer { unlink(path) }
    try NeighbourWriter.write(titleCount: titleCount, wanted: wanted, to: path)
    return try TitleNeighbours(
      base: NeighbourBase.open(MappedBytes(copying: bytes(path)), name: "neighbours/base"))
  }

  private func bytes(_ path: String) throws -> [UInt8] { try SystemDisk().read(path, limit: 1 << 24) }

  private func list(_ neighbours: TitleNeighbours, _ title: UInt32) -> [(UInt32, Float)] {
    var list: [(UInt32, Float)] = []
    neighbours.forEach(of: title) { list.append(($0, $1)) }
    return list
  }

  @Test(
    "neighbours are those that two people share at least, the most alike first"
  )
  func alike() throws {
    let neighbours = try written(wanted, titleCount: 7)
    #expect(list(neighbours, 0).map(\.0) == [1, 4])
    #expect(abs(list(neighbours, 0)[0].1 - 3 / (powf(3, 1.3) + 20)) < 1e-4)
    #expect(abs(list(neighbours, 0)[1].1 - 2 / (powf(3, 0.9) * powf(4, 0.4) + 20)) < 1e-4)
    #expect(list(neighbours, 5).isEmpty && list(neighbours, 6).isEmpty && list(neighbours, 7).isEmpty)
  }

  @Test("the same people give the same bytes, whatever the threads")
  func threads() throws {
    let path = try temporaryFile()
    defer { unlink(path) }
    var random = SplitMix(seed: 9)
    let wanted: [[UInt32]] = (0..<400).map { _ in
      Array(Set((0..<9).map { _ in UInt32.random(in: 0..<300, using: &random) })).sorted()
    }
    var digests: Set<Digest> = []
    for threads in 1...4 {
      try NeighbourWriter.write(titleCount: 300, wanted: wanted, to: path, threads: threads)
      digests.insert(Digest(of: try bytes(path)))
    }
    #expect(digests.count == 1)
  }

  @Test("a profile's best are those of sums over all pairs, worked out one by one")
  func likeTheSlowWay() throws {
    var random = SplitMix(seed: 4)
    let wanted: [[UInt32]] = (0..<90).map { _ in
      Array(Set((0..<8).map { _ in UInt32.random(in: 0..<40, using: &random) })).sorted()
    }
    let people = (0..<UInt32(40)).map { title in Set(wanted.indices.filter { wanted[$0].contains(title) }) }
    func alike(_ title: UInt32, _ other: UInt32) -> Float {
      let (mine, its) = (people[Int(title)], people[Int(other)])
      let shared = mine.intersection(its).count
      guard title != other, shared >= NeighbourWriter.sharedCountMin else { return 0 }
      return Float(shared) / (powf(Float(mine.count), 0.9) * powf(Float(its.count), 0.4) + 20)
    }
    let neighbours = try written(wanted, titleCount: 40)
    var sums = NeighbourSums()
    var keys: [UInt64] = []
    for history in wanted {
      sums.reset()
      sums.add(history.map { ($0, 2) }, neighbours)
      let slow = (0..<UInt32(40)).map { other in history.reduce(0) { $0 + alike($1, other) } }
      for title in 0..<UInt32(40) { #expect(abs(sums.values(title).sum - slow[Int(title)]) < 1e-4) }
      var best: [UInt32] = []
      sums.best(5, into: &keys) {
        !history.contains($0)
      } body: {
        best.append($0)
      }
      let least = best.map { slow[Int($0)] }.min() ?? 0
      let left = (0..<UInt32(40)).filter { !history.contains($0) && !best.contains($0) }.map { slow[Int($0)] }
      // Weights are rounded to 16 bits, so titles nearly alike may change places.
      #expect(best.count == 5 && least > (left.max() ?? 0) - 1e-4)
      #expect(zip(best, best.dropFirst()).allSatisfy { sums.values($0).sum >= sums.values($1).sum })
    }
  }

  @Test("sums are those of every title of the history by its weight, later ones more in the recent one")
  func sums() throws {
    let neighbours = try written(wanted, titleCount: 7)
    var sums = NeighbourSums()
    sums.add([(0, 4), (2, 1), (1, -3)], neighbours)
    let of0 = Dictionary(uniqueKeysWithValues: list(neighbours, 0))
    let of2 = Dictionary(uniqueKeysWithValues: list(neighbours, 2))
    let (first, second) = (try #require(of0[4]), try #require(of2[4]))
    let values = sums.values(4)
    #expect(abs(values.sum - (first + second / 4)) < 1e-6)
    #expect(abs(values.recent - (first + second / 4 * NeighbourSums.recentFactor)) < 1e-6)
    let largest = try #require((0..<7).map { sums.values($0).sum }.max())
    #expect(values.share == values.sum / largest)
    // What was turned down brings none of its own, and a title of nobody has no sum.
    #expect(sums.values(6) == .zero)
    sums.reset()
    #expect(sums.isEmpty && sums.values(4) == .zero)
    sums.add([(1, -3), (0, 0)], neighbours)
    #expect(sums.isEmpty)
  }

  @Test("lists are bounded, and so are the titles of a history that count")
  func bounds() throws {
    let all = [UInt32](0..<200)
    let neighbours = try written([all, all], titleCount: 200)
    #expect(list(neighbours, 7).map(\.0) == [UInt32](0..<65).filter { $0 != 7 })
    var sums = NeighbourSums()
    sums.add(all.map { ($0, 1) }, neighbours)
    var few = NeighbourSums()
    few.add(all.prefix(NeighbourSums.titleCountMax).map { ($0, 1) }, neighbours)
    #expect((0..<200).allSatisfy { sums.values($0) == few.values($0) })
  }

  @Test("a cut segment, or one whose lists lie elsewhere, is refused, and an ordinal of no title is left out")
  func hostile() throws {
    let path = try temporaryFile()
    defer { unlink(path) }
    try NeighbourWriter.write(titleCount: 7, wanted: wanted, to: path)
    let whole = try bytes(path)
    for count in stride(from: 0, to: whole.count, by: 61) {
      #expect(throws: Refusal.self) {
        try NeighbourBase.open(MappedBytes(copying: Array(whole.prefix(count))), name: "n")
      }
    }
    func write(_ offsets: [UInt32], _ ordinals: [UInt32], scale: Float = 1) throws -> TitleNeighbours {
      let writer = try SegmentWriter(
        path: path, kind: NeighbourBase.kind, formatVersion: NeighbourBase.formatVersion)
      try writer.add("HEAD", [UInt32(offsets.count - 1), 0, 0, 0])
      try writer.add("OFFS", offsets)
      try writer.add("ORDS", ordinals)
      try writer.add("WGTS", ordinals.map { _ in UInt16(9) })
      try writer.add("SCAL", [Float](repeating: scale, count: offsets.count - 1))
      try writer.finish()
      return try TitleNeighbours(
        base: NeighbourBase.open(MappedBytes(copying: bytes(path)), name: "n"))
    }
    let odd = try write([0, 2], [0, 1])
    #expect(list(odd, 0).map(\.0) == [0])
    for offsets: [UInt32] in [[0, 1], [1, 2], [0, 3, 2], [0, 1, 0, 2]] {
      #expect(throws: Refusal.self) { try write(offsets, [0, 1]) }
    }
    #expect(throws: Refusal.self) { try write([0, 2], [0, 1], scale: .nan) }
    #expect(throws: Refusal.self) { try write([0, 65], [UInt32](repeating: 0, count: 65)) }
  }
}
