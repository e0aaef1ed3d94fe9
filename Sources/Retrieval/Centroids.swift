/// The middles of an index's lists: what titles are assigned by, and lists are ranked by.
package struct Centroids: Sendable, Equatable {
  package let dimensions: Int
  /// `count` rows of `dimensions` floats.
  package let values: [Float]

  package init(_ values: [Float], dimensions: Int) {
    precondition(dimensions > 0 && values.count % dimensions == 0, "rows are whole")
    self.values = values
    self.dimensions = dimensions
  }

  package var count: Int { values.count / dimensions }

  /// Of the values' bits: parts built around the same centroids have the same.
  var digest: UInt64 {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for value in values { hash = (hash ^ UInt64(value.bitPattern)) &* 0x100_0000_01b3 }
    return hash
  }
}
