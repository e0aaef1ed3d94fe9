internal import Base
internal import CKernels

/// Scores what the codes leave, and puts it in order.
extension Search {
  /// Scores the first `count` of `scratch.locals` by their rows, into `scratch.dots`.
  func scoreRows(_ count: Int, of index: VectorIndex) {
    guard let rows = index.rows.baseAddress, let step = index.step.baseAddress,
      let steps = index.steps.baseAddress, let locals = scratch.locals.baseAddress,
      let high = scratch.high.baseAddress, let low = scratch.low.baseAddress,
      let dots = scratch.dots.baseAddress
    else { return }
    indexKernels.pointee.score_rows(rows, index.rowStride, step, steps, locals, count, high, low, dots)
  }

  /// Scores what is left by its rows, and leaves the best k in order in the scratch.
  mutating func finish() {
    let pool = scratch.pool
    if outcome.isPartial {
      // Late already: the k best by their codes are scored for their order, not more of them for better ones.
      pool.pointee.keep = k
      mk_pool_take(pool, 0, 0)
    }
    mk_pool_finish(pool, SearchScratch.keptCountMax)
    guard let keys = scratch.keys.baseAddress, let spare = scratch.spareKeys.baseAddress else { return }
    var held = 0
    var firstPlace = 0
    for part in index.parts {
      held += score(part, firstPlace: UInt32(firstPlace), keys: keys + held)
      firstPlace += part.index.count
    }
    let count = min(k, held)
    if effort.refines, held > k, !outcome.isPartial {
      mk_best_in_order(keys, held, held, spare)
      refine(held, keys: keys, spare: spare)
    } else {
      mk_best_in_order(keys, held, count, spare)
    }
    let factor = unit * magnitude
    for place in 0..<count {
      scratch.ordinals[place] = mk_key_ordinal(keys[place])
      scratch.scores[place] = mk_key_score(keys[place]) * factor
    }
    outcome.count = count
  }

  /// Keys of one part's candidates, with their ordinals.
  private func score(
    _ part: PartitionedIndex.Part, firstPlace: UInt32, keys: UnsafeMutablePointer<UInt64>
  ) -> Int {
    guard let locals = scratch.locals.baseAddress, let dots = scratch.dots.baseAddress,
      let ordinals = part.index.ordinals.baseAddress
    else { return 0 }
    let pool = scratch.pool
    let partCount = UInt32(part.index.count)
    var count = 0
    for place in 0..<pool.pointee.held {
      let local = pool.pointee.places[place] &- firstPlace
      guard local < partCount else { continue }
      locals[count] = local
      mk_prefetch(ordinals + Int(local))
      count += 1
    }
    scoreRows(count, of: part.index)
    for place in 0..<count { keys[place] = mk_key(dots[place], part.first + ordinals[Int(locals[place])]) }
    return count
  }

  /// Scores by their vectors those of `held` ordered candidates that may be on the wrong side of the k-th.
  private func refine(
    _ held: Int, keys: UnsafeMutablePointer<UInt64>, spare: UnsafeMutablePointer<UInt64>
  ) {
    guard let locals = scratch.locals.baseAddress, let dots = scratch.dots.baseAddress,
      let scaled = scratch.query.baseAddress, let steps = base.steps.baseAddress, unit > 0
    else { return }
    // Rounding to a step is off by 0.29 of it at one deviation, and so is a sum over a query of unit length.
    let doubt = 2 * 0.29 * steps[Self.usualStep] * length / unit
    let middle = mk_key_score(keys[k - 1])
    var begin = k - 1
    while begin > 0, mk_key_score(keys[begin - 1]) <= middle + doubt { begin -= 1 }
    var end = k
    while end < held, mk_key_score(keys[end]) >= middle - doubt { end += 1 }
    for part in index.parts {
      guard let vectors = part.vectors, let rows = vectors.base else { continue }
      let last = part.first + UInt32(vectors.count)
      let isOfPart = { (key: UInt64) in mk_key_ordinal(key) >= part.first && mk_key_ordinal(key) < last }
      var count = 0
      for place in begin..<end where isOfPart(keys[place]) {
        locals[count] = mk_key_ordinal(keys[place]) - part.first
        count += 1
      }
      kernels.pointee.dot_halves_at(
        rows, vectors.rowStride, locals, count, scaled, index.dimensions, dots)
      count = 0
      for place in begin..<end where isOfPart(keys[place]) {
        keys[place] = mk_key(dots[count] / unit, mk_key_ordinal(keys[place]))
        count += 1
      }
    }
    mk_best_in_order(keys + begin, end - begin, k - begin, spare)
  }

  /// Most rows' step is about in the middle.
  private static var usualStep: Int { 144 }
}
