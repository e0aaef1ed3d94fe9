/// How much of the exact answer live searches of one generation found, by samples.
package struct RetrievalRecall: Sendable, Equatable {
  /// Searches that were compared with the exact answer.
  package var sampleCount: UInt64
  /// The mean recall@k of these, k as each was asked for, 0 to 1.
  package var mean: Float
  /// An interval of 95 % of the mean; 0 to 1 while there are fewer than two samples.
  package var low: Float
  package var high: Float
  /// What was measured when the index was built, by queries that the build made up.
  package var target: Float
  /// Chosen searches that had been cut by their deadline: not compared.
  package var partialCount: UInt64
  /// Chosen searches that were not compared: too many, or the generation was gone.
  package var droppedCount: UInt64

  package init(
    sampleCount: UInt64 = 0, mean: Float = 0, low: Float = 0, high: Float = 1, target: Float = 0,
    partialCount: UInt64 = 0, droppedCount: UInt64 = 0
  ) {
    self.sampleCount = sampleCount
    self.mean = mean
    self.low = low
    self.high = high
    self.target = target
    self.partialCount = partialCount
    self.droppedCount = droppedCount
  }

  /// Fewer say nothing for certain.
  package static let sampleCountMin: UInt64 = 30
  /// Live queries are harder than made-up ones by about this much without anything being wrong.
  package static let tolerance: Float = 0.03

  /// `retrieval finds 0.953 of the exact answers (0.949 to 0.957, 212 samples; 0.956 when the index was built)`.
  package var line: String {
    func short(_ share: Float) -> String { "\((Double(share) * 1000).rounded() / 1000)" }
    return
      "retrieval finds \(short(mean)) of the exact answers (\(short(low)) to \(short(high)), \(sampleCount) samples; "
      + "\(short(target)) when the index was built)"
  }

  /// Whether it is clearly below what the index was built for.
  package var isLow: Bool { sampleCount >= Self.sampleCountMin && high < target - Self.tolerance }
}
