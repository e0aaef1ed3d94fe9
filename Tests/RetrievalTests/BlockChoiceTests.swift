import Base
import CKernels
import Testing

@Suite("Choice of blocks")
struct BlockChoiceTests {
  private func truth() throws -> mk_index_kernels {
    try #require(mk_index_at_level(Int32(MK_SCALAR.rawValue))).pointee
  }

  @Test(
    "blocks are chosen by their rows and spreads, and score the same at every level",
    arguments: IndexKernelsTests.levels)
  func choose(level: IndexKernelsTests.Level) throws {
    var random = SplitMix(seed: 6)
    for width in [4, 36, 64, 200, 1024] {
      var choice = Choice(width: width, random: &random)
      for titles in [1, 63, 64, 65, 512, 1000, 1024, 1025, 4096] {
        choice.lists = [mk_list(number: 3, place: 77, titles: UInt32(titles), rank: 0, score: 0.5)]
        let ranks = choice.ranks(0)
        for least in [-Float.infinity, ranks.sorted()[ranks.count / 2], 1e9] {
          let expected = choice.run(try truth(), least: least)
          #expect(
            choice.run(level.table.pointee, least: least).same(as: expected), "\(width) wide, \(titles)")
          // Rounding aside, since the sum is of three in another order.
          for (block, rank) in ranks.enumerated() where abs(rank - least) > 0.5 || !least.isFinite {
            #expect(expected.numbers.contains(UInt32(3 + block)) == (rank > least))
          }
          if least == -Float.infinity {
            #expect(expected.titles == titles && expected.openPlaces == (77..<77 + UInt32(titles)).map { $0 })
          }
        }
      }
    }
  }

  @Test(
    "a choice ends with enough, at the last list, or before one that ranks too low, and goes on from there")
  func choices() throws {
    var random = SplitMix(seed: 8)
    var choice = Choice(width: 36, random: &random)
    var (number, place) = (UInt32(0), UInt32(100))
    for titles: UInt32 in [70, 0, 64, 900, 2900, 1, 640, 64] {
      choice.lists.append(
        mk_list(number: number, place: place, titles: titles, rank: Float(10 - choice.lists.count), score: 0))
      number += (titles + 63) / 64
      place = 100 + 64 * number
    }
    for table in [try truth()] + IndexKernelsTests.levels.map(\.table.pointee) {
      for wanted in [1, 2, 8, 32, 64] {
        // All that there are, in turns.
        var (cursor, found, turns) = (mk_cursor(), [UInt32](), 0)
        while cursor.list < choice.lists.count, turns < 100 {
          let some = choice.run(table, wanted: wanted, from: &cursor)
          #expect(some.count <= 64 && (some.count >= wanted || cursor.list == choice.lists.count))
          found += some.numbers
          turns += 1
        }
        #expect(found == (0..<number).map { $0 })
      }
      // Ranks are 10, 9, 8 and so on: before the fifth list, which has blocks that would do.
      var cursor = mk_cursor()
      #expect(choice.run(table, listLeast: 6, wanted: 64, from: &cursor).count == 18)
      #expect(cursor.list == 4 && cursor.block == 0)
      // Not before a list that has begun; the last is left.
      cursor = mk_cursor(list: 4, block: 40)
      #expect(choice.run(table, end: 7, wanted: 64, from: &cursor).count == 6 + 1 + 10)
      #expect(cursor.list == 7 && cursor.block == 0)
    }
  }

  @Test("a block's score is whole, and at most what a pool tells apart")
  func farScores() throws {
    for table in [try truth()] + IndexKernelsTests.levels.map(\.table.pointee) {
      for (score, whole) in [(Float(1e20), Int32(1 << 24)), (-1e20, -1 << 24), (2.5, 2), (-3.5, -4)] {
        var choice = Choice(rows: [128, 128, 128, 128], spreads: [0], query: [1, 2, 3, 4])
        choice.lists = [mk_list(number: 0, place: 0, titles: 64, rank: 0, score: score)]
        #expect(choice.run(table).offsets == [whole])
      }
    }
  }

  /// Lists, and what their blocks are chosen by.
  private struct Choice {
    var lists: [mk_list] = []
    let rows: [UInt8]
    let spreads: [Float]
    let query: [Int8]

    init(rows: [UInt8], spreads: [Float], query: [Int8]) {
      (self.rows, self.spreads, self.query) = (rows, spreads, query)
    }

    init(width: Int, random: inout SplitMix) {
      query = (0..<width).map { _ in Int8.random(in: -127...127, using: &random) }
      spreads = (0..<100).map { _ in Float.random(in: 0...2, using: &random) }
      rows = (0..<100 * width).map { _ in UInt8.random(in: 1...255, using: &random) }
    }

    /// What each block of a list ranks by, in doubt by rounding.
    func ranks(_ list: Int) -> [Float] {
      let (first, count) = (Int(lists[list].number), (Int(lists[list].titles) + 63) / 64)
      return (0..<count).map { block -> Float in
        var dot = 0
        for byte in query.indices {
          let row = rows[first * query.count + byte / 4 * 4 * count + 4 * block + byte % 4]
          dot += (Int(row) - 128) * Int(query[byte])
        }
        return lists[list].score + Float(dot) * 0.25 + spreads[first + block] * 1000
      }
    }

    func run(
      _ table: mk_index_kernels, end: Int? = nil, least: Float = -.infinity, listLeast: Float = -.infinity,
      wanted: Int = 64
    ) -> mk_blocks {
      var cursor = mk_cursor()
      return run(table, end: end, least: least, listLeast: listLeast, wanted: wanted, from: &cursor)
    }

    func run(
      _ table: mk_index_kernels, end: Int? = nil, least: Float = -.infinity, listLeast: Float = -.infinity,
      wanted: Int, from cursor: inout mk_cursor
    ) -> mk_blocks {
      var blocks = mk_blocks()
      rows.withUnsafeBufferPointer { rows in
        spreads.withUnsafeBufferPointer { spreads in
          query.withUnsafeBufferPointer { query in
            guard let rows = rows.baseAddress, let spreads = spreads.baseAddress,
              let start = query.baseAddress
            else { return }
            var middles = mk_middles(
              rows: rows, width: query.count, spreads: spreads, query: start,
              bias: query.reduce(0) { $0 + 128 * Int32($1) }, unit: 0.25, weight: 1000)
            table.choose(&middles, lists, end ?? lists.count, least, listLeast, wanted, &cursor, &blocks)
          }
        }
      }
      return blocks
    }
  }
}

