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

  @Test("scans let the same titles pass at every level, around every block's end", arguments: levels)
  func scan(level: Level) throws {
    var random = SplitMix(seed: 2)
    for pairs in [1, 2, 7, 14, 32, 256] {
      var tables = (0..<pairs * 32).map { _ in UInt8.random(in: 0...127, using: &random) }
      // As large as a pair may be.
      for place in 0..<16 { (tables[place], tables[16 + place]) = (200, 55) }
      for count in [1, 2, 31, 32, 33, 63, 64, 65, 127, 128, 129, 200, 300] {
        let blocks = (count + 63) / 64
        let codes = (0..<blocks * 64 * pairs).map { _ in UInt8.random(in: 0...255, using: &random) }
        let all = [UInt64](repeating: .max, count: blocks)
        // Whole blocks are closed, others have a few titles.
        let allowed = (0..<blocks).map { $0 % 3 == 1 ? 0 : random.next() & random.next() }
        let middle = Int32(255 + (pairs - 1) * 127)
        for floor in [Int32.min, 5, 1000 + middle, 900 + middle, 1000 + 255 * Int32(pairs) + 1, .max] {
          let run = { (table: mk_index_kernels, open: [UInt64]?) -> ([UInt32], [Int32]) in
            var places = [UInt32](repeating: 0, count: count + 16)
            var scores = [Int32](repeating: 0, count: count + 16)
            var ahead = mk_ahead()
            let found = table.scan(
              codes, count, pairs, tables, floor, 1000, open, &ahead, 50, &places, &scores)
            return (Array(places.prefix(found)), Array(scores.prefix(found)))
          }
          #expect(run(level.table.pointee, all) == run(level.table.pointee, nil))
          let expected = run(try truth(), nil)
          let got = run(level.table.pointee, nil)
          #expect(
            got.0 == expected.0 && got.1 == expected.1, "\(pairs) pairs, \(count) titles, floor \(floor)")
          let some = run(try truth(), allowed)
          #expect(run(level.table.pointee, allowed) == some)
          #expect(
            some.0
              == expected.0.filter { allowed[Int($0 - 50) / 64] >> UInt64(($0 - 50) % 64) & 1 == 1 })
          if floor == .min { #expect(expected.0 == (50..<50 + UInt32(count)).map { $0 }) }
        }
      }
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
    let pairs = 7
    let tables = (0..<pairs * 32).map { _ in UInt8.random(in: 0...127, using: &random) }
    for count in [1, 63, 64, 65, 128, 500, 1023, 1024, 1025, 1088, 2048, 2100] {
      let codes = (0..<(count + 63) / 64 * 64 * pairs).map { _ in UInt8.random(in: 0...255, using: &random) }
      let ordinals = (0..<count).map { _ in UInt32.random(in: 0..<9000, using: &random) }
      for share in [0, 1, 20] {
        var isAllowed = [Bool](repeating: false, count: 9024)
        for ordinal in 0..<9024 where share > 0 {
          isAllowed[ordinal] = Int.random(in: 0..<share, using: &random) == 0
        }
        let allowed = bitmap(isAllowed)
        // All titles, about half of them, a few, none.
        for floor in [Int32.min, 889, 1100, 1250, 1786, .max] {
          let (all, _) = found(try truth(), codes, count, tables, floor)
          let kept = all.filter { isAllowed[Int(ordinals[Int($0.place)])] }
          for table in [try truth(), level.table.pointee] {
            // What is fetched meanwhile changes nothing.
            for fetched in [0, count / 2, count] {
              let (some, asked) = found(
                table, codes, count, tables, floor, asking: ordinals, allowed: allowed, fetched: fetched)
              #expect(some == kept, "\(count) titles, 1 of \(share), floor \(floor)")
              #expect(asked == all.count)
              #expect(found(table, codes, count, tables, floor, fetched: fetched).0 == all)
            }
          }
          if floor == .min { #expect(all.count == count) }
        }
      }
    }
  }

  private struct Found: Equatable {
    let place: UInt32
    let score: Int32
  }

  /// What a scan of `codes` of 7 pairs finds, and about how many it asked.
  private func found(
    _ table: mk_index_kernels, _ codes: [UInt8], _ count: Int, _ tables: [UInt8], _ floor: Int32,
    asking ordinals: [UInt32]? = nil, allowed: [UInt64] = [], fetched: Int = 0
  ) -> ([Found], Int) {
    var places = [UInt32](repeating: 0, count: count + 16)
    var scores = [Int32](repeating: 0, count: count + 16)
    var (written, asked) = (0, 99)
    codes.withUnsafeBufferPointer { codes in
      guard let first = codes.baseAddress else { return }
      if let ordinals {
        ordinals.withUnsafeBufferPointer { ordinals in
          guard let names = ordinals.baseAddress else { return }
          var ahead = mk_ahead(codes: first, ordinals: names, count: fetched)
          written = table.scan_asking(
            first, count, 7, tables, floor, -3, names, allowed, &ahead, 0, &places, &scores, &asked)
        }
      } else {
        var ahead = mk_ahead(codes: first, ordinals: nil, count: fetched)
        written = table.scan(first, count, 7, tables, floor, -3, nil, &ahead, 0, &places, &scores)
      }
    }
    return (zip(places, scores).prefix(written).map { Found(place: $0, score: $1) }, asked)
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
