import Base
import CKernels
import Testing

/// The scan kernels of every level against the scalar ones, at sizes around every vector's width: the same bits.
@Suite("Scan kernels")
struct ScanKernelsTests {
  /// Guard for `@unchecked Sendable`: tables are constants.
  struct Level: @unchecked Sendable, CustomTestStringConvertible {
    let table: mk_scan_kernels
    let testDescription: String
  }

  static let levels = [MK_SCALAR, MK_AVX2, MK_AVX512].compactMap { level in
    mk_at_level(Int32(level.rawValue)).map {
      Level(
        table: mk_scan_at_level($0.pointee.level).pointee, testDescription: String(cString: $0.pointee.name))
    }
  }
  private let truth = mk_scan_at_level(Int32(MK_SCALAR.rawValue)).pointee

  private func query(_ dimensions: Int, _ random: inout SplitMix, extreme: Bool = false) -> mk_query {
    var query = mk_query()
    let weights = (0..<dimensions).map { _ in extreme ? 1 : Float.random(in: -1...1, using: &random) }
    _ = mk_query_prepare(&query, weights, dimensions)
    return query
  }

  /// Random bytes, now and then all at one end.
  private func bytes(_ count: Int, _ random: inout SplitMix, extreme: Bool = false) -> [UInt8] {
    (0..<count).map { _ in extreme ? 0 : UInt8.random(in: 0...255, using: &random) }
  }

  @Test("a query's integers are its weights in units, and its two bytes make up each of them")
  func prepare() {
    var random = SplitMix(seed: 1)
    for dimensions in [1, 3, 4, 31, 128, 1000, 1024] {
      let weights = (0..<dimensions).map { _ in Float.random(in: -3...3, using: &random) }
      var query = mk_query()
      let unit = mk_query_prepare(&query, weights, dimensions)
      var sum: Int32 = 0
      withUnsafeBytes(of: query) { raw in
        let base = MemoryLayout<mk_query>.offset(of: \.value) ?? 0
        let high = MemoryLayout<mk_query>.offset(of: \.high) ?? 0
        let low = MemoryLayout<mk_query>.offset(of: \.low) ?? 0
        for place in 0..<Int(MK_ROW_MAX) {
          let value = Int32(raw.loadUnaligned(fromByteOffset: base + place * 2, as: Int16.self))
          let whole =
            Int32(raw.load(fromByteOffset: high + place, as: Int8.self)) * 128
            + Int32(raw.load(fromByteOffset: low + place, as: Int8.self))
          #expect(value == whole)
          if place < dimensions {
            #expect(abs(Float(value) * unit - weights[place]) <= unit * 0.51)
          } else {
            #expect(value == 0)
          }
          sum += value
        }
      }
      #expect(query.bias == sum * 128)
    }
    var query = mk_query()
    for weights in [[Float](repeating: 0, count: 4), [0x1p-149, 0, 0, -0x1p-149]] {
      #expect(mk_query_prepare(&query, weights, 4) == 1 && query.bias == 0)
    }
  }

