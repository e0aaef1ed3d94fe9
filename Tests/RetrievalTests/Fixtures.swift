import Base
import CKernels
import Glibc

@testable import Retrieval

/// A directory that goes away with its test.
final class Scratch: Sendable {
  let path: String

  init() throws {
    var template = Array("/tmp/marquee-retrieval-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw DiskFault(.failed, path: "/tmp", errnoText()) }
    path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  deinit {
    let disk = SystemDisk()
    for name in (try? disk.list(path)) ?? [] { try? disk.remove("\(path)/\(name)") }
    rmdir(path)
  }

  func file(_ name: String) -> String { "\(path)/\(name)" }
}

/// Unit vectors in clusters, as titles are.
func clustered(_ count: Int, dimensions: Int, clusters: Int = 40, seed: UInt64 = 3) -> [Float] {
  var random = SplitMix(seed: seed)
  let middles = (0..<clusters).map { _ in
    (0..<dimensions).map { _ in Float.random(in: -1...1, using: &random) }
  }
  var values: [Float] = []
  values.reserveCapacity(count * dimensions)
  for _ in 0..<count {
    let middle = middles[Int.random(in: 0..<clusters, using: &random)]
    values += unit(middle.map { $0 + Float.random(in: -0.6...0.6, using: &random) })
  }
  return values
}

func unit(_ vector: [Float]) -> [Float] {
  let length = vector.reduce(0) { $0 + $1 * $1 }.squareRoot()
  return length > 0 ? vector.map { $0 / length } : vector
}

/// An index and its vectors on the disk, in one or two parts.
struct Built: Sendable {
  let scratch: Scratch
  let index: PartitionedIndex
  let vectors: PartitionedVectors
  let parts: [(index: VectorIndex, vectors: Vectors)]

  /// `tailCount` of the vectors at the end make the tail.
  init(_ values: [Float], dimensions: Int, tailCount: Int = 0, options: IndexOptions = IndexOptions()) throws
  {
    scratch = try Scratch()
    let baseEnd = values.count - tailCount * dimensions
    var parts = [try Self.part("base", Array(values[..<baseEnd]), dimensions, nil, options, scratch)]
    if tailCount > 0 {
      parts.append(
        try Self.part("tail", Array(values[baseEnd...]), dimensions, parts[0].index, options, scratch))
    }
    self.parts = parts
    index = try PartitionedIndex(parts)
    vectors = try PartitionedVectors(parts.map(\.vectors))
  }

  static func part(
    _ name: String, _ values: [Float], _ dimensions: Int, _ parent: VectorIndex?, _ options: IndexOptions,
    _ scratch: Scratch
  ) throws -> (index: VectorIndex, vectors: Vectors) {
    let vectors = try write(values, dimensions: dimensions, to: scratch.file("\(name).embd"))
    try IndexBuilder.build(vectors, to: scratch.file("\(name).index"), options: options, parent: parent)
    let index = try VectorIndex(
      opening: MappedBytes(path: scratch.file("\(name).index")), name: "\(name) index")
    return (index, vectors)
  }

  /// The titles that a search finds, best first.
  func find(
    _ query: [Float], k: Int = 50, effort: SearchEffort? = nil, allowed: [Bool]? = nil,
    deadline: Instant = .distantFuture, time: any TimeSource = SystemTime(),
    scratch: SearchScratch = SearchScratch()
  ) -> (ordinals: [UInt32], scores: [Float], outcome: SearchOutcome) {
    let words = allowed.map(bitmap)
    let outcome = query.withUnsafeBufferPointer { query in
      guard let words else {
        return index.search(query, k: k, effort: effort, deadline: deadline, time: time, scratch: scratch)
      }
      return words.withUnsafeBufferPointer {
        let filter = $0.baseAddress.map { OrdinalFilter(words: $0, bitCount: words.count * 64) }
        return index.search(
          query, k: k, effort: effort, allowed: filter, deadline: deadline, time: time, scratch: scratch)
      }
    }
    return (
      Array(scratch.ordinals.prefix(outcome.count)), Array(scratch.scores.prefix(outcome.count)), outcome
    )
  }

  /// The same by plain arithmetic over the stored vectors.
  func truth(_ query: [Float], k: Int = 50, allowed: [Bool]? = nil) -> [UInt32] {
    var keys: [UInt64] = []
    query.withUnsafeBufferPointer { query in
      for ordinal in 0..<UInt32(index.count) where allowed?[Int(ordinal)] ?? true {
        keys.append(mk_key(vectors.dot(ordinal, query), ordinal))
      }
    }
    keys.sort(by: >)
    return keys.prefix(k).map { mk_key_ordinal($0) }
  }
}

func write(_ values: [Float], dimensions: Int, to path: String) throws -> Vectors {
  let writer = try VectorsWriter(path: path, dimensions: dimensions)
  for begin in stride(from: 0, to: values.count, by: dimensions) {
    try writer.append(Array(values[begin..<begin + dimensions]))
  }
  try writer.finish()
  return try Vectors(opening: MappedBytes(path: path), name: "vectors")
}

func bitmap(_ bits: [Bool]) -> [UInt64] {
  var words = [UInt64](repeating: 0, count: (bits.count + 63) / 64)
  for (place, bit) in bits.enumerated() where bit { words[place >> 6] |= 1 << UInt64(place & 63) }
  return words
}

/// The share of `truth` that is in `found`.
func recall(_ found: [UInt32], _ truth: [UInt32]) -> Double {
  truth.isEmpty ? 1 : Double(Set(found).intersection(truth).count) / Double(truth.count)
}

/// Profiles: means of a few titles.
func profiles(_ values: [Float], dimensions: Int, count: Int, seed: UInt64 = 11) -> [[Float]] {
  var random = SplitMix(seed: seed)
  return (0..<count).map { _ in
    var sum = [Float](repeating: 0, count: dimensions)
    for _ in 0..<5 {
      let begin = Int.random(in: 0..<values.count / dimensions, using: &random) * dimensions
      for dimension in 0..<dimensions { sum[dimension] += values[begin + dimension] }
    }
    return unit(sum)
  }
}
