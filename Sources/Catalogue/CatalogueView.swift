package import Base

/// One generation's catalogue: up to two parts and their stat, read in place.
///
/// Ordinals are dense: `0..<baseCount` are the base's titles, the tail's follow. An ordinal that is not live is a slot
/// whose title changed (its new self is in the tail) or went.
package struct CatalogueView: Sendable {
  package let base: CataloguePart
  package let tail: CataloguePart?
  package let stat: CatalogueStat
  /// Ordinals, live or not.
  package let count: Int
  package let liveCount: Int
  /// Bit `n` of a genre set is this genre, in both parts.
  package let genreNames: [String]

  /// Refuses parts that don't belong together.
  package init(base: CataloguePart, tail: CataloguePart?, stat: CatalogueStat) throws(Refusal) {
    guard stat.baseCount == base.count, stat.baseIdentity == base.identity,
      stat.tailCount == tail?.count ?? 0, stat.tailIdentity == tail?.identity ?? 0
    else { throw Refusal(.unreadable, at: stat.segment.name, "belongs to another base or tail") }
    if let tail, !tail.hasSameGenrePrefix(as: base) {
      throw Refusal(.unreadable, at: "catalogue tail", "numbers its genres otherwise than the base")
    }
    self.base = base
    self.tail = tail
    self.stat = stat
    count = base.count + (tail?.count ?? 0)
    liveCount = stat.liveCount
    genreNames = tail?.genreNames ?? base.genreNames
  }

  @inline(__always)
  private func place(_ ordinal: UInt32) -> (part: CataloguePart, local: Int) {
    let ordinal = Int(ordinal)
    if ordinal < base.count { return (base, ordinal) }
    guard let tail, ordinal - base.count < tail.count else {
      preconditionFailure("ordinal \(ordinal) is not of this generation")
    }
    return (tail, ordinal - base.count)
  }

  /// The live title with this id.
  package func ordinal(ofID id: String) -> UInt32? {
    var id = id
    return id.withUTF8 { ordinal(ofIDBytes: UnsafeRawBufferPointer($0)) }
  }

  /// Finds many titles: `found` gets one for each of `count` ids, `nil` for an id that no live title has.
  package func find(_ count: Int, id: (Int) -> String, found: inout [UInt32?]) {
    found.removeAll(keepingCapacity: true)
    withUnsafeTemporaryAllocation(of: (slot: Int, ordinal: UInt32).self, capacity: count) { slots in
      for place in 0..<count {
        var id = id(place)
        slots.initializeElement(
          at: place, to: id.withUTF8 { base.firstSlot(ofIDBytes: UnsafeRawBufferPointer($0)) })
      }
      for place in 0..<count {
        var id = id(place)
        found.append(id.withUTF8 { ordinal(ofIDBytes: UnsafeRawBufferPointer($0), firstSlot: slots[place]) })
      }
    }
  }

  private func ordinal(
    ofIDBytes id: UnsafeRawBufferPointer, firstSlot: (slot: Int, ordinal: UInt32)
  ) -> UInt32? {
    if let local = tail?.ordinal(ofIDBytes: id), isLive(UInt32(base.count + local)) {
      return UInt32(base.count + local)
    }
    guard let local = base.ordinal(ofIDBytes: id, firstSlot: firstSlot), isLive(UInt32(local)) else {
      return nil
    }
    return UInt32(local)
  }

  package func ordinal(ofIDBytes id: UnsafeRawBufferPointer) -> UInt32? {
    ordinal(ofIDBytes: id, firstSlot: base.firstSlot(ofIDBytes: id))
  }

  package func isLive(_ ordinal: UInt32) -> Bool {
    Int(ordinal) < count && stat.live[Int(ordinal >> 6)] >> UInt64(ordinal & 63) & 1 == 1
  }

  package func id(_ ordinal: UInt32) -> String {
    let (part, local) = place(ordinal)
    return part.id(local)
  }

  package func name(_ ordinal: UInt32) -> String {
    let (part, local) = place(ordinal)
    return part.name(local)
  }

  /// Both, where they lie: valid while this view is held.
  package func text(_ ordinal: UInt32) -> TitleText {
    let (part, local) = place(ordinal)
    return part.titleText(local)
  }

  package func facts(_ ordinal: UInt32) -> TitleFacts {
    let (part, local) = place(ordinal)
    return part.facts(local)
  }

  package func genres(_ ordinal: UInt32) -> UInt64 { facts(ordinal).genres }

  /// Days since 1970-01-01; `nil` when it isn't known.
  package func releaseDay(_ ordinal: UInt32) -> Int32? { facts(ordinal).releaseDay }

  package func maturity(_ ordinal: UInt32) -> UInt8 { facts(ordinal).maturity }

  /// 0 to 1.
  package func popularity(_ ordinal: UInt32) -> Float { Float(stat.scores(Int(ordinal)).popularity) / 65_535 }

  /// 0 to 1: like popularity, with recent interest counting for more.
  package func trending(_ ordinal: UInt32) -> Float { Float(stat.scores(Int(ordinal)).trending) / 65_535 }

  /// What ranking reads of many titles, in one pass: the processor waits for many at a time, where calls between them
  /// would have it wait for each.
  package func gather(
    _ ordinals: UnsafeBufferPointer<UInt32>, into signals: UnsafeMutableBufferPointer<TitleSignals>
  ) {
    precondition(signals.count >= ordinals.count, "there is room for every title")
    let baseCount = base.count
    for (place, ordinal) in ordinals.enumerated() {
      let ordinal = Int(ordinal)
      signals[place].facts =
        ordinal < baseCount ? base.facts(ordinal) : facts(UInt32(ordinal))
      let scores = stat.scores(ordinal)
      signals[place].popularity = Float(scores.popularity) / 65_535
      signals[place].trending = Float(scores.trending) / 65_535
    }
  }

  package func licences(_ ordinal: UInt32) -> [Licence] {
    let (part, local) = place(ordinal)
    return part.licences.licences(local)
  }

  package func isLicensed(_ ordinal: UInt32, _ country: CountryCode, at moment: Timestamp) -> Bool {
    let (part, local) = place(ordinal)
    let seconds = moment.milliseconds.flooredQuotient(by: 1000)
    var boundary = Int64.max
    return part.licences.covers(local, country.word, from: seconds, through: seconds, boundary: &boundary)
  }

  package func contentHash(_ ordinal: UInt32) -> UInt64 {
    let (part, local) = place(ordinal)
    return part.contentHashes[local]
  }
}
