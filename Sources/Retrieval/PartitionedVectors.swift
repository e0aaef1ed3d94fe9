package import Base

/// The vectors of a whole generation: its parts' ordinals, one part after the other.
package struct PartitionedVectors: VectorSource {
  package let parts: [Vectors]
  package let count: Int
  package let dimensions: Int
  /// The first ordinal of each part.
  let firsts: [Int]

  /// At least one part; all of the same dimensions.
  package init(_ parts: [Vectors]) throws(Refusal) {
    guard let first = parts.first else {
      throw Refusal(.unreadable, at: "embeddings", "has no part")
    }
    var firsts: [Int] = []
    var total = 0
    for part in parts {
      guard part.dimensions == first.dimensions else {
        throw Refusal(
          .unreadable, at: part.name,
          "has \(part.dimensions) dimensions where \(first.name) has \(first.dimensions)")
      }
      firsts.append(total)
      total += part.count
    }
    guard total <= Limits.titleCountMax else {
      throw Refusal(.limitExceeded, at: first.name, "and its tail have \(total) titles")
    }
    self.parts = parts
    self.firsts = firsts
    count = total
    dimensions = first.dimensions
  }

  /// Copies one title's vector to `vector`, which has `dimensions` floats.
  package func copy(_ ordinal: UInt32, to vector: UnsafeMutableBufferPointer<Float>) {
    let (part, local) = locate(Int(ordinal))
    parts[part].copy(local, to: vector)
  }

  /// Adds `weight` times one title's vector to `sum`, which has `dimensions` floats.
  package func add(_ ordinal: UInt32, weight: Float, to sum: UnsafeMutableBufferPointer<Float>) {
    let (part, local) = locate(Int(ordinal))
    parts[part].add(local, weight: weight, to: sum)
  }

  /// The inner product of one title's vector with `query`, which has `dimensions` floats.
  package func dot(_ ordinal: UInt32, _ query: UnsafeBufferPointer<Float>) -> Float {
    let (part, local) = locate(Int(ordinal))
    return parts[part].dot(local, query)
  }

  /// The inner products of many titles' vectors with `query`, to the bit those of ``dot(_:_:)``. Vectors are fetched
  /// ahead.
  package func dots(
    _ ordinals: UnsafeBufferPointer<UInt32>, _ query: UnsafeBufferPointer<Float>,
    into products: UnsafeMutableBufferPointer<Float>
  ) {
    precondition(products.count >= ordinals.count, "there is room for every product")
    let baseCount = parts[0].count
    var start = 0
    while start < ordinals.count {
      var end = start
      while end < ordinals.count, Int(ordinals[end]) < baseCount { end += 1 }
      if end > start {
        parts[0].dots(
          UnsafeBufferPointer(rebasing: ordinals[start..<end]), query,
          into: UnsafeMutableBufferPointer(rebasing: products[start..<end]))
      } else {
        products[start] = dot(ordinals[start], query)
        end += 1
      }
      start = end
    }
  }

  package func copy(_ ordinals: Range<Int>, into rows: UnsafeMutableBufferPointer<Float>) {
    for (index, ordinal) in ordinals.enumerated() {
      let (part, local) = locate(ordinal)
      let range = index * dimensions..<(index + 1) * dimensions
      parts[part].copy(local, to: UnsafeMutableBufferPointer(rebasing: rows[range]))
    }
  }

  private func locate(_ ordinal: Int) -> (part: Int, local: Int) {
    precondition(ordinal >= 0 && ordinal < count, "an ordinal of this generation")
    var part = firsts.count - 1
    while firsts[part] > ordinal { part -= 1 }
    return (part, ordinal - firsts[part])
  }
}
