import Base
import Testing

@testable import Retrieval

@Suite("Vector index")
struct VectorIndexTests {
  /// Four titles of three dimensions in two lists.
  private struct Draft {
    var head: [UInt32] = [3, 4, 64, 4, 2, 2] + [UInt32](repeating: 0, count: 10)
    var axes = [Float](repeating: 0.5, count: 48)
    var steps: [Float] = [0.01, 0.01, 0]
    var centroids: [Float] = [1, 0, 0, 0, 1, 0]
    var centroidCodes = [UInt8](repeating: 128, count: 64)
    var radii: [Float] = [0.1, 0.2]
    var sizes: [UInt32] = [3, 1]
    var offsets: [UInt32] = [0, 1, 2]
    var ordinals: [UInt32] =
      [0, 2, 3] + [UInt32](repeating: 99, count: 13) + [1] + [UInt32](repeating: 99, count: 15)
    var codeBytes = 128
    var rowBytes = 2048
    var curve: [Float] = [500, 0.95, 0.3, 1.5, 0.96, 40, 9000]
    var goal: [Float] = [0.95]
    var formatVersion = VectorIndex.formatVersion

    func open(in scratch: Scratch) throws -> VectorIndex {
      let path = scratch.file("index")
      let writer = try SegmentWriter(path: path, kind: VectorIndex.kind, formatVersion: formatVersion)
      try writer.add("HEAD", head)
      try writer.add("AXES", axes)
      try writer.add("STEP", steps)
      try writer.add("CENT", centroids)
      try writer.add("CCOD", centroidCodes)
      try writer.add("RADI", radii)
      try writer.add("SIZE", sizes)
      try writer.add("OFFS", offsets)
      try writer.add("ORDN", ordinals)
      try writer.add("CODE", [UInt8](repeating: 128, count: codeBytes))
      try writer.add("ROWS", [UInt8](repeating: 128, count: rowBytes))
      try writer.add("CURV", curve)
      try writer.add("GOAL", goal)
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
    #expect(index.count == 4 && index.listCount == 2 && index.probes == 2)
    #expect(index.curve.points.map(\.k) == [500] && index.curve.tuned?.recall == 0.96)
  }

  @Test("an index of the format before is refused, not misread")
  func olderFormat() throws {
    let refused = try refusal { $0.formatVersion = 1 }
    #expect(refused?.code == .unreadable && refused?.message.contains("format 1") == true)
  }

  @Test("each bound that search relies on is checked, and the refusal names its place")
  func bounds() throws {
    #expect(try refusal { $0.head[0] = 4 }?.place == "index section AXES")
    #expect(try refusal { $0.head[0] = 0 }?.code == .limitExceeded)
    #expect(try refusal { $0.head[0] = 1025 }?.code == .limitExceeded)
    for head in [UInt32(0), 3, 8, .max] {
      #expect(try refusal { $0.head[1] = head }?.place == "index section HEAD")
    }
    #expect(try refusal { $0.head[2] = 128 }?.place == "index section HEAD")
    #expect(try refusal { $0.head[3] = 5 }?.place == "index section SIZE")
    #expect(try refusal { $0.head[3] = .max }?.code == .limitExceeded)
    #expect(try refusal { $0.head[4] = 0 }?.place == "index section HEAD")
    #expect(try refusal { $0.head[4] = 3 }?.place == "index section CENT")
    #expect(try refusal { $0.head[4] = .max }?.code == .limitExceeded)
    #expect(try refusal { $0.head[5] = 5 }?.place == "index section HEAD")
    #expect(try refusal { $0.head[5] = 3 }?.place == "index section ORDN")
    #expect(try refusal { $0.axes[47] = .nan }?.place == "index section AXES")
    #expect(try refusal { $0.steps[1] = -1 }?.place == "index section STEP")
    #expect(try refusal { $0.steps[2] = .infinity }?.place == "index section STEP")
    #expect(try refusal { $0.centroids[1] = .infinity }?.place == "index section CENT")
    #expect(try refusal { $0.centroidCodes.removeLast() }?.place == "index section CCOD")
    #expect(try refusal { $0.radii[0] = .nan }?.place == "index section RADI")
    #expect(try refusal { $0.offsets = [0, 2, 2] }?.place == "index section OFFS list 1")
    #expect(try refusal { $0.offsets = [1, 1, 2] }?.place == "index section OFFS list 0")
    #expect(try refusal { $0.offsets = [0, 1, 3] }?.place == "index section OFFS")
    #expect(try refusal { $0.offsets = [0, 2] }?.place == "index section OFFS")
    #expect(try refusal { $0.sizes = [3, 2] }?.place == "index section SIZE")
    #expect(try refusal { $0.sizes = [.max, 1] }?.place == "index section OFFS list 1")
    #expect(try refusal { $0.ordinals[2] = 4 }?.place == "index section ORDN slot 2")
    #expect(try refusal { $0.ordinals[16] = 0 }?.place == "index section ORDN slot 16")
    #expect(try refusal { $0.codeBytes = 64 }?.place == "index section CODE")
    #expect(try refusal { $0.rowBytes = 1984 }?.place == "index section ROWS")
    #expect(try refusal { $0.goal = [.nan] }?.place == "index section GOAL")
  }

  @Test("a recall curve that no build writes is refused")
  func oddCurve() throws {
    #expect(try refusal { $0.curve.removeLast() }?.place == "index section CURV")
    #expect(try refusal { $0.curve = [Float](repeating: 1, count: 65 * 7) }?.place == "index section CURV")
    for (field, value) in [(0, Float(0.5)), (0, 1e9), (2, -1), (2, .nan), (3, 0.5), (3, 1e9), (4, .infinity)]
    {
      #expect(try refusal { $0.curve[field] = value }?.place == "index section CURV point 0")
    }
    var draft = Draft()
    draft.curve = []
    let index = try draft.open(in: Scratch())
    #expect(index.curve.setting(k: 500, recall: 0.9) == RecallCurve.unmeasured && index.probes == 1)
  }

  @Test("whatever bytes are damaged, opening refuses or search stays within bounds")
  func damaged() throws {
    let built = try Built(clustered(300, dimensions: 16), dimensions: 16)
    let files = try ["base.ivf8", "base.embd"].map {
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
        let end = round % 4 < 2 ? 64 + 12 * 32 : bytes[file].count
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
          guard let start = query.baseAddress else { return }
          for effort in [SearchEffort.everything, .tuned, .recall(0.99)] {
            let watch = DeadlineWatch(deadline: .distantFuture, time: SystemTime())
            let found = whole.listSearch(start, k: 20, effort: effort, watch: watch, scratch: scratch)
            #expect(found.count == 20, "seed \(seed)")
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
  }
}
