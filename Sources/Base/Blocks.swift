internal import Dispatch
internal import Synchronization

/// Does `body` for every block of `0..<count`, on `threads` threads, and returns when all are done.
///
/// Which thread takes which block is left open, so `body` writes only what belongs to its block. `worker` is below
/// `threads`, and no two calls with the same one overlap.
package func forEachBlock(
  of count: Int, blockCount: Int, threads: Int, _ body: (_ block: Range<Int>, _ worker: Int) -> Void
) {
  let blocks = (count + blockCount - 1) / blockCount
  let next = Atomic<Int>(0)
  withoutActuallyEscaping(body) { body in
    let shared = SharedBody(body: body)
    DispatchQueue.concurrentPerform(iterations: max(1, min(threads, blocks))) { worker in
      while true {
        let block = next.wrappingAdd(1, ordering: .relaxed).oldValue
        guard block < blocks else { return }
        shared.body(block * blockCount..<min(count, (block + 1) * blockCount), worker)
      }
    }
  }
}

/// Guard for `@unchecked Sendable`: callers of ``forEachBlock(of:blockCount:threads:_:)`` write only to their block's
/// and their worker's share, and all calls have returned before it does.
private struct SharedBody: @unchecked Sendable {
  let body: (Range<Int>, Int) -> Void
}
