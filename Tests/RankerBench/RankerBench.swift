import Base
import Foundation
import Ranking

/// Scores batches of rows with one ranker and says how long each took: what Scripts/bench ranker measures.
///
///     ranker-bench SEGMENT ROWS.npy BATCH
///
/// Each line of standard input is a number of calls, made one after the other on the next rows; the answer is a line
/// with the nanoseconds of each.
@main
enum RankerBench {
  static func main() throws {
    let arguments = CommandLine.arguments
    guard arguments.count == 4, let batch = Int(arguments[3]), batch > 0 else {
      return fail("usage: ranker-bench SEGMENT ROWS.npy BATCH", 64)
    }
    let ranker = try RankerSegment.open(MappedBytes(path: arguments[1]), name: arguments[1])
    let rows = try NPYFile.read(MappedBytes(path: arguments[2]), name: arguments[2])
    let width = ranker.features.count
    let batchCount = rows.values.count / (batch * width)
    guard rows.shape.last == width, batchCount > 0 else {
      return fail("the rows have the shape \(rows.shape), and the ranker \(width) features", 1)
    }
    let scratch = RankerScratch()
    var scores = [Float](repeating: 0, count: batch)
    var next = 0
    while let line = readLine() {
      guard let calls = Int(line) else { continue }
      var times: [UInt64] = []
      times.reserveCapacity(calls)
      for _ in 0..<calls {
        let begin = nanoseconds()
        rows.values.withUnsafeBufferPointer { values in
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
