import Base
import CKernels
import Testing

/// Every level of the index kernels against the scalar one: the same bits.
@Suite("Index kernels")
struct IndexKernelsTests {
  static let levels = [MK_AVX2, MK_AVX512].compactMap { mk_index_at_level(Int32($0.rawValue)) }.map {
    Level(table: $0)
  }

  /// Guard for `@unchecked Sendable`: tables are constants.
  struct Level: @unchecked Sendable, CustomTestStringConvertible {
    let table: UnsafePointer<mk_index_kernels>
    var testDescription: String { String(cString: table.pointee.name) }
  }

  private func truth() throws -> mk_index_kernels {
    try #require(mk_index_at_level(Int32(MK_SCALAR.rawValue))).pointee
  }

  @Test("the active level is the one of the other kernels")
  func active() {
    #expect(mk_index_active().pointee.level == mk_active().pointee.level)
    #expect(mk_index_at_level(99) == nil)
  }

  @Test("products and tables are the same bits at every level", arguments: levels)
  func tables(level: Level) throws {
    var random = SplitMix(seed: 1)
    let widths: [UInt16] = [1, 3, 0, 2, 17, 1]
    let query = (0..<24).map { _ in Float.random(in: -1...1, using: &random) }
    let book = (0..<24 * 16).map { _ in Float.random(in: -1...1, using: &random) }
    let run = { (table: mk_index_kernels) -> ([Float], [UInt8]) in
      var products = [Float](repeating: 0, count: 96)
      var least = [Float](repeating: 0, count: 6)
      var largest = least
      var bytes = [UInt8](repeating: 0, count: 96)
      table.products(query, widths, 6, book, &products, &least, &largest)
      table.tables(products, least, 6, 250 / (zip(largest, least).map { $0 - $1 }.max() ?? 1), &bytes)
      return (products + least + largest, bytes)
    }
    let expected = run(try truth())
    let got = run(level.table.pointee)
    #expect(got.0 == expected.0 && got.1 == expected.1)
    #expect(expected.1.max() == 250)
    #expect(abs(expected.0[0] - query[0] * book[0]) < 1e-6)
  }

  /// Blocks of chance; none of the numbers twice, and their places apart.
  private func blocks(_ count: Int, of all: Int, random: inout SplitMix) -> mk_blocks {
    var blocks = mk_blocks()
    let numbers = (0..<all).shuffled(using: &random).prefix(count)
    for (place, number) in numbers.enumerated() {
      let open = [.max, random.next(), random.next() & random.next(), 1 << UInt64(place % 64)][place % 4]
      blocks.add(open: open, number: number, offset: Int32(place * 7) - 3)
    }
    return blocks
  }

