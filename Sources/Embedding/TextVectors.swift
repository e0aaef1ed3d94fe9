internal import Base
internal import Catalogue

/// Turns what a title says into a vector: a sum of its words' sparse random projections, rare words weighing more
/// (after Achlioptas 2003, and random indexing, Kanerva et al. 2000).
struct TextVectors: Sendable {
  let parameters: SpaceParameters
  let weights: WordWeights

  /// Writes the title's unit vector of `textDimensions`, or zeros when it says nothing that another title says.
  func write(_ title: Title, to row: UnsafeMutablePointer<Float>) {
    let dimensions = parameters.textDimensions
    for index in 0..<dimensions { row[index] = 0 }
    var words: [(hash: UInt64, weight: Float)] = []
    Words.each(of: title) { hash, fieldWeight in
      let weight = weights.weight(hash)
      if weight > 0 { words.append((hash, weight * fieldWeight)) }
    }
    words.sort { ($0.hash, $0.weight) < ($1.hash, $1.weight) }
    var index = 0
    while index < words.count {
      // A word said four times counts twice.
      let hash = words[index].hash
      var sum: Float = 0
      var count: Float = 0
      while index < words.count, words[index].hash == hash {
        sum += words[index].weight
        count += 1
        index += 1
      }
      project(hash, weight: sum / count.squareRoot(), to: row)
    }
    normalise(row, dimensions)
  }

  private func project(_ hash: UInt64, weight: Float, to row: UnsafeMutablePointer<Float>) {
    var random = SplitMix(seed: hash ^ parameters.seed)
    var bits: UInt64 = 0
    for entry in 0..<parameters.entriesPerWord {
      if entry % 4 == 0 { bits = random.next() }
      let index = Int(((bits & 0x7fff) * UInt64(parameters.textDimensions)) >> 15)
      row[index] += bits & 0x8000 == 0 ? weight : -weight
      bits >>= 16
    }
  }

  /// A unit vector of `dimensions` that only the id decides: full, so that no two are alike.
  func writeOwn(_ id: String, to row: UnsafeMutablePointer<Float>) {
    var random = SplitMix(seed: stableHash64(id) ^ ~parameters.seed)
    for index in 0..<parameters.dimensions {
      // Three dice of 21 bits each are round enough.
      let bits = random.next()
      let sum = (bits & 0x1f_ffff) + (bits >> 21 & 0x1f_ffff) + (bits >> 42 & 0x1f_ffff)
      row[index] = Float(sum) - 3_145_726.5
    }
    normalise(row, parameters.dimensions)
  }
}
