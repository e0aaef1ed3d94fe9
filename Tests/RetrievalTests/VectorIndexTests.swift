import Base
import Testing

@testable import Retrieval

@Suite("Vector index")
struct VectorIndexTests {
  private struct Draft {
    /// 3 dimensions, rows of 64 bytes, 4 titles in 2 lists, 1 pair of codes over 3 turned dimensions, reach 0, 600 kept.
    var head: [UInt32] = [3, 64, 4, 2, 1, 3, 0, 600, 0, 7, 0, 0, 1, 0, 0, Float(0.01).bitPattern]
    var centroids: [Float] = [1, 0, 0, 0, 1, 0]
    var centroidScales: [Float] = [0.01, 0.01]
    var spreads: [Float] = [0.5, 0]
    var offsets: [UInt32] = [0, 3, 4]
    var ordinals: [UInt32] = [0, 2, 3, 1]
    var rowBytes = 256
    var stepBytes = 4
    var steps = [Float](repeating: 0.01, count: 256)
    var turn: [Float] = [1, 0, 0, 0, 1, 0, 0, 0, 1]
    var widths: [UInt16] = [1, 2]
    var book = [Float](repeating: 0.5, count: 48)
    var codeBytes = 128
    var blockBytes = 8
    var blockSpreads: [Float] = [0.5, 0]
    var curve: [Float] = [0.9, 0.25, 600, 0, 1]
    var leavesOut: [SegmentTag] = []

    func open(in scratch: Scratch) throws -> VectorIndex {
      let path = scratch.file("index")
      let writer = try SegmentWriter(
        path: path, kind: VectorIndex.kind, formatVersion: VectorIndex.formatVersion)
      func add<Element: BitwiseCopyable>(_ tag: SegmentTag, _ elements: [Element]) throws {
        if !leavesOut.contains(tag) { try writer.add(tag, elements) }
      }
      try add("HEAD", head)
      try add("OFFS", offsets)
      try add("ORDN", ordinals)
      try add("STEP", [UInt8](repeating: 255, count: stepBytes))
      try add("STPS", steps)
      try add("ROWS", [UInt8](repeating: 128, count: rowBytes))
      try add("CENT", centroids)
      try add("CEN8", [UInt8](repeating: 128, count: 128))
      try add("CSCL", centroidScales)
      try add("SPRD", spreads)
      try add("TURN", turn)
      try add("WIDE", widths)
      try add("BOOK", book)
      try add("CODE", [UInt8](repeating: 0, count: codeBytes))
      try add("BMID", [UInt8](repeating: 128, count: blockBytes))
      try add("BSPR", blockSpreads)
      try add("TUNE", curve)
      try writer.finish()
      return try VectorIndex(opening: MappedBytes(path: path), name: "index")
    }
  }

  private func refusal(_ change: (inout Draft) -> Void) throws -> Refusal? {
    var draft = Draft()
    change(&draft)
    do {
      _ = try draft.open(in: Scratch())
      return nil
    } catch let refusal as Refusal {
      return refusal
    }
  }

  @Test("a whole index opens")
  func opens() throws {
    let index = try Draft().open(in: Scratch())
    #expect(index.count == 4 && index.listCount == 2)
    #expect(index.effort == SearchEffort(reach: 0, kept: 600, lists: 1))
    let point = EffortPoint(effort: SearchEffort(reach: 0.25, kept: 600, lists: 1), recall: 0.9)
    #expect(index.recallCurve == [point])
    #expect(index.centroids?.values == [1, 0, 0, 0, 1, 0])
  }

  @Test("a tail opens without what only a base has")
  func tail() throws {
    var draft = Draft()
    draft.head[4] = 0
    draft.head[5] = 0
    draft.leavesOut = [
      "CENT", "CEN8", "CSCL", "SPRD", "TURN", "WIDE", "BOOK", "CODE", "BMID", "BSPR", "TUNE",
    ]
    let index = try draft.open(in: Scratch())
    #expect(index.centroids == nil && index.recallCurve.isEmpty)
  }

