internal import Base
internal import Catalogue
internal import Ranking
internal import Retrieval
internal import Snapshots

// What must be right before a generation serves, and what should be warm.

extension Generation {
  /// Asks the golden queries and compares. Throws `goldenMismatch` when less than nine tenths of the expected titles
  /// are found, or when a query names titles that aren't there.
  func answerGoldenQueries(_ mapped: MappedBytes, time: any TimeSource) throws(Refusal) {
    let golden = try GoldenQueries(bytes: mapped.bytes, name: "golden/all")
    let scratch = SearchScratch()
    let live = catalogue.liveBitmap
    var expectedCount = 0
    var foundCount = 0
    for (number, query) in golden.queries.enumerated() {
      let place = "golden/all query \(number)"
      var watched: [UInt32] = []
      for id in query.watched {
        guard let ordinal = catalogue.ordinal(ofID: id) else {
          throw Refusal(.goldenMismatch, at: place, "names \(id.prefix(128)), which is not in the catalogue")
        }
        watched.append(ordinal)
      }
      let found = nearest(
        to: watched, count: query.expected.count, among: live, scratch: scratch, time: time)
      expectedCount += query.expected.count
      foundCount +=
        query.expected.filter { id in
          catalogue.ordinal(ofID: id).map(found.contains) ?? false
        }.count
    }
    guard Double(foundCount) >= GoldenQueries.agreementMin * Double(expectedCount) else {
      throw Refusal(
        .goldenMismatch, at: "golden/all",
        "\(foundCount) of \(expectedCount) expected titles were found, \(GoldenQueries.agreementMin) of them must be"
      )
    }
  }

  private func nearest(
    to watched: [UInt32], count: Int, among live: Bitmap, scratch: SearchScratch, time: any TimeSource
  ) -> Set<UInt32> {
    var query = [Float](repeating: 0, count: vectors.dimensions)
    let hasDirection = query.withUnsafeMutableBufferPointer { sum in
      for ordinal in watched { vectors.add(ordinal, weight: 1, to: sum) }
      return ProfileVector.normalise(sum)
    }
    guard hasDirection else { return [] }
    return live.words.withUnsafeBufferPointer { words in
      guard let start = words.baseAddress else { return [] }
      let filter = OrdinalFilter(words: start, bitCount: live.count, allowedCount: catalogue.liveCount)
      let outcome = query.withUnsafeBufferPointer {
        index.search($0, k: count, allowed: filter, time: time, scratch: scratch)
      }
      return Set(scratch.ordinals[0..<outcome.count])
    }
  }

  /// Makes the audiences that will be asked for first. Pages are at hand already, as far as the
  /// system has a way: opening saw to that.
  func warm(_ keys: [Audiences.Key], time: any TimeSource) {
    for key in keys { _ = audiences.audience(key, now: time.now) }
  }
}

extension CatalogueView {
  fileprivate var liveBitmap: Bitmap {
    var live = Bitmap(count: count)
    for ordinal in 0..<UInt32(count) {
      if ordinal % UInt32(LongLoop.stepCount) == 0 { LongLoop.giveWay() }
      if isLive(ordinal) { live[Int(ordinal)] = true }
    }
    return live
  }
}
