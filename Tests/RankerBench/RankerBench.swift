import Base
import Foundation
import Ranking

/// Rankers alone, for Scripts/bench ranker: makes their segments and scores batches of rows, and says how long each took.
///
///     ranker-bench import MODEL SEGMENT               a segment from LightGBM's, XGBoost's or ONNX's file
///     ranker-bench quantise SEGMENT ROWS.npy SEGMENT  one of layers in bytes
///     ranker-bench outputs SEGMENT ROWS.npy OUT.npy   what the model says of each row
///     ranker-bench serve SEGMENT ROWS.npy BATCH       each line of standard input is a number of calls, made one after the
///                                                     other on the next rows; the answer is a line with the nanoseconds
///                                                     of each
@main
enum RankerBench {
  static func main() {
    let arguments = Array(CommandLine.arguments.dropFirst())
    do {
      switch (arguments.first, arguments.count) {
      case ("import", 3): try importModel(arguments[1], to: arguments[2])
      case ("quantise", 4):
        _ = try Quantiser().run(
          open(arguments[1]), rows: rows(arguments[2]), groups: nil, to: arguments[3], disk: SystemDisk())
      case ("outputs", 4): try outputs(open(arguments[1]), rows(arguments[2]), to: arguments[3])
      case ("serve", 4): try serve(open(arguments[1]), rows(arguments[2]), batch: Int(arguments[3]) ?? 0)
      default: fail("usage: ranker-bench import | quantise | outputs | serve, see its source", 64)
      }
    } catch { fail("\(error)", 1) }
  }

  private static func open(_ path: String) throws -> any Ranker {
    try RankerSegment.open(MappedBytes(path: path), name: path)
  }

  private static func rows(_ path: String) throws -> [Float] {
    try NPYFile.read(MappedBytes(path: path), name: path).values
  }

  private static func importModel(_ path: String, to segment: String) throws {
    let mapped = try MappedBytes(path: path)
    if ModelFile.format(mapped.bytes) == .onnx {
      try LayerRanker.write(try ONNXModel.read(mapped.bytes, name: path), to: segment)
    } else {
      try TreeRanker.write(try ModelFile.forest(mapped.bytes, name: path), to: segment)
    }
  }

  private static func outputs(_ ranker: any Ranker, _ rows: [Float], to path: String) throws {
    let values = rows.withUnsafeBufferPointer {
      ranker.outputs($0, count: rows.count / ranker.features.count, raw: false, scratch: RankerScratch())
    }
    try SystemDisk().writeDurably(NPYFile.bytes(doubles: values, columns: nil), to: path)
  }

  private static func serve(_ ranker: any Ranker, _ rows: [Float], batch: Int) throws {
    let width = ranker.features.count
    let batchCount = rows.count / max(1, batch * width)
    guard batch > 0, batchCount > 0 else { return fail("there are fewer rows than a batch has", 1) }
    let scratch = RankerScratch()
    var scores = [Float](repeating: 0, count: batch)
    var next = 0
    while let line = readLine() {
      var times: [UInt64] = []
      for _ in 0..<(Int(line) ?? 0) {
        let begin = nanoseconds()
        rows.withUnsafeBufferPointer { values in
          scores.withUnsafeMutableBufferPointer {
            ranker.score(
              UnsafeBufferPointer(rebasing: values[next * batch * width..<(next + 1) * batch * width]),
              count: batch, into: $0, scratch: scratch)
          }
        }
        times.append(nanoseconds() - begin)
        next = (next + 1) % batchCount
      }
      FileHandle.standardOutput.write(Data((times.map(String.init).joined(separator: " ") + "\n").utf8))
    }
  }

  private static func fail(_ message: String, _ code: Int32) {
    FileHandle.standardError.write(Data((message + "\n").utf8))
    exit(code)
  }

  private static func nanoseconds() -> UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
  }
}