extension mk_blocks {
  /// A block whose first place is a hundred further than its number tells.
  mutating func add(open: UInt64, number: Int, offset: Int32) {
    let at = count
    set(\.open, at, open)
    set(\.number, at, UInt32(number))
    set(\.place, at, UInt32(100 + 64 * number))
    set(\.offset, at, offset)
    count += 1
    titles += open.nonzeroBitCount
  }

  var opens: [UInt64] { values(\.open) }
  var numbers: [UInt32] { values(\.number) }
  var offsets: [Int32] { values(\.offset) }

  /// Places of the open titles, block after block.
  var openPlaces: [UInt32] {
    zip(values(\.place) as [UInt32], opens).flatMap { place, open in
      (0..<UInt32(64)).filter { open >> UInt64($0) & 1 == 1 }.map { place + $0 }
    }
  }

  func same(as other: mk_blocks) -> Bool {
    titles == other.titles && opens == other.opens && numbers == other.numbers && offsets == other.offsets
      && (values(\.place) as [UInt32]) == other.values(\.place)
  }

  private func values<Tuple, Value>(_ path: KeyPath<mk_blocks, Tuple>) -> [Value] {
    withUnsafeBytes(of: self[keyPath: path]) { Array($0.bindMemory(to: Value.self).prefix(count)) }
  }

  private mutating func set<Tuple, Value>(
    _ path: WritableKeyPath<mk_blocks, Tuple>, _ at: Int, _ value: Value
  ) {
    withUnsafeMutableBytes(of: &self[keyPath: path]) { $0.bindMemory(to: Value.self)[at] = value }
  }
}
