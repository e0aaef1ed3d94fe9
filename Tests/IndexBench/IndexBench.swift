import Base
import Foundation
import Retrieval

/// What Scripts/bench retrieval measures the index with.
///
///     index-bench build BASE.npy FOLDER [--threads N] [--lists N] [--pairs N] [--seed N] [--recall R]
///     index-bench serve FOLDER QUERIES.npy K [--tune QUERIES.npy]
///
/// `build` writes FOLDER/index and FOLDER/vectors, and prints one line: seconds, bytes of the index, the most memory that
/// the process had, recall curve. With `-` for BASE.npy it takes FOLDER/vectors as they are. `serve`
/// reads lines from standard input, `RECALL FILTER PASSES FILE`: it searches for each query, with the effort that the
/// build measured for that recall or with `REACH,KEPT,REFINES`, PASSES times, and prints the nanoseconds of each search
/// of the last pass. `late:MICROSECONDS` instead looks into every list until that deadline. FILTER is `-` or a file with a bitmap (`=FILE` where
/// each request brings its own), FILE `-` or where the ordinals found go, K a query.
@main
enum IndexBench {
  static func main() {
    do {
      let arguments = Array(CommandLine.arguments.dropFirst())
      switch arguments.first {
      case "build" where arguments.count >= 3: try build(arguments)
      case "serve" where arguments.count >= 4: try serve(arguments)
      default: throw Unusable("index-bench build BASE.npy FOLDER | serve FOLDER QUERIES.npy K")
      }
    } catch {
      FileHandle.standardError.write(Data("index-bench: \(error)\n".utf8))
      exit(1)
    }
  }

  private static func option(_ name: String, in arguments: [String]) -> Int? {
    arguments.firstIndex(of: name).flatMap { $0 + 1 < arguments.count ? Int(arguments[$0 + 1]) : nil }
  }

  private static func build(_ arguments: [String]) throws {
    let (index, vectors) = ("\(arguments[2])/index", "\(arguments[2])/vectors")
    if arguments[1] != "-" { try write(arguments[1], to: vectors) }
    let source = try Vectors(opening: MappedBytes(path: vectors), name: vectors)
    var options = IndexOptions(threads: option("--threads", in: arguments) ?? 1)
    options.listCount = option("--lists", in: arguments)
    options.pairCount = option("--pairs", in: arguments)
    options.seed = UInt64(option("--seed", in: arguments) ?? 1)
    let time = SystemTime()
    let start = time.instant
    var stages: [String: UInt64] = [:]
    var last = start
    let summary = try IndexBuilder.build(source, to: index, options: options) {
      stages[$0.stage.rawValue, default: 0] += time.instant.nanoseconds - last.nanoseconds
      last = time.instant
    }
    let seconds = Double(time.instant.nanoseconds - start.nanoseconds) / 1e9
    let opened = try VectorIndex(opening: MappedBytes(path: index), name: index)
    let curve = opened.recallCurve.map {
      "[\($0.recall), \($0.effort.reach), \($0.effort.kept), \($0.effort.refines ? 1 : 0), \($0.effort.lists)]"
    }
    let parts = stages.map { "\"\($0.key)\": \(Double($0.value) / 1e9)" }
    print(
      "{\"seconds\": \(seconds), \"bytes\": \(try SystemDisk().size(index) ?? 0), "
        + "\"peak_bytes\": \(peakBytes), \"lists\": \(summary.listCount), "
        + "\"pairs\": \(summary.pairCount), \"stages\": {\(parts.joined(separator: ", "))}, "
        + "\"curve\": [\(curve.joined(separator: ", "))]}")
  }

  /// In a function of its own, so that the floats are no longer mapped when the build begins.
  private static func write(_ base: String, to vectors: String) throws {
    let base = try Matrix<Float>(path: base, descriptor: "<f4")
    let writer = try VectorsWriter(path: vectors, dimensions: base.columnCount)
    for row in 0..<base.rowCount { try writer.append(base.row(row)) }
    try writer.finish()
  }

  /// The most that was resident, mapped files among it.
  private static var peakBytes: Int {
    let status = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
    let line = status.split(separator: "\n").first { $0.hasPrefix("VmHWM:") } ?? ""
    return (Int(line.filter(\.isNumber)) ?? 0) << 10
  }

  private static func say(_ line: String) { FileHandle.standardOutput.write(Data((line + "\n").utf8)) }