  @Test("products of groups are plain sums, at the extremes too", arguments: levels)
  func groups(level: Level) {
    var random = SplitMix(seed: 2)
    for dimensions in [4, 8, 12, 32, 36, 40, 48, 128, 512] {
      for (groups, extreme) in [(1, false), (2, false), (3, true), (5, false)] {
        var query = query(dimensions, &random, extreme: extreme)
        let codes = bytes(groups * 16 * dimensions, &random, extreme: extreme)
        var products = [Int32](repeating: 0, count: groups * 16)
        level.table.dot_groups(&query, codes, groups, &products)
        var expected = products
        truth.dot_groups(&query, codes, groups, &expected)
        #expect(products == expected, "\(dimensions) dimensions, \(groups) groups")
        if extreme { #expect(products.allSatisfy { $0 == -128 * 16256 * Int32(dimensions) }) }
      }
    }
  }

  @Test("a scan lets the same titles pass, with a filter and without", arguments: levels)
  func scan(level: Level) {
    var random = SplitMix(seed: 3)
    let words = (0..<40).map { _ in random.next() & random.next() }
    for dimensions in [4, 32, 36, 40, 44, 48, 100] {
      for count in [1, 2, 15, 16, 17, 31, 32, 33, 47, 48, 49, 64, 100] {
        var query = query(dimensions, &random)
        let codes = bytes((count + 15) / 16 * 16 * dimensions, &random)
        let ordinals = (0..<count).map { _ in UInt32.random(in: 0..<2400, using: &random) }
        for (threshold, isFiltered) in [
          (Int32.min, false), (Int32.min, true), (0, true), (0, false), (.max, true),
        ] {
          let run = { (table: mk_scan_kernels) -> [[Int64]] in
            var scores = [Int32](repeating: 7, count: count + Int(MK_SCAN_SLACK))
            var slots = [UInt32](repeating: 7, count: count + Int(MK_SCAN_SLACK))
            return words.withUnsafeBufferPointer { words in
              ordinals.withUnsafeBufferPointer { ordinals in
                guard let bits = words.baseAddress, let first = ordinals.baseAddress else { return [] }
                var filter = mk_scan_filter(words: bits, ordinals: first, first: 100, asked: 5, passed: 3)
                let written =
                  isFiltered
                  ? table.scan(
                    &query, codes, count, threshold, 1000, &filter, codes, codes.count, &scores, &slots)
                  : table.scan(&query, codes, count, threshold, 1000, nil, nil, 0, &scores, &slots)
                return [
                  scores.prefix(written).map { Int64($0) }, slots.prefix(written).map { Int64($0) },
                  [Int64(filter.asked), Int64(filter.passed)],
                ]
              }
            }
          }
          let expected = run(truth)
          #expect(run(level.table) == expected, "\(dimensions) dimensions, \(count) titles")
          if threshold == .min, !isFiltered { #expect(expected[1] == (0..<Int64(count)).map { $0 + 1000 }) }
        }
      }
    }
  }

  @Test("scores are counted and kept alike, and nothing is written beyond their end", arguments: levels)
  func keep(level: Level) {
    var random = SplitMix(seed: 4)
    for count in [0, 1, 7, 8, 9, 15, 16, 17, 63, 64, 65, 200, 1000] {
      let scores = (0..<count).map { _ in Int32.random(in: -50...50, using: &random) } + [99]
      let slots = (0...count).map { UInt32($0) }
      for least in [Int32.min, -50, 0, 30, 50, 51] {
        let (all, named) = (scores.dropLast(), slots.dropLast())
        let wanted = zip(all, named).filter { $0.0 >= least }
        #expect(level.table.count_at_least(scores, count, least) == wanted.count)
        var (kept, places) = (scores, slots)
        let number = level.table.keep_at_least(&kept, &places, count, least)
        #expect(kept.prefix(number).elementsEqual(wanted.map(\.0)))
        #expect(places.prefix(number).elementsEqual(wanted.map(\.1)))
        #expect(kept[count] == 99 && places[count] == UInt32(count))
      }
    }
  }

  @Test("scores by rows are the same bits", arguments: levels)
  func refine(level: Level) {
    var random = SplitMix(seed: 5)
    for dimensions in [1, 4, 63, 64, 65, 128, 384, 1024] {
      for (count, extreme) in [(1, false), (3, false), (4, true), (5, false), (40, false)] {
        let stride = (dimensions + 63) / 64 * 64
        var query = query(dimensions, &random, extreme: extreme)
        let rows = bytes(50 * stride, &random, extreme: extreme)
        let slots = (0..<count).map { _ in UInt32.random(in: 0..<50, using: &random) }
        let scores = (0..<count).map { _ in Int32.random(in: -1_000_000...1_000_000, using: &random) }
        let run = { (table: mk_scan_kernels) -> [Float] in
          var out = [Float](repeating: 9, count: count + 1)
          table.refine(&query, rows, stride, slots, scores, count, 1.7e-7, 3.1e-9, &out)
          return out
        }
        let expected = run(truth)
        #expect(run(level.table) == expected, "\(dimensions) dimensions, \(count) rows")
        #expect(expected[count] == 9)
      }
    }
  }

  @Test("yields are the same bits, and between none and all", arguments: levels)
  func yields(level: Level) {
    var random = SplitMix(seed: 6)
    let table = (0..<Int(MK_YIELD_COUNT)).map { Float($0) / Float(MK_YIELD_COUNT - 1) }
    for count in [1, 7, 8, 9, 16, 17, 100] {
      let scores = (0..<count).map { _ in Int32.random(in: -1_000_000_000...1_000_000_000, using: &random) }
      let titles = (0..<count).map { _ in Float.random(in: 0...1000, using: &random).rounded() }
      var steepness = (0..<count).map { _ in Float.random(in: 0...1e-6, using: &random) }
      steepness[0] = .infinity
      if count > 1 { steepness[1] = .nan }
      for threshold in [Int32(-1_000_000_000), 0, 1000, scores[0]] {
        let run = { (kernels: mk_scan_kernels) -> [Float] in
          var out = [Float](repeating: -1, count: count)
          kernels.yields(scores, titles, steepness, count, threshold, table, &out)
          return out
        }
        let expected = run(truth)
        #expect(run(level.table) == expected)
        #expect(zip(expected, titles).allSatisfy { $0 >= 0 && $0 <= $1 })
        if count > 1 { #expect(expected[1] == 0) }
        if threshold == scores[0] { #expect(expected[0] == 0) }
      }
    }
  }
}
