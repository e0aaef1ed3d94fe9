import Base
import CKernels
import Testing

/// Every level against the scalar one, at sizes around every vector's width and at unaligned starts: the same bits.
@Suite("Kernels")
struct KernelsTests {
  static let levels = [MK_AVX2, MK_AVX512].compactMap { mk_at_level(Int32($0.rawValue)) }.map {
    Level(table: $0)
  }
  static let sizes = [
    1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 32, 33, 47, 63, 64, 65, 127, 128, 129, 191, 384, 1000, 1024,
  ]

  /// Guard for `@unchecked Sendable`: tables are constants.
  struct Level: @unchecked Sendable, CustomTestStringConvertible {
    let table: UnsafePointer<mk_kernels>
    var testDescription: String { String(cString: table.pointee.name) }
  }

  private let scalar = mk_at_level(Int32(MK_SCALAR.rawValue))

  private func truth() throws -> mk_kernels { try #require(scalar).pointee }

  @Test("the active level can be run here, and an unknown one can't")
  func active() {
    #expect(mk_at_level(mk_active().pointee.level) == mk_active())
    #expect(mk_at_level(99) == nil)
  }

  @Test("a product of bytes is the plain sum, at the extremes too")
  func plainBytes() throws {
    for dimensions in Self.sizes {
      let row = [UInt8](repeating: 255, count: dimensions)
      let query = [Int8](repeating: -127, count: dimensions)
      for table in [try truth()] + Self.levels.map(\.table.pointee) {
        var product: Int32 = 0
        table.dot_bytes(row, dimensions, 1, query, dimensions, &product)
        #expect(product == Int32(dimensions) * 127 * -127)
      }
    }
  }

  @Test("products of bytes are the same at every level", arguments: levels)
  func bytes(level: Level) throws {
    var random = SplitMix(seed: 1)
    for dimensions in Self.sizes {
      for (count, shift) in [(1, 0), (7, 1), (8, 3), (9, 17), (20, 5)] {
        let stride = dimensions + shift
        let rows = (0..<stride * count + shift).map { _ in UInt8.random(in: 0...255, using: &random) }
        let query = (0..<dimensions + shift).map { _ in Int8.random(in: -127...127, using: &random) }
        let run = { (table: mk_kernels) -> [Int32] in
          var out = [Int32](repeating: 7, count: count + 1)
          rows.withUnsafeBufferPointer { rows in
            query.withUnsafeBufferPointer { query in
              guard let row = rows.baseAddress, let first = query.baseAddress else { return }
              table.dot_bytes(row + shift, stride, count, first + shift, dimensions, &out)
            }
          }
          return out
        }
        let expected = run(try truth())
        #expect(
          run(level.table.pointee) == expected, "\(dimensions) dimensions, \(count) rows, shift \(shift)")
        #expect(expected[count] == 7, "nothing is written beyond the rows")
      }
    }
  }

  @Test("products of halves and floats are the same bits at every level", arguments: levels)
  func floats(level: Level) throws {
    var random = SplitMix(seed: 2)
    let truth = try truth()
    let table = level.table.pointee
    for dimensions in Self.sizes {
      let count = 7
      let stride = dimensions + 3
      let floats = (0..<stride * count).map { _ in Float.random(in: -1...1, using: &random) }
      var halves = [UInt16](repeating: 0, count: floats.count)
      truth.halves_from_floats(floats, floats.count, &halves)
      let query = (0..<dimensions).map { _ in Float.random(in: -1...1, using: &random) }
      let indices: [UInt32] = [6, 0, 0, 3, 5]
      let run = { (table: mk_kernels) -> [[Float]] in
        var out = [[Float]](repeating: [Float](repeating: 0, count: count), count: 4)
        table.dot_halves(halves, stride, count, query, dimensions, &out[0])
        table.dot_halves_at(halves, stride, indices, indices.count, query, dimensions, &out[1])
        table.dot_floats(floats, stride, count, query, dimensions, &out[2])
        out[3] = query
        table.add_halves(halves, 0.37, dimensions, &out[3])
        return out
      }
      let expected = run(truth)
      #expect(run(table) == expected, "\(dimensions) dimensions")
      let exact = (0..<dimensions).reduce(0.0) { $0 + Double(floats[$1]) * Double(query[$1]) }
      #expect(abs(Double(expected[2][0]) - exact) < 1e-4)
      #expect(expected[1].prefix(5).elementsEqual(indices.map { expected[0][Int($0)] }))
    }
  }