  @Test("scans let the same titles pass at every level, whatever blocks they are", arguments: levels)
  func scan(level: Level) throws {
    var random = SplitMix(seed: 2)
    for pairs in [1, 2, 7, 14, 32, 256] {
      var tables = (0..<pairs * 32).map { _ in UInt8.random(in: 0...127, using: &random) }
      // As large as a pair may be.
      for place in 0..<16 { (tables[place], tables[16 + place]) = (200, 55) }
      let bytes = (0..<70 * 64 * pairs).map { _ in UInt8.random(in: 0...255, using: &random) }
      for count in [0, 1, 2, 3, 16, 17, 64] {
        let scanned = blocks(count, of: 70, random: &random)
        let middle = Int32(255 + (pairs - 1) * 127)
        for floor in [Int32.min, 5, middle, middle - 100, 255 * Int32(pairs) + 500, .max] {
          let expected = found(try truth(), bytes, pairs, tables, floor, scanned)
          // What is fetched meanwhile changes nothing.
          for ahead in [0, 1, 64] {
            let fetched = blocks(ahead, of: 70, random: &random)
            let got = found(level.table.pointee, bytes, pairs, tables, floor, scanned, ahead: fetched)
            #expect(got == expected, "\(pairs) pairs, \(count) blocks, floor \(floor)")
          }
          if floor == .min { #expect(expected.map(\.place) == scanned.openPlaces) }
        }
      }
    }
  }

  @Test("a score is the sum of a title's codes in the tables, and its block's offset")
  func sums() throws {
    let bytes = (0..<2 * 64 * 2).map { UInt8($0 % 251) }
    let tables = (0..<64).map { UInt8($0) }
    var scanned = mk_blocks()
    scanned.add(open: 1 << 5 | 1 << 63, number: 1, offset: -40)
    for table in [try truth()] + Self.levels.map(\.table.pointee) {
      let got = found(table, bytes, 2, tables, .min, scanned)
      let expected = [5, 63].map { title in
        // Entries are their own numbers.
        let (first, second) = (Int32(bytes[128 + title]), Int32(bytes[192 + title]))
        let sum = (first & 15) + 16 + (first >> 4) + 32 + (second & 15) + 48 + (second >> 4)
        return Found(place: UInt32(164 + title), score: sum - 40)
      }
      #expect(got == expected)
    }
  }

  @Test("blocks are chosen by their rows and spreads, and score the same at every level", arguments: levels)
  func choose(level: Level) throws {
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
    for table in [try truth()] + Self.levels.map(\.table.pointee) {
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
    for table in [try truth()] + Self.levels.map(\.table.pointee) {
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

  @Test("rows score the same bits at every level, at the extremes too", arguments: levels)
  func rows(level: Level) throws {
    var random = SplitMix(seed: 3)
    for dimensions in [1, 63, 64, 65, 128, 200, 384, 1024] {
      let stride = (dimensions + 63) / 64 * 64
      var rows = (0..<40 * stride).map { _ in UInt8.random(in: 0...255, using: &random) }
      for place in 0..<stride { (rows[place], rows[stride + place]) = (0, 255) }
      let step = (0..<40).map { _ in UInt8.random(in: 0...255, using: &random) }
      let steps = (0..<256).map { Float($0) * 0.01 }
      let query = (0..<dimensions).map { $0 % 5 == 0 ? 1 : Float.random(in: -1...1, using: &random) }
      var (high, low) = ([Int8](repeating: 9, count: stride), [Int8](repeating: 9, count: stride))
      let unit = mk_quantise_query(query, dimensions, stride, &high, &low)
      for (dimension, value) in query.enumerated() {
        #expect(abs(Float(128 * Int(high[dimension]) + Int(low[dimension])) * unit - value) <= unit * 0.51)
      }
      #expect(high[dimensions...].allSatisfy { $0 == 0 } && low[dimensions...].allSatisfy { $0 == 0 })
      for count in [1, 7, 8, 9, 40] {
        let places = (0..<count).map { UInt32($0 * 3 % 40) }
        let run = { (table: mk_index_kernels) -> [Float] in
          var out = [Float](repeating: 7, count: count + 1)
          table.score_rows(rows, stride, step, steps, places, count, high, low, &out)
          return out
        }
        let expected = run(try truth())
        #expect(run(level.table.pointee) == expected, "\(dimensions) dimensions, \(count) rows")
        #expect(expected[count] == 7, "nothing is written beyond the rows")
      }
    }
  }

  @Test("a scan that asks finds what one without a filter finds and the filter lets pass", arguments: levels)
  func scanAsking(level: Level) throws {
    var random = SplitMix(seed: 5)
    let tables = (0..<7 * 32).map { _ in UInt8.random(in: 0...127, using: &random) }
    let bytes = (0..<70 * 64 * 7).map { _ in UInt8.random(in: 0...255, using: &random) }
    let ordinals = (0..<70 * 64 + 100).map { _ in UInt32.random(in: 0..<9000, using: &random) }
    for count in [0, 1, 2, 15, 16, 17, 33, 64] {
      let scanned = blocks(count, of: 70, random: &random)
      for share in [0, 1, 20] {
        let isAllowed = (0..<9024).map { _ in share > 0 && Int.random(in: 0..<share, using: &random) == 0 }
        let allowed = bitmap(isAllowed)
        let passes = { (place: UInt32) in isAllowed[Int(ordinals[Int(place)])] }
        // All titles, about half of them, a few, none.
        for floor in [Int32.min, 889, 1100, 1250, 2300, .max] {
          let kept = found(try truth(), bytes, 7, tables, floor, scanned).filter { passes($0.place) }
          for table in [try truth(), level.table.pointee] {
            for ahead in [0, 5, 64] {
              let fetched = blocks(ahead, of: 70, random: &random)
              let some = found(
                table, bytes, 7, tables, floor, scanned, ahead: fetched, asking: ordinals, allowed: allowed)
              #expect(some == kept, "\(count) blocks, 1 of \(share), floor \(floor)")
            }
          }
        }
        // Asked first, by ordinals and by place.
        let expected = scanned.openPlaces.filter(passes)
        var placed = [UInt64](repeating: 0, count: 70)
        for place in expected { placed[Int(place - 100) / 64] |= 1 << UInt64((place - 100) % 64) }
        for table in [try truth(), level.table.pointee] {
          for words in [nil, placed] {
            var (left, seen) = (scanned, mk_seen())
            ask(table, words, ordinals, allowed, &left, &seen)
            #expect(left.openPlaces == expected && left.opens.allSatisfy { $0 != 0 })
            #expect(seen.asked == scanned.openPlaces.count && seen.passed == expected.count)
            let pairs = Dictionary(grouping: expected) { ($0 - 100) / 64 }.values.map {
              $0.count * ($0.count - 1)
            }
            #expect(seen.passed_pairs == pairs.reduce(0, +))
            #expect(
              seen.asked_pairs
                == scanned.opens.reduce(0) { $0 + $1.nonzeroBitCount * ($1.nonzeroBitCount - 1) })
          }
        }
      }
    }
  }

  private struct Found: Equatable {
    let place: UInt32
    let score: Int32
  }

  private func ask(
    _ table: mk_index_kernels, _ placed: [UInt64]?, _ ordinals: [UInt32], _ allowed: [UInt64],
    _ blocks: inout mk_blocks, _ seen: inout mk_seen
  ) {
    if let placed {
      table.ask(placed, ordinals, allowed, &blocks, &seen)
    } else {
      table.ask(nil, ordinals, allowed, &blocks, &seen)
    }
  }

  /// What a scan of blocks finds.
  private func found(
    _ table: mk_index_kernels, _ bytes: [UInt8], _ pairs: Int, _ tables: [UInt8], _ floor: Int32,
    _ blocks: mk_blocks, ahead: mk_blocks = mk_blocks(), asking ordinals: [UInt32]? = nil,
    allowed: [UInt64] = []
  ) -> [Found] {
    let room = blocks.count * 64 + Int(MK_KEEP_SLACK)
    var (places, scores) = ([UInt32](repeating: 0, count: room), [Int32](repeating: 0, count: room))
    var (written, blocks, ahead) = (0, blocks, ahead)
    bytes.withUnsafeBufferPointer { bytes in
      tables.withUnsafeBufferPointer { tables in
        guard let start = bytes.baseAddress, let first = tables.baseAddress else { return }
        var codes = mk_codes(codes: start, pairs: pairs, tables: first)
        if let ordinals {
          written = table.scan_asking(&codes, floor, &blocks, &ahead, ordinals, allowed, &places, &scores)
        } else {
          written = table.scan(&codes, floor, &blocks, &ahead, &places, &scores)
        }
      }
    }
    return zip(places, scores).prefix(written).map { Found(place: $0, score: $1) }
  }

  @Test("which titles a filter lets pass is the same at every level", arguments: levels)
  func placeAllowed(level: Level) throws {
    var random = SplitMix(seed: 4)
    let allowed = (0..<17).map { _ in random.next() }
    for count in [0, 1, 2, 15, 16, 17, 100, 255, 256, 257, 1023, 1024, 1025, 1040, 2200] {
      let ordinals = (0..<count).map { _ in UInt32.random(in: 0..<1088, using: &random) }
      let place = { (table: mk_index_kernels) -> [UInt64] in
        var words = [UInt64](repeating: 7, count: (count + 63) / 64 + 1)
        table.place_allowed(ordinals, count, allowed, &words)
        return words
      }
      var bits = [Bool](repeating: false, count: (count + 63) / 64 * 64)
      for (title, ordinal) in ordinals.enumerated() {
        bits[title] = allowed[Int(ordinal) / 64] >> UInt64(ordinal % 64) & 1 == 1
      }
      #expect(place(try truth()) == bitmap(bits) + [7] && place(level.table.pointee) == bitmap(bits) + [7])
    }
  }

  @Test("what is added to a product is whole, and never more than a product's word holds")
  func weights() {
    var sums = [Int32](repeating: 0, count: 5)
    mk_add_weights([7, -7, 0, 5, 1], [0, 1.5, 0.25, 1e9, .infinity], 3, 5, &sums)
    #expect(sums == [7, -3, 0, 5 + (1 << 30), 1 + (1 << 30)])
  }

  @Test("a row is within half of its step, and a step is a byte")
  func quantise() {
    var bytes = [UInt8](repeating: 1, count: 64)
    mk_quantise_by([1, -0.5, 0.004, 3], 4, 64, 0.01, &bytes)
    #expect(bytes.prefix(5).elementsEqual([228, 78, 128, 255, 128]))
    mk_quantise_by([1], 1, 64, 0, &bytes)
    #expect(bytes[0] == 128)
  }
}

extension mk_blocks {
  /// A block whose first place is a hundred further than its number tells.
  fileprivate mutating func add(open: UInt64, number: Int, offset: Int32) {
    let at = count
    set(\.open, at, open)
    set(\.number, at, UInt32(number))
    set(\.place, at, UInt32(100 + 64 * number))
    set(\.offset, at, offset)
    count += 1
    titles += open.nonzeroBitCount
  }

  fileprivate var opens: [UInt64] { values(\.open) }
  fileprivate var numbers: [UInt32] { values(\.number) }
  fileprivate var offsets: [Int32] { values(\.offset) }

  /// Places of the open titles, block after block.
  fileprivate var openPlaces: [UInt32] {
    zip(values(\.place) as [UInt32], opens).flatMap { place, open in
      (0..<UInt32(64)).filter { open >> UInt64($0) & 1 == 1 }.map { place + $0 }
    }
  }

  fileprivate func same(as other: mk_blocks) -> Bool {
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