  @Test("each bound that search relies on is checked, and the refusal names its place")
  func bounds() throws {
    #expect(try refusal { $0.head[0] = 4 }?.place == "index section CENT")
    #expect(try refusal { $0.head[0] = 0 }?.code == .limitExceeded)
    #expect(try refusal { $0.head[0] = 1025 }?.code == .limitExceeded)
    #expect(try refusal { $0.head[1] = 128 }?.place == "index section HEAD")
    #expect(try refusal { $0.head[2] = 5 }?.place == "index section ORDN")
    #expect(try refusal { $0.head[2] = .max }?.code == .limitExceeded)
    #expect(try refusal { $0.head[3] = 0 }?.place == "index section HEAD")
    #expect(try refusal { $0.head[3] = .max }?.code == .limitExceeded)
    #expect(try refusal { $0.head[4] = 257 }?.place == "index section HEAD")
    #expect(try refusal { $0.head[4] = 0 }?.place == "index section HEAD")
    #expect(try refusal { $0.head[4] = 2 }?.place == "index section WIDE")
    #expect(try refusal { $0.head[5] = 2 }?.place == "index section TURN")
    #expect(try refusal { $0.head[5] = 4 }?.place == "index section HEAD")
    #expect(try refusal { $0.head[6] = Float(16.5).bitPattern }?.place == "index section HEAD")
    #expect(try refusal { $0.head[6] = Float.nan.bitPattern }?.place == "index section HEAD")
    #expect(try refusal { $0.head[6] = (-Float.infinity).bitPattern }?.place == "index section HEAD")
    #expect(try refusal { $0.head[6] = Float.infinity.bitPattern } == nil)
    #expect(try refusal { $0.head[11] = Float(-1).bitPattern }?.place == "index section HEAD")
    #expect(try refusal { $0.head[12] = 3 }?.place == "index section HEAD")
    #expect(try refusal { $0.head[13] = Float(1.5).bitPattern }?.place == "index section HEAD")
    #expect(try refusal { $0.head[14] = Float(-1.5).bitPattern }?.place == "index section HEAD")
    #expect(try refusal { $0.head[13] = Float.nan.bitPattern }?.place == "index section HEAD")
    #expect(try refusal { $0.head[11] = Float.nan.bitPattern }?.place == "index section HEAD")
    #expect(try refusal { $0.spreads = [.nan, 0] }?.place == "index section SPRD")
    #expect(try refusal { $0.spreads = [1] }?.place == "index section SPRD")
    #expect(try refusal { $0.head[7] = 8193 }?.place == "index section HEAD")
    #expect(try refusal { $0.offsets = [0, 5, 4] }?.place == "index section OFFS list 1")
    #expect(try refusal { $0.offsets = [0, 3, 5] }?.place == "index section OFFS")
    #expect(try refusal { $0.offsets = [1, 3, 4] }?.place == "index section OFFS")
    #expect(try refusal { $0.offsets = [0, 4] }?.place == "index section OFFS")
    #expect(try refusal { $0.ordinals[2] = 4 }?.place == "index section ORDN place 2")
    #expect(try refusal { $0.ordinals[3] = 0 }?.place == "index section ORDN place 3")
    #expect(try refusal { $0.rowBytes = 192 }?.place == "index section ROWS")
    #expect(try refusal { $0.stepBytes = 3 }?.place == "index section STEP")
    #expect(try refusal { $0.steps[1] = .nan }?.place == "index section STPS")
    #expect(try refusal { $0.steps[255] = -1 }?.place == "index section STPS")
    #expect(try refusal { $0.steps.removeLast() }?.place == "index section STPS")
    #expect(try refusal { $0.centroidScales[1] = .infinity }?.place == "index section CSCL")
    #expect(try refusal { $0.centroids[1] = .infinity }?.place == "index section CENT")
    #expect(try refusal { $0.turn[1] = .nan }?.place == "index section TURN")
    #expect(try refusal { $0.book[47] = 1e30 }?.place == "index section BOOK")
    #expect(try refusal { $0.widths = [2, 2] }?.place == "index section WIDE")
    #expect(try refusal { $0.widths = [.max, 4] }?.place == "index section WIDE")
    #expect(try refusal { $0.codeBytes = 127 }?.place == "index section CODE")
    #expect(try refusal { $0.blockBytes = 12 }?.place == "index section BMID")
    #expect(try refusal { $0.blockSpreads = [1] }?.place == "index section BSPR")
    #expect(try refusal { $0.blockSpreads[1] = -1 }?.place == "index section BSPR")
    #expect(try refusal { $0.head[15] = Float.nan.bitPattern }?.place == "index section HEAD")
    #expect(try refusal { $0.head[15] = Float(-0.5).bitPattern }?.place == "index section HEAD")
    #expect(try refusal { $0.leavesOut = ["TUNE"] }?.place == "index section TUNE")
  }

