internal import Dispatch

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

// Loops over rows of floats. Sums are in one fixed order, so a space is the same bytes on every machine.

/// sum += weight × row
@inline(__always)
func add(_ row: UnsafePointer<Float>, times weight: Float, to sum: UnsafeMutablePointer<Float>, _ count: Int)
{
  for index in 0..<count { sum[index] += weight * row[index] }
}

func dot(_ left: UnsafePointer<Float>, _ right: UnsafePointer<Float>, _ count: Int) -> Float {
  var lanes = SIMD8<Float>.zero
  let whole = count & ~7
  var index = 0
  while index < whole {
    let a = UnsafeRawPointer(left + index).loadUnaligned(as: SIMD8<Float>.self)
    let b = UnsafeRawPointer(right + index).loadUnaligned(as: SIMD8<Float>.self)
    lanes += a * b
    index += 8
  }
  let low = lanes.lowHalf + lanes.highHalf
  var sum = (low[0] + low[2]) + (low[1] + low[3])
  while index < count {
    sum += left[index] * right[index]
    index += 1
  }
  return sum
}

/// Makes the row a unit vector; returns `false` and leaves it alone when it is (nearly) nothing.
@discardableResult
func normalise(_ row: UnsafeMutablePointer<Float>, _ count: Int) -> Bool {
  let length = dot(row, row, count).squareRoot()
  guard length > 1e-12, length.isFinite else { return false }
  let scale = 1 / length
  for index in 0..<count { row[index] *= scale }
  return true
}

/// Calls `body` with ranges that make up `0..<count`, on `threadCount` threads. Ranges don't depend on how many.
///
/// Which thread takes which range is left open: `body` writes only what belongs to its range.
func inParallel(_ count: Int, threadCount: Int, _ body: (Range<Int>) -> Void) {
  let blockCount = (count + 1023) / 1024
  withoutActuallyEscaping(body) { body in
    let shared = SharedBody(body: body)
    let lanes = max(1, min(threadCount, blockCount))
    DispatchQueue.concurrentPerform(iterations: lanes) { lane in
      for block in stride(from: lane, to: blockCount, by: lanes) {
        shared.body(block * 1024..<min(count, (block + 1) * 1024))
      }
    }
  }
}

/// Guard for `@unchecked Sendable`: bodies write only to the rows of their range, and all have returned before
/// `inParallel` does.
private struct SharedBody: @unchecked Sendable {
  let body: (Range<Int>) -> Void
}

/// The mean of `count` rows that `fill` gives one at a time: sums of blocks, added in order, so that it is the same
/// with any number of threads.
func mean(
  _ count: Int, dimensions: Int, threadCount: Int, row: (Int) -> UnsafePointer<Float>
) -> [Float] {
  guard count > 0 else { return [Float](repeating: 0, count: dimensions) }
  let sums = VectorTable(count: (count + 1023) / 1024, dimensions: dimensions)
  inParallel(count, threadCount: threadCount) { range in
    let sum = sums.row(range.lowerBound / 1024)
    for index in range { add(row(index), times: 1, to: sum, dimensions) }
  }
  var total = [Float](repeating: 0, count: dimensions)
  for block in 0..<sums.count { add(sums.row(block), times: 1, to: &total, dimensions) }
  for index in 0..<dimensions { total[index] /= Float(count) }
  return total
}
