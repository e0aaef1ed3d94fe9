import Base
import Glibc
import Testing

@testable import Ranking

@Suite("Change of neighbours")
struct NeighbourChangeTests {
  private static let baseCount = 60
  private let wanted: [[UInt32]]

  init() {
    var random = SplitMix(seed: 12)
    wanted = (0..<200).map { _ in
      Array(Set((0..<7).map { _ in UInt32.random(in: 0..<60, using: &random) })).sorted()
    }
  }

  private func mapped(_ write: (String) throws -> Void) throws -> MappedBytes {
    let path = try temporaryFile()
    defer { unlink(path) }
    try write(path)
    return MappedBytes(copying: try SystemDisk().read(path, limit: 1 << 24))
  }

  private func lists(_ wanted: [[UInt32]], titleCount: Int) throws -> NeighbourLists {
    try NeighbourBase.open(
      mapped { try NeighbourWriter.write(titleCount: titleCount, wanted: wanted, to: $0) }, name: "base")
  }

  private func audiences(_ wanted: [[UInt32]], count: Int) -> [UInt32] {
    var audiences = [UInt32](repeating: 0, count: count)
    for title in wanted.joined() { audiences[Int(title)] += 1 }
    return audiences
  }

  private func change(
    _ base: NeighbourLists, _ wanted: [[UInt32]], origins: [UInt32] = [], gone: [UInt32] = [],
    _ options: NeighbourChange.Options = .init()
  ) throws -> NeighbourChange {
    let titles = NeighbourChange.Titles(baseCount: Self.baseCount, origins: origins, gone: gone)
    let kept = wanted.map { $0.map(titles.kept) }
    let count = Self.baseCount + origins.count
    return NeighbourChange(
      from: base, to: try lists(kept, titleCount: count), titles: titles,
      audiences: audiences(kept, count: count), options: options)
  }

  private func tail(_ change: NeighbourChange) throws -> NeighbourTail {
    try NeighbourTail(opening: mapped { try change.write(to: $0) }, name: "tail")
  }

  private func list(_ neighbours: TitleNeighbours, _ title: UInt32) -> [UInt32: Float] {
    var list: [UInt32: Float] = [:]
    neighbours.forEach(of: title) { list[$0] = $1 }
    return list
  }