  @Test("points of the recall curve that can't be are left out")
  func oddCurve() throws {
    var draft = Draft()
    draft.curve = [
      0.5, .nan, 1, 0, 1, 0.5, 1, .infinity, 0, 1, 0.5, 1e9, 1, 0, 1, 0.5, 1, 700, 0, 3, 0.5, 1, 0, 0, 1,
      -.infinity, 1, 700, 0, 1, 1.5, 1, 700, 0, 1,
      0.9, 2, 700, 1, 1, 3,
    ]
    #expect(
      try draft.open(in: Scratch()).recallCurve.map(\.effort) == [
        SearchEffort(reach: 2, kept: 700, refines: true, lists: 1)
      ]
    )
  }

  @Test("whatever bytes are damaged, opening refuses or search stays within bounds")
  func damaged() throws {
    let built = try Built(clustered(300, dimensions: 16), dimensions: 16)
    let files = try ["base.index", "base.embd"].map {
      try SystemDisk().read(built.scratch.file($0), limit: 1 << 30)
    }
    let seed: UInt64 = 20_260
    var random = SplitMix(seed: seed)
    var (opened, refused) = (0, 0)
    for round in 0..<600 {
      var bytes = files
      let file = round % 2
      for _ in 0..<(round % 5 + 1) {
        // Half of the damage goes to the header and the table, where it hurts most.
        let end = round % 4 < 2 ? 64 + 17 * 32 : bytes[file].count
        bytes[file][Int.random(in: 0..<end, using: &random)] = UInt8.random(in: 0...255, using: &random)
      }
      if round % 10 == 9 { bytes[file].removeLast(Int.random(in: 1..<bytes[file].count, using: &random)) }
      do {
        let index = try VectorIndex(opening: MappedBytes(copying: bytes[0]), name: "index")
        let vectors = try Vectors(opening: MappedBytes(copying: bytes[1]), name: "vectors")
        let whole = try PartitionedIndex([(index, vectors)])
        opened += 1
        let scratch = SearchScratch()
        let query = [Float](repeating: 0.25, count: whole.dimensions)
        query.withUnsafeBufferPointer { query in
          let exact = whole.search(query, k: 20, time: SystemTime(), scratch: scratch)
          #expect(exact.count == 20, "seed \(seed)")
          for refines in [false, true] {
            let effort = SearchEffort(reach: SearchEffort.reachAll, kept: 600, refines: refines)
            let start = query.baseAddress ?? UnsafePointer(bitPattern: 4096).unsafelyUnwrapped
            var search = Search(
              index: whole, query: start, k: 20, effort: effort, allowed: nil,
              clock: SearchClock(deadline: .distantFuture, time: SystemTime()), scratch: scratch)
            let found = search?.run().count
            #expect(found == 20, "seed \(seed)")
          }
        }
      } catch {
        refused += 1
      }
    }
    #expect(opened > 100 && refused > 100, "damage to rows is seen only by the digest")
  }

  @Test("parts that don't belong together are refused")
  func parts() throws {
    let scratch = try Scratch()
    let a = try Built.part("a", clustered(400, dimensions: 8, seed: 1), 8, nil, IndexOptions(), scratch)
    let b = try Built.part("b", clustered(400, dimensions: 8, seed: 2), 8, nil, IndexOptions(), scratch)
    let small = try Built.part("c", clustered(40, dimensions: 8), 8, a.index, IndexOptions(), scratch)
    #expect(try PartitionedIndex([a, small]).count == 440)
    #expect(throws: Refusal.self) { try PartitionedIndex([a, b]) }
    #expect(throws: Refusal.self) { try PartitionedIndex([(a.index, small.vectors)]) }
    #expect(throws: Refusal.self) { try PartitionedIndex([]) }
    #expect(throws: Refusal.self) { try PartitionedIndex([small]) }
    #expect(throws: Refusal.self) { try PartitionedIndex([a, a]) }
  }
}
