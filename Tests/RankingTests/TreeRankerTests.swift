import Base
import CKernels
import Glibc
import Testing

@testable import Ranking

@Suite("Tree ranker")
struct TreeRankerTests {
  private func opened(_ forest: Forest, scoreOutput: Int = 0) throws -> TreeRanker {
    let path = try temporaryFile()
    defer { unlink(path) }
    try TreeRanker.write(forest, scoreOutput: scoreOutput, to: path)
    return try TreeRanker(
      opening: MappedBytes(copying: try SystemDisk().read(path, limit: 1 << 26)), name: "ranker")
  }

  private func outputs(_ ranker: TreeRanker, _ rows: [Float], raw: Bool = true) -> [Double] {
    rows.withUnsafeBufferPointer {
      ranker.outputs($0, count: rows.count / ranker.features.count, raw: raw, scratch: RankerScratch())
    }
  }

  @Test(
    "sums are those of every row going down every tree, to the bit",
    arguments: [Forest.Origin.lightGBM, .xgBoost])
  func sums(origin: Forest.Origin) throws {
    for (seed, leaves) in [[1], [2, 1, 3], [31, 32, 33], [63, 64, 65, 66], [200, 4, 127], [1000]].enumerated()
    {
      var maker = ForestMaker(seed: UInt64(seed))
      let forest = maker.forest(origin, leaves: leaves)
      let ranker = try opened(forest)
      #expect(ranker.features == forest.features && ranker.treeCount == leaves.count)
      for count in [0, 1, 15, 16, 17, 511, 512, 513, 1030] {
        let rows = maker.rows(count)
        let expected = (0..<count).map {
          forest.sums(rows[$0 * maker.features..<($0 + 1) * maker.features])[0]
        }
        #expect(outputs(ranker, rows) == expected, "seed \(seed), \(count) rows")
      }
    }
  }

  @Test("each output has its own trees")
  func severalOutputs() throws {
    var maker = ForestMaker(seed: 5)
    let forest = maker.forest(.lightGBM, leaves: [7, 40, 3, 70, 9, 2], outputs: 3)
    let rows = maker.rows(600)
    let found = outputs(try opened(forest), rows)
    let expected = (0..<600).flatMap {
      forest.sums(rows[$0 * maker.features..<($0 + 1) * maker.features])
    }
    #expect(found == expected)
  }

  @Test("every level of kernels gives the same bits", arguments: [Forest.Origin.lightGBM, .xgBoost])
  func levels(origin: Forest.Origin) throws {
    var maker = ForestMaker(seed: 9)
    let layout = try ForestLayout(maker.forest(origin, leaves: [31, 64, 2, 1, 300]))
    let rows = maker.rows(512)
    var found: [[UInt64]] = []
    for level in [MK_SCALAR, MK_AVX2, MK_AVX512] {
      guard let kernels = mk_trees_at_level(Int32(level.rawValue)) else { continue }
      found.append(sums(kernels, layout, rows, features: maker.features, isFloat: origin == .xgBoost))
    }
    #expect(found.allSatisfy { $0 == found[0] })
    #expect(Set(found[0]).count > 100)
  }

  private func sums(
    _ kernels: UnsafePointer<mk_tree_kernels>, _ layout: ForestLayout, _ rows: [Float], features: Int,
    isFloat: Bool
  ) -> [UInt64] {
    let scratch = TreeScratch()
    scratch.reserve(
      TreeRanker.Shape(
        columns: layout.columns.count, planes: layout.thresholds.count, parts: layout.parts.count,
        nodes: layout.nodes.count, leafValues: layout.leaves.count, entries: layout.entryCount,
        sumsAreFloats: isFloat), outputCount: 1)
    scratch.fill([0])
    scratch.fillFloats([0])
    // As mapped segments are: aligned to 64 bytes.
    let leaves = MappedBytes(
      copying: isFloat
        ? layout.leaves.map { Float($0) }.withUnsafeBytes { Array($0) }
        : layout.leaves.withUnsafeBytes { Array($0) })
    var pointers = scratch.pointers
    layout.columns.withUnsafeBufferPointer { columns in
      layout.thresholds.withUnsafeBufferPointer { thresholds in
        layout.sets.withUnsafeBufferPointer { sets in
          layout.parts.withUnsafeBufferPointer { parts in
            layout.nodes.withUnsafeBufferPointer { nodes in
              guard let column = columns.baseAddress, let threshold = thresholds.baseAddress,
                let part = parts.baseAddress, let leaf = leaves.bytes.baseAddress
              else { return }
              var forest = mk_forest(
                columns: column, column_count: columns.count, thresholds: threshold, sets: sets.baseAddress,
                parts: part, part_count: parts.count, nodes: nodes.baseAddress, leaves: leaf,
                leaves_are_floats: isFloat ? 1 : 0, flat: isFloat ? 0 : 1, feature_count: features,
                output_count: 1)
              mk_trees_add(
                kernels, &forest, rows, features, 512, &pointers,
                isFloat ? UnsafeMutableRawPointer(scratch.floatSums) : UnsafeMutableRawPointer(scratch.sums))
            }
          }
        }
      }
    }
    if isFloat { scratch.widen(1) }
    return (0..<512).map { scratch.sums[$0].bitPattern }
  }