  @Test("every half becomes its float and comes back")
  func halvesRoundTrip() throws {
    let halves = (0...UInt16.max).map { $0 }
    for table in [try truth()] + Self.levels.map(\.table.pointee) {
      var floats = [Float](repeating: 0, count: halves.count)
      table.floats_from_halves(halves, halves.count, &floats)
      var back = [UInt16](repeating: 0, count: halves.count)
      table.halves_from_floats(floats, floats.count, &back)
      // A signalling not-a-number comes back quiet.
      let expected = halves.map { $0 & 0x7c00 == 0x7c00 && $0 & 0x3ff != 0 ? $0 | 0x200 : $0 }
      #expect(back == expected)
      #expect(floats[0x3c00] == 1 && floats[1] == 0x1p-24 && floats[0x7bff] == 65504)
    }
  }

  @Test("floats round to halves alike at every level", arguments: levels)
  func rounding(level: Level) throws {
    var random = SplitMix(seed: 4)
    var floats = (0..<200_003).map { _ in Float(bitPattern: UInt32(truncatingIfNeeded: random.next())) }
    floats += [
      0, -0.0, 65519.996, 65520, -65520, 0x1p-25, 0x1.000002p-25, 0x1p-14, 0x1.ffep-15, .infinity, .nan,
    ]
    let run = { (table: mk_kernels) -> [UInt16] in
      var out = [UInt16](repeating: 0, count: floats.count)
      table.halves_from_floats(floats, floats.count, &out)
      return out
    }
    #expect(run(level.table.pointee) == run(try truth()))
  }

