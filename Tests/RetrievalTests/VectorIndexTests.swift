import Base
import Testing

@testable import Retrieval

@Suite("Vector index")
struct VectorIndexTests {
  private struct Draft {
    var head: [UInt32] = [3, 64, 4, 2, 1, 0, 0, 0]
    var centroids: [Float] = [1, 0, 0, 0, 1, 0]
    var centroidScales: [Float] = [0.01, 0.01]
    var offsets: [UInt32] = [0, 3, 4]
    var ordinals: [UInt32] = [0, 2, 3, 1]
    var rowBytes = 256
    var scales: [Float] = [0.01, 0.01, 0, 0.01]
    var curve: [Float] = [1, 0.9]

    func open(in scratch: Scratch) throws -> VectorIndex {
      let path = scratch.file("index")
      let writer = try SegmentWriter(
        path: path, kind: VectorIndex.kind, formatVersion: VectorIndex.formatVersion)
      try writer.add("HEAD", head)
      try writer.add("CENT", centroids)
      try writer.add("CEN8", [UInt8](repeating: 128, count: 128))
      try writer.add("CSCL", centroidScales)
      try writer.add("OFFS", offsets)
      try writer.add("ORDN", ordinals)
      try writer.add("ROWS", [UInt8](repeating: 128, count: rowBytes))
      try writer.add("SCAL", scales)
      try writer.add("CURV", curve)
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
    #expect(index.count == 4 && index.listCount == 2 && index.probes == 1)
    #expect(index.recallCurve.map(\.probes) == [1] && index.recallCurve.map(\.recall) == [0.9])
  }

  @Test("each bound that search relies on is checked, and the refusal names its place")
  func bounds() throws {
    #expect(try refusal { $0.head[0] = 4 }?.place == "index section CENT")
    #expect(try refusal { $0.head[0] = 0 }?.code == .limitExceeded)
    #expect(try refusal { $0.head[0] = 1025 }?.code == .limitExceeded)
    #expect(try refusal { $0.head[1] = 128 }?.place == "index section HEAD")
    #expect(try refusal { $0.head[2] = 5 }?.code == .unreadable)
    #expect(try refusal { $0.head[2] = .max }?.code == .limitExceeded)
    #expect(try refusal { $0.head[3] = 0 }?.place == "index section HEAD")
    #expect(try refusal { $0.head[3] = .max }?.code == .limitExceeded)
    #expect(try refusal { $0.head[4] = 0 }?.place == "index section HEAD")
    #expect(try refusal { $0.head[4] = 3 }?.place == "index section HEAD")
    #expect(try refusal { $0.offsets = [0, 5, 4] }?.place == "index section OFFS list 1")
    #expect(try refusal { $0.offsets = [0, 3, 5] }?.place == "index section OFFS")
    #expect(try refusal { $0.offsets = [1, 3, 4] }?.place == "index section OFFS")
    #expect(try refusal { $0.offsets = [0, 4] }?.place == "index section OFFS")
    #expect(try refusal { $0.ordinals[2] = 4 }?.place == "index section ORDN place 2")
    #expect(try refusal { $0.ordinals[3] = 0 }?.place == "index section ORDN place 3")
    #expect(try refusal { $0.rowBytes = 192 }?.place == "index section ROWS")
    #expect(try refusal { $0.scales[1] = .nan }?.place == "index section SCAL")
    #expect(try refusal { $0.scales[1] = -1 }?.place == "index section SCAL")
    #expect(try refusal { $0.centroidScales[1] = .infinity }?.place == "index section CSCL")
    #expect(try refusal { $0.centroids[1] = .infinity }?.place == "index section CENT")
  }

  @Test("an odd recall curve is no harm")
  func oddCurve() throws {
    var draft = Draft()
    draft.curve = [.nan, 2, .infinity, 1, 3]
    #expect(try draft.open(in: Scratch()).recallCurve.map(\.probes) == [0, 0])
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
          var search = Search(
            index: whole, query: query.baseAddress ?? UnsafePointer(bitPattern: 4096).unsafelyUnwrapped,
            k: 20,
            allowed: nil, deadline: .distantFuture, time: SystemTime(), scratch: scratch)
          search.probe(whole.listCount)
          #expect(search.finish().count == 20, "seed \(seed)")
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
