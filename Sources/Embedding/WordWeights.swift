internal import Catalogue
internal import Synchronization

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// How much each word says, by the hash of the word: rare words much, common ones little, those of a single title
/// nothing, because they relate it to no other.
///
/// One byte a bucket, so that a space is a small, bounded segment; words that share a bucket share a weight.
struct WordWeights: Equatable, Sendable {
  static let bucketCount = 1 << 17
  /// The natural logarithm of the titles to one with the word, at most.
  static let weightMax: Float = 6

  /// 0 to 255 for 0 to `weightMax`.
  let bytes: [UInt8]

  init(bytes: [UInt8]) {
    precondition(bytes.count == Self.bucketCount)
    self.bytes = bytes
  }

  /// Nothing says anything.
  static let none = WordWeights(bytes: [UInt8](repeating: 0, count: bucketCount))

  @inline(__always)
  func weight(_ hash: UInt64) -> Float {
    Float(bytes[Self.bucket(hash)]) * (Self.weightMax / 255)
  }

  @inline(__always)
  static func bucket(_ hash: UInt64) -> Int { Int(truncatingIfNeeded: hash >> 40) & (bucketCount - 1) }

  /// From the titles in which each bucket's words occur.
  init(titleCounts: [UInt32], titleCount: Int) {
    // In large catalogues chance alone gives a bucket a few titles.
    let least = UInt32(max(2, titleCount / 20_000))
    bytes = titleCounts.map { count in
      guard count >= least else { return 0 }
      let weight = log(Float(titleCount + 1) / Float(count))
      return UInt8((min(max(weight, 0), Self.weightMax) * (255 / Self.weightMax)).rounded())
    }
  }

  /// Surveys the titles of a file: all of them, or an even sample of about 200,000.
  static func survey(titles path: String, titleCount: Int, threadCount: Int) throws(CatalogueFault)
    -> WordWeights
  {
    let stride = max(1, titleCount / 200_000)
    // Sums don't depend on the order in which threads add to them.
    let shared = Mutex((counts: [UInt32](repeating: 0, count: bucketCount), titles: 0))
    try TitleFile.each(path: path, threadCount: threadCount, stride: stride) { _, title in
      var buckets: [Int] = []
      Words.each(of: title) { hash, _ in buckets.append(bucket(hash)) }
      buckets.sort()
      shared.withLock { shared in
        shared.titles += 1
        var last = -1
        for bucket in buckets where bucket != last {
          shared.counts[bucket] += 1
          last = bucket
        }
      }
    }
    return shared.withLock { WordWeights(titleCounts: $0.counts, titleCount: $0.titles) }
  }
}