  private static func serve(_ arguments: [String]) throws {
    guard let k = Int(arguments[3]), k > 0, k <= Limits.candidateCountMax else {
      throw Unusable("K is 1 to 2048")
    }
    let queries = try Matrix<Float>(path: arguments[2], descriptor: "<f4")
    let index = try VectorIndex(opening: MappedBytes(path: "\(arguments[1])/index"), name: "index")
    let vectors = try Vectors(opening: MappedBytes(path: "\(arguments[1])/vectors"), name: "vectors")
    guard queries.columnCount == index.dimensions else { throw Unusable("queries have other dimensions") }
    var curve = index.recallCurve
    if let place = arguments.firstIndex(of: "--tune"), place + 1 < arguments.count {
      // Another k than the build's: measured anew, with lists ranked as they are in a search.
      let tuning = try Matrix<Float>(path: arguments[place + 1], descriptor: "<f4")
      let tuner = EffortTuner(
        index, vectors, queries: tuning.copy(), k: k, threads: 1, spreadWeight: index.spreadWeight
      ) { _ in }
      curve = tuner.curve { _ in }
    }
    let server = Server(
      index: try PartitionedIndex([(index, vectors)]), queries: queries, k: k, curve: curve)
    say(
      curve.map { "\($0.recall):\($0.effort.reach),\($0.effort.kept),\($0.effort.refines ? 1 : 0)" }
        .joined(separator: " "))
    while let line = readLine() {
      say(try server.answer(line.split(separator: " ").map { String($0) }))
    }
  }
}

/// Answers one line at a time.
private final class Server {
  private let index: PartitionedIndex
  private let queries: Matrix<Float>
  private let k: Int
  private let curve: [EffortPoint]
  private let scratch = SearchScratch()
  private var filters: [String: Filter] = [:]
  private let time = SystemTime()

  init(index: PartitionedIndex, queries: Matrix<Float>, k: Int, curve: [EffortPoint]) {
    self.index = index
    self.queries = queries
    self.k = k
    self.curve = curve
  }

  func answer(_ words: [String]) throws -> String {
    guard words.count == 4, let passes = Int(words[2]), passes > 0 else {
      throw Unusable("a line is RECALL FILTER PASSES FILE")
    }
    let late = words[0].hasPrefix("late:") ? UInt64(words[0].dropFirst(5)) : nil
    let effort =
      late == nil
      ? try effort(words[0]) : SearchEffort(reach: SearchEffort.reachAll, kept: 8000, refines: true)
    let filter = words[1] == "-" ? nil : try filter(words[1])
    var nanoseconds = [UInt64](repeating: 0, count: queries.rowCount)
    var found = [UInt32](repeating: .max, count: queries.rowCount * k)
    for _ in 0..<passes {
      for row in 0..<queries.rowCount {
        let before = time.instant
        let allowed = filter.map { OrdinalFilter(words: $0.words, bitCount: index.count, placed: $0.placed) }
        let outcome = index.search(
          queries.row(row), k: k, effort: effort, allowed: allowed,
          deadline: Instant(nanoseconds: before.nanoseconds + (late ?? 1_000_000) * 1000), time: time,
          scratch: scratch)
        nanoseconds[row] = time.instant.nanoseconds - before.nanoseconds
        for place in 0..<outcome.count { found[row * k + place] = scratch.ordinals[place] }
      }
    }
    if words[3] != "-" { try found.withUnsafeBytes { try SystemDisk().write($0, to: words[3], at: 0) } }
    return nanoseconds.map { String($0) }.joined(separator: " ")
  }

  /// A filter as regions have them: made once, and many requests share it. `=FILE` for one that a request brings.
  private func filter(_ word: String) throws -> Filter {
    if let known = filters[word] { return known }
    let path = word.hasPrefix("=") ? String(word.dropFirst()) : word
    let mapped = try MappedBytes(path: path)
    guard let words = mapped.bytes.baseAddress?.assumingMemoryBound(to: UInt64.self),
      mapped.bytes.count * 8 >= index.count
    else { throw Unusable("\(path) is too short") }
    let filter = Filter(mapped: mapped, words: words, placed: path == word ? index.placed(words) : nil)
    filters[word] = filter
    return filter
  }

  private func effort(_ word: String) throws -> SearchEffort {
    let numbers = word.split(separator: ",").compactMap { Float($0) }
    if numbers.count == 3 {
      return SearchEffort(reach: numbers[0], kept: Int(numbers[1]), refines: numbers[2] == 1)
    }
    guard let recall = Float(word),
      let effort = curve.effort(recall: recall)
    else { throw Unusable("\(word) is no recall") }
    return effort
  }
}

private struct Filter {
  let mapped: MappedBytes
  let words: UnsafePointer<UInt64>
  let placed: PlacedFilter?
}
