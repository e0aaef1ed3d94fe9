import Base
import Glibc
import Retrieval

/// Answers queries from an index, order after order.
struct Service {
  private let index: PartitionedIndex
  private let queries: NumpyFile
  private let scratch = SearchScratch()

  init(_ arguments: [String]) throws {
    guard arguments.count == 2 else { throw Fault(.invalidArgument, "serve OUT QUERIES.npy") }
    index = try PartitionedIndex([
      (
        VectorIndex(opening: MappedBytes(path: arguments[0] + ".index"), name: "index"),
        Vectors(opening: MappedBytes(path: arguments[0] + ".vectors"), name: "vectors")
      )
    ])
    queries = try NumpyFile(path: arguments[1])
    guard queries.dimensions == index.dimensions else {
      throw Fault(.invalidArgument, "the queries have other dimensions than the index")
    }
  }

  func run() throws {
    while let line = readLine() {
      put(try answer(line.split(separator: " ").map(String.init)))
    }
  }

  private func answer(_ order: [String]) throws -> String {
    guard order.count >= 4, order[0] == "search", let k = Int(order[1]),
      (1...Limits.candidateCountMax).contains(k)
    else { throw Fault(.invalidArgument, "search K EFFORT RESULTS [FILTER]") }
    let effort = try Self.effort(order[2])
    let filter = order.count > 4 ? try MappedBytes(path: order[4]) : nil
    let words = filter.flatMap { $0.bytes.baseAddress?.assumingMemoryBound(to: UInt64.self) }
    let allowed = words.map { OrdinalFilter(words: $0, bitCount: (filter?.count ?? 0) * 8) }
    let values = queries.values
    var found = [Int32](repeating: -1, count: queries.count * k)
    var times: [Double] = []
    var (lists, titles) = (0, 0)
    let clock = SystemTime()
    values.withUnsafeBufferPointer { values in
      for query in 0..<queries.count {
        let slice = values[query * queries.dimensions..<(query + 1) * queries.dimensions]
        let begin = clock.instant
        let outcome = index.search(
          UnsafeBufferPointer(rebasing: slice), k: k, effort: effort, allowed: allowed, time: clock,
          scratch: scratch)
        times.append(Double(clock.instant.nanoseconds(since: begin)) / 1000)
        for place in 0..<outcome.count {
          found[query * k + place] = Int32(bitPattern: scratch.ordinals[place])
        }
        lists += outcome.probedListCount
        titles += outcome.scannedCount
      }
    }
    guard let file = fopen(order[3], "wb") else { throw Fault(.invalidArgument, "can't write \(order[3])") }
    defer { fclose(file) }
    guard fwrite(found, 4, found.count, file) == found.count else {
      throw Fault(.invalidArgument, "can't write \(order[3])")
    }
    let share = 1 / Double(max(queries.count, 1))
    return "{\"lists\":\(Double(lists) * share),\"titles\":\(Double(titles) * share),\"us\":\(times)}"
  }

  private static func effort(_ text: String) throws -> SearchEffort {
    let numbers = text.split(separator: ":").compactMap { Float($0) }
    switch numbers.count {
    case 1: return .recall(numbers[0])
    case 2: return .setting(SearchSetting(yieldShare: numbers[0], rescoreShare: numbers[1]))
    default: throw Fault(.invalidArgument, "\(text) is no recall and no YIELD:RESCORE")
    }
  }
}
