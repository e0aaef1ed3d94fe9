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
