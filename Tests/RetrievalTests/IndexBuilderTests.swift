import Base
import Testing

@testable import Retrieval

@Suite("Index builder")
struct IndexBuilderTests {
  @Test("the same seed gives the same bytes, whatever the threads")
  func deterministic() throws {
    let scratch = try Scratch()
    let source = VectorRows(clustered(3000, dimensions: 20), dimensions: 20)
    let build = { (seed: UInt64, threads: Int) throws -> [UInt8] in
      let path = scratch.file("\(seed)-\(threads)")
      try IndexBuilder.build(source, to: path, options: IndexOptions(seed: seed, threads: threads))
      return try SystemDisk().read(path, limit: 1 << 30)
    }
    let first = try build(1, 1)
    #expect(try build(1, 3) == first)
    #expect(try build(2, 1) != first)
  }

  @Test("every title is in one list, the one of its nearest centroid")
  func lists() throws {
    let values = clustered(800, dimensions: 16)
    let built = try Built(values, dimensions: 16)
    let index = built.parts[0].index
    let centroids = try #require(index.centroids)
    #expect(Set(index.ordinals).count == 800 && index.listCount == 48)
    var stored = [Float](repeating: 0, count: values.count)
    stored.withUnsafeMutableBufferPointer { built.vectors.copy(0..<800, into: $0) }
    let distance = { (list: Int, title: Int) -> Float in
      (0..<16).reduce(0) { sum, dimension in
        let gap = centroids.values[list * 16 + dimension] - stored[title * 16 + dimension]
        return sum + gap * gap
      }
    }
    for list in 0..<index.listCount {
      for place in index.offsets[list]..<index.offsets[list + 1] {
        let title = Int(index.ordinals[Int(place)])
        let least = (0..<index.listCount).map { distance($0, title) }.min() ?? 0
        #expect(distance(list, title) <= least + 1e-5)
      }
    }
  }

  @Test("a tail takes its parent's lists and effort, and may be empty")
  func tail() throws {
    let scratch = try Scratch()
    let base = try Built.part("base", clustered(5000, dimensions: 8), 8, nil, IndexOptions(), scratch)
    let tail = try Built.part(
      "tail", clustered(60, dimensions: 8, seed: 9), 8, base.index, IndexOptions(), scratch)
    #expect(tail.index.digest == base.index.digest && tail.index.effort == base.index.effort)
    #expect(throws: Fault.self) {
      try Built.part("of", clustered(60, dimensions: 8), 8, tail.index, IndexOptions(), scratch)
    }
    let none = try Built.part("none", [], 8, base.index, IndexOptions(), scratch)
    #expect(try PartitionedIndex([base, none]).count == 5000)
  }

  @Test("progress tells each stage to its end, in order")
  func progress() throws {
    let scratch = try Scratch()
    var seen: [IndexProgress] = []
    let source = VectorRows(clustered(3000, dimensions: 8), dimensions: 8)
    let summary = try IndexBuilder.build(source, to: scratch.file("p")) { seen.append($0) }
    for stage in [IndexProgress.Stage.cluster, .assign, .write, .tune] {
      let shares = seen.filter { $0.stage == stage }.map(\.share)
      #expect(shares == shares.sorted() && shares.last == 1)
    }
    #expect(summary.titleCount == 3000 && (summary.recall ?? 0) >= 0.95)
    #expect(seen.map(\.stage).first == .cluster && seen.map(\.stage).last == .tune)
  }

  @Test("given queries tune the effort, and a higher target takes more of it")
  func tuning() throws {
    let scratch = try Scratch()
    let values = clustered(4000, dimensions: 16)
    let source = VectorRows(values, dimensions: 16)
    let queries = profiles(values, dimensions: 16, count: 30).flatMap { $0 }
    let efforts = try [Float(0.5), 0.9, 0.99].map {
      try IndexBuilder.build(
        source, to: scratch.file("t"), options: IndexOptions(recallTarget: $0, tuningQueries: queries)
      ).effort
    }
    #expect(efforts[0].lists < efforts[2].lists && efforts[1] != efforts[2])
  }

  @Test("titles that are all alike, one title, and titles of zeros can be indexed")
  func degenerate() throws {
    for (count, value) in [(1, Float(1)), (500, 0.5), (500, 0)] {
      let built = try Built([Float](repeating: value, count: count * 4), dimensions: 4)
      #expect(built.find([0.5, 0.5, 0.5, 0.5], k: 10).ordinals == Array(0..<UInt32(min(10, count))))
    }
  }

  @Test("what can't be indexed is refused with the reason")
  func refusals() throws {
    let scratch = try Scratch()
    let path = scratch.file("r")
    let expectFault = {
      (source: any VectorSource, options: IndexOptions, parent: VectorIndex?, text: String) in
      do {
        try IndexBuilder.build(source, to: path, options: options, parent: parent)
        Issue.record("\(text) was taken")
      } catch let fault as Fault {
        #expect(fault.code == .invalidArgument && fault.message.contains(text))
      }
    }
    var values = clustered(600, dimensions: 4)
    let base = try Built(values, dimensions: 4).parts[0].index
    try expectFault(VectorRows([], dimensions: 4), IndexOptions(), nil, "at least one title")
    try expectFault(VectorRows([1, 2], dimensions: 2), IndexOptions(), base, "new base")
    try expectFault(VectorRows(values, dimensions: 4), IndexOptions(tuningQueries: [1]), nil, "tuning")
    try expectFault(
      VectorFunction(count: 1, dimensions: 2000) { _, _ in }, IndexOptions(), nil, "1 to 1024 dimensions")
    values[4 * 77 + 2] = .nan
    values[4 * 400] = .infinity
    try expectFault(VectorRows(values, dimensions: 4), IndexOptions(threads: 2), nil, "title 77 ")
    #expect(throws: DiskFault.self) {
      try IndexBuilder.build(VectorRows([1], dimensions: 1), to: scratch.file("no/where"))
    }
  }
}