  @Test("a score is the logit of what the objective says")
  func scores() throws {
    for form in [ScoreLink.Form.identity, .sigmoid, .softmax] {
      var maker = ForestMaker(seed: 3)
      var forest = maker.forest(.lightGBM, leaves: [20, 9, 31], outputs: form == .softmax ? 3 : 1)
      forest.link = ScoreLink(form, factor: form == .sigmoid ? 0.5 : 1)
      let ranker = try opened(forest, scoreOutput: form == .softmax ? 2 : 0)
      let rows = maker.rows(40)
      var scores = [Float](repeating: 0, count: 40)
      rows.withUnsafeBufferPointer { rows in
        scores.withUnsafeMutableBufferPointer {
          ranker.score(rows, count: 40, into: $0, scratch: RankerScratch())
        }
      }
      let said = outputs(ranker, rows, raw: false)
      for row in 0..<40 {
        let expected: Double =
          switch form {
          case .sigmoid: log(said[row] / (1 - said[row]))
          case .softmax: log(said[row * 3 + 2] / (1 - said[row * 3 + 2]))
          default: said[row]
          }
        #expect(abs(Double(scores[row]) - expected) < 1e-5)
      }
    }
  }

  @Test("a segment is opened as what it is")
  func families() throws {
    let path = try temporaryFile()
    defer { unlink(path) }
    var maker = ForestMaker(seed: 4)
    try TreeRanker.write(maker.forest(.lightGBM, leaves: [4]), to: path)
    #expect(try RankerSegment.open(MappedBytes(path: path), name: "ranker") is TreeRanker)
    try RankerParameters(
      features: ["a"], shape: RankerShape(featureCount: 1, widths: [1]), means: [0], scales: [1],
      weights: [[1]], biases: [[0]]
    ).write(to: path)
    #expect(try RankerSegment.open(MappedBytes(path: path), name: "ranker") is RankerModel)
    #expect(throws: Refusal.self) {
      try RankerSegment.open(MappedBytes(copying: [1, 2, 3]), name: "ranker")
    }
  }

  /// Where the sections of a segment lie.
  private func sections(_ bytes: [UInt8]) -> [Range<Int>] {
    bytes.withUnsafeBytes { bytes in
      (0..<Int(bytes.word(at: 24))).map { index in
        let begin = Int(bytes.longWord(at: 64 + index * 32 + 8))
        return begin..<begin + Int(bytes.longWord(at: 64 + index * 32 + 16))
      }.filter { !$0.isEmpty }
    }
  }

  @Test("damaged segments are refused or score within bounds")
  func damaged() throws {
    let path = try temporaryFile()
    defer { unlink(path) }
    var maker = ForestMaker(seed: 6)
    try TreeRanker.write(maker.forest(.lightGBM, leaves: [5, 70, 31], outputs: 3), to: path)
    let whole = try SystemDisk().read(path, limit: 1 << 22)
    let places = sections(whole)
    #expect(places.count == 10)
    let rows = maker.rows(20)
    var random = SplitMix(seed: 78)
    var refused = 0
    for round in 0..<1500 {
      var bytes = whole
      let place = round % 11 < 10 ? places[round % 11] : 0..<64 + 10 * 32
      for _ in 0...round % 3 {
        bytes[Int.random(in: place, using: &random)] = UInt8.random(in: 0...255, using: &random)
      }
      if round % 50 == 0 { bytes.removeLast(Int.random(in: 1..<bytes.count, using: &random)) }
      do {
        let ranker = try TreeRanker(opening: MappedBytes(copying: bytes), name: "ranker")
        #expect(outputs(ranker, Array(rows.prefix(ranker.features.count * 3))).allSatisfy { !$0.isNaN })
      } catch {
        #expect(error.place.hasPrefix("ranker"))
        refused += 1
      }
    }
    #expect(refused > 600)
  }
}