  @Test("titles that move into the tail take their lists and their places in others' lists with them")
  func moved() throws {
    let base = try lists(wanted, titleCount: Self.baseCount)
    // 17 and 3 move, and the tail's first title is new and watched by nobody.
    let origins: [UInt32] = [NeighbourTail.none, 17, 3]
    let today = wanted.map { $0.map { $0 == 17 ? 61 : $0 == 3 ? 62 : $0 } }
    let change = try change(base, today, origins: origins)
    #expect(change.staleness == 0 && change.hasTail)
    let tail = try tail(change)
    #expect(tail.lists.count == 1, "only the new title has a list of its own")
    let neighbours = try TitleNeighbours(base: base, tail: tail)
    let before = try TitleNeighbours(base: base)
    func now(_ title: UInt32) -> UInt32 { title == 17 ? 61 : title == 3 ? 62 : title }
    #expect(list(neighbours, 60).isEmpty)
    for title in 0..<UInt32(Self.baseCount) {
      let old = list(before, title)
      #expect(
        list(neighbours, now(title)) == Dictionary(uniqueKeysWithValues: old.map { (now($0.key), $0.value) }))
    }
  }

  @Test("without a change there is no tail, and a title that went is nobody's neighbour")
  func gone() throws {
    let base = try lists(wanted, titleCount: Self.baseCount)
    #expect(try !change(base, wanted).hasTail)
    let left = wanted.map { $0.filter { $0 != 8 } }
    let change = try change(base, left, gone: [8])
    let neighbours = try TitleNeighbours(base: base, tail: try tail(change))
    let known = try TitleNeighbours(base: base)
    #expect((0..<60).contains { list(known, $0)[8] != nil })
    #expect((0..<60).allSatisfy { list(neighbours, $0)[8] == nil })
  }

  @Test("new titles have lists, and what changed most among what is watched most comes anew, up to a share")
  func replaced() throws {
    let base = try lists(wanted, titleCount: Self.baseCount)
    // Everybody of the first hundred watches a new title, and twelve more watch 5 with 6.
    let more =
      wanted.enumerated().map { $0 < 100 ? $1 + [60] : $1 } + [[UInt32]](repeating: [5, 6], count: 12)
    var options = NeighbourChange.Options()
    (options.listShareMax, options.changeMin, options.staleMax) = (4.0 / 60, 0.01, 0.01)
    let some = try change(base, more, origins: [NeighbourTail.none], options)
    #expect(!some.isStale, "5 and 6 come anew, and a new base could not have the new title")
    (options.listShareMax, options.staleMax) = (0, 0.001)
    #expect(try change(base, more, origins: [NeighbourTail.none], options).isStale)
    options.listShareMax = 4.0 / 60
    let tail = try tail(some)
    #expect(tail.lists.count == 5)
    let fresh = try TitleNeighbours(base: lists(more, titleCount: 61))
    let neighbours = try TitleNeighbours(base: base, tail: tail)
    #expect(list(neighbours, 60) == list(fresh, 60) && !list(neighbours, 60).isEmpty)
    for title: UInt32 in [5, 6] { #expect(list(neighbours, title) == list(fresh, title)) }
    let known = try TitleNeighbours(base: base)
    let anew = (0..<UInt32(60)).filter { list(neighbours, $0) != list(known, $0) }
    #expect(anew.count == 4)
    options.listShareMax = 1
    let all = try change(base, more, origins: [NeighbourTail.none], options)
    #expect(all.staleness == 0)
    let whole = try TitleNeighbours(base: base, tail: try self.tail(all))
    #expect(anew.allSatisfy { list(whole, $0) == list(fresh, $0) })
  }

  @Test("a new base has neighbours in the base only, and its tail the rest")
  func newBase() throws {
    let more = wanted.map { $0 + [60] }
    let fresh = try lists(more, titleCount: 61)
    let base = try NeighbourBase.open(
      mapped { try NeighbourChange.writeBase(fresh, count: Self.baseCount, to: $0) }, name: "base")
    #expect(base.count == 60 && base.ordinals.allSatisfy { $0 < 60 })
    var options = NeighbourChange.Options()
    (options.listShareMax, options.changeMin) = (1, 0)
    let change = try change(base, more, origins: [NeighbourTail.none], options)
    let neighbours = try TitleNeighbours(base: base, tail: try tail(change))
    let all = try TitleNeighbours(base: fresh)
    for title in 0..<UInt32(61) { #expect(list(neighbours, title) == list(all, title)) }
  }

  @Test("a base that was just written is not stale, however much its titles share with new ones")
  func notStaleAtBirth() throws {
    // Half of what anybody watches is new.
    let more = wanted.map { $0 + (60..<67) }
    let origins = [UInt32](repeating: NeighbourTail.none, count: 7)
    let old = try lists(wanted, titleCount: Self.baseCount)
    let fresh = try lists(more, titleCount: 67)
    let base = try NeighbourBase.open(
      mapped { try NeighbourChange.writeBase(fresh, count: Self.baseCount, to: $0) }, name: "base")
    let born = try change(base, more, origins: origins)
    #expect(!born.isStale && born.hasTail)
    // New titles alone make none stale: a new base could not have them.
    #expect(try !change(old, more, origins: origins).isStale)
  }

  @Test("lists of what nobody watches any more are stale")
  func unwatched() throws {
    let base = try lists(wanted, titleCount: Self.baseCount)
    #expect(try change(base, []).isStale)
    #expect(try !change(lists([], titleCount: Self.baseCount), []).isStale)
  }

  @Test("a parent's ordinals that are no titles are left out")
  func oddParent() throws {
    let path = try temporaryFile()
    defer { unlink(path) }
    let writer = try SegmentWriter(
      path: path, kind: NeighbourBase.kind, formatVersion: NeighbourBase.formatVersion)
    try writer.add("HEAD", [UInt32(Self.baseCount), 0, 0, 0])
    try writer.add("OFFS", (0...UInt32(Self.baseCount)).map { $0 })
    try writer.add("ORDS", (0..<Self.baseCount).map { $0 % 2 == 0 ? UInt32.max : 60 })
    try writer.add("WGTS", [UInt16](repeating: 9, count: Self.baseCount))
    try writer.add("SCAL", [Float](repeating: 1, count: Self.baseCount))
    try writer.finish()
    let base = try NeighbourBase.open(
      MappedBytes(copying: SystemDisk().read(path, limit: 1 << 24)), name: "base")
    #expect(try change(base, wanted).isStale)
  }

  @Test("a tail that is cut, out of order or of another base is refused")
  func hostile() throws {
    let path = try temporaryFile()
    defer { unlink(path) }
    let base = try lists(wanted, titleCount: Self.baseCount)
    try change(base, wanted, origins: [4], gone: [9]).write(to: path)
    let whole = try SystemDisk().read(path, limit: 1 << 24)
    for count in stride(from: 0, to: whole.count, by: 61) {
      #expect(throws: Refusal.self) {
        try NeighbourTail(opening: MappedBytes(copying: Array(whole.prefix(count))), name: "tail")
      }
    }
    let other = try lists(wanted, titleCount: 70)
    let tail = try NeighbourTail(opening: MappedBytes(copying: whole), name: "tail")
    #expect(throws: Refusal.self) { try TitleNeighbours(base: other, tail: tail) }

    func open(
      _ origins: [UInt32] = [4], _ moved: [UInt32] = [4, 9], _ to: [UInt32] = [60, .max],
      _ titles: [UInt32] = [2, 60]
    ) throws -> NeighbourTail {
      let writer = try SegmentWriter(
        path: path, kind: NeighbourTail.kind, formatVersion: NeighbourTail.formatVersion)
      try writer.add("HEAD", [60, UInt32(origins.count), 0, 0])
      try writer.add("ORIG", origins)
      try writer.add("MOVB", moved)
      try writer.add("MOVT", to)
      try writer.add("TITL", titles)
      try writer.add("OFFS", (0...titles.count).map { UInt32($0) })
      try writer.add("ORDS", titles.map { _ in UInt32.max })
      try writer.add("WGTS", titles.map { _ in UInt16(9) })
      try writer.add("SCAL", titles.map { _ in Float(1) })
      try writer.finish()
      return try NeighbourTail(
        opening: MappedBytes(copying: SystemDisk().read(path, limit: 1 << 24)), name: "tail")
    }
    let odd = try TitleNeighbours(base: base, tail: open())
    let known = list(try TitleNeighbours(base: base), 4)
    #expect(list(odd, 2).isEmpty && list(odd, 60) == known.filter { $0.key != 9 })
    #expect(throws: Refusal.self) { try open([60]) }
    #expect(throws: Refusal.self) { try open([4], [9, 4]) }
    #expect(throws: Refusal.self) { try open([4], [4, 60]) }
    #expect(throws: Refusal.self) { try open([4], [4, 9], [61, .max]) }
    #expect(throws: Refusal.self) { try open([4], [4, 9], [3, .max]) }
    #expect(throws: Refusal.self) { try open([4], [4, 9], [60, .max], [2, 2]) }
    #expect(throws: Refusal.self) { try open([4], [4, 9], [60, .max], [2, 61]) }
  }
}