  @Test("dense layers and nearest columns are the same bits at every level", arguments: levels)
  func dense(level: Level) throws {
    var random = SplitMix(seed: 5)
    for (rows, inputs, columns) in [
      (1, 1, 1), (2, 3, 15), (5, 16, 16), (6, 17, 17), (7, 64, 31), (8, 10, 32), (9, 128, 33), (17, 33, 48),
      (25, 5, 100),
    ] {
      let x = (0..<rows * (inputs + 1)).map { _ in Float.random(in: -1...1, using: &random) }
      let weights = (0..<inputs * columns).map { _ in Float.random(in: -1...1, using: &random) }
      let padded = (columns + 15) / 16 * 16
      var panels = [Float](repeating: 0, count: inputs * padded)
      mk_pack(weights, columns, inputs, columns, &panels)
      let bias = (0..<padded).map { $0 < columns ? Float.random(in: -1...1, using: &random) : -.infinity }
      let run = { (table: mk_kernels) -> ([Float], [Float], [UInt32]) in
        var out = [Float](repeating: 9, count: rows * columns + 1)
        var rectified = out
        var nearest = [UInt32](repeating: 0, count: rows)
        var values = [Float](repeating: 0, count: rows)
        table.dense(x, inputs + 1, rows, inputs, panels, bias, columns, 0, &out, columns)
        table.dense(x, inputs + 1, rows, inputs, panels, bias, columns, 1, &rectified, columns)
        table.nearest(x, inputs + 1, rows, inputs, panels, bias, columns, &nearest, &values)
        #expect(out[rows * columns] == 9, "nothing is written beyond the rows")
        return (out, rectified + values, nearest)
      }
      let expected = run(try truth())
      let got = run(level.table.pointee)
      #expect(
        got.0 == expected.0 && got.1 == expected.1 && got.2 == expected.2, "\(rows) × \(inputs) × \(columns)")
      for row in 0..<rows {
        let line = expected.0[row * columns..<(row + 1) * columns]
        #expect(line.max() == line[row * columns + Int(expected.2[row])])
      }
      let plain = (0..<inputs).reduce(bias[columns - 1]) { $0 + x[$1] * weights[$1 * columns + columns - 1] }
      #expect(abs(plain - expected.0[columns - 1]) < 1e-4)
    }
  }

  @Test("of equal columns the nearest is the first, at every level")
  func ties() throws {
    let panels = [Float](repeating: 1, count: 48)
    let bias = [Float](repeating: 0, count: 48)
    for table in [try truth()] + Self.levels.map(\.table.pointee) {
      var column: [UInt32] = [9]
      var value: [Float] = [0]
      table.nearest([2], 1, 1, 1, panels, bias, 48, &column, &value)
      #expect(column == [0] && value == [2])
    }
  }

  @Test("features are normalised alike, cut off, and missing ones become zero", arguments: levels)
  func normalise(level: Level) throws {
    var random = SplitMix(seed: 6)
    for columns in Self.sizes {
      var x = (0..<3 * columns).map { _ in Float.random(in: -1...1, using: &random) }
      x[0] = .nan
      if columns > 2 { (x[1], x[2]) = (1e30, -.infinity) }
      let mean = (0..<columns).map { _ in Float.random(in: -1...1, using: &random) }
      let scale = (0..<columns).map { _ in Float.random(in: 0.1...3, using: &random) }
      let run = { (table: mk_kernels) -> [Float] in
        var out = [Float](repeating: 0, count: x.count)
        table.normalise(x, 3, columns, mean, scale, &out)
        return out
      }
      let expected = run(try truth())
      #expect(run(level.table.pointee) == expected)
      #expect(expected[0] == 0)
      if columns > 2 { #expect(expected[1] == MK_FEATURE_LIMIT && expected[2] == -MK_FEATURE_LIMIT) }
    }
  }

  @Test("selection lets the same keys pass at every level", arguments: levels)
  func select(level: Level) throws {
    var random = SplitMix(seed: 7)
    let allowed = (0..<32).map { _ in random.next() }
    for count in Self.sizes {
      let dots = (0..<count).map { _ in Int32.random(in: -1_000_000...1_000_000, using: &random) }
      let scales = (0..<count).map { _ in Float.random(in: 0...0.01, using: &random) }
      let ordinals = (0..<count).map { _ in UInt32.random(in: 0..<1900, using: &random) }
      for threshold in [-Float.infinity, 0, 3000, .infinity] {
        for filter in [nil, allowed] {
          let run = { (table: mk_kernels) -> ([UInt64], Int) in
            var keys = [UInt64](repeating: 0, count: count + Int(MK_SELECT_SLACK))
            var passed = 0
            let written = filter.withOptionalPointer {
              table.select(dots, scales, ordinals, 100, count, threshold, $0, &keys, &passed)
            }
            return (Array(keys.prefix(written)), passed)
          }
          let expected = run(try truth())
          let got = run(level.table.pointee)
          #expect(got == expected, "\(count) rows, threshold \(threshold)")
        }
      }
    }
  }

  @Test("bits are counted")
  func countBits() throws {
    var random = SplitMix(seed: 8)
    let words = (0..<77).map { _ in random.next() }
    for table in [try truth()] + Self.levels.map(\.table.pointee) {
      #expect(table.count_bits(words, words.count) == UInt64(words.reduce(0) { $0 + $1.nonzeroBitCount }))
    }
  }
}

extension [UInt64]? {
  fileprivate func withOptionalPointer<Result>(_ body: (UnsafePointer<UInt64>?) -> Result) -> Result {
    self?.withUnsafeBufferPointer { body($0.baseAddress) } ?? body(nil)
  }
}
