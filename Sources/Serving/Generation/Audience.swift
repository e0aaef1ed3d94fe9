package import Base
package import Catalogue
package import Retrieval
internal import Synchronization

/// Who may be shown what: one country up to one maturity in one generation, with the lists that fill rows when
/// nothing better is there.
///
/// Everything in it is licensed for as long as it is valid, and a request only ever gets one that is valid at its moment
/// (``Audiences/audience(_:now:)``).
package final class Audience: Sendable {
  /// Enough for every row at its largest after the profile's own titles were taken out: 8 × 100 + 100, rounded up.
  static let popularCountMax = 1024
  static let trendingCountMax = 256
  static let newCountMax = 256
  /// Titles whose licence ends within this are left out, so that the bitmap need not be computed at every boundary.
  static let holdingSeconds: Int64 = 120

  package let allowed: AllowedTitles
  /// The same for searching: `nil` where the catalogue is small.
  let placed: PlacedFilter?
  /// The most popular first.
  package let popular: [UInt32]
  package let trending: [UInt32]
  /// What trends in the region now, and the stamp of what it was made of.
  private let blended = Mutex<(stamp: UInt64, ordinals: [UInt32])?>(nil)
  /// The newest first.
  package let new: [UInt32]

  init(
    _ view: CatalogueView, index: PartitionedIndex?, country: CountryCode, maturityMax: UInt8,
    at moment: Timestamp, holdingSeconds: Int64 = Audience.holdingSeconds
  ) {
    allowed = view.allowed(
      country: country, maturityMax: maturityMax, at: moment, holdingSeconds: holdingSeconds)
    placed = allowed.bitmap.words.withUnsafeBufferPointer { words in
      words.baseAddress.flatMap { index?.placed($0) }
    }
    let today = Day(of: moment)
    popular = view.popular(Self.popularCountMax, allowed: allowed.bitmap)
    trending = view.trending(Self.trendingCountMax, allowed: allowed.bitmap)
    new = view.new(Self.newCountMax, on: today, allowed: allowed.bitmap)
  }

  /// What trends in the region and what the snapshot knew of it as one list, best first. Whoever comes first after the
  /// region's was made again makes this one.
  func trending(_ live: TrendingCache.Live, _ view: CatalogueView) -> [UInt32] {
    let known = blended.withLock { $0.flatMap { $0.stamp == live.stamp ? $0.ordinals : nil } }
    if let known { return known }
    let ordinals = TrendingCache.blend(live, builtIn: trending, view, allowed: allowed.bitmap)
    blended.withLock { $0 = (live.stamp, ordinals) }
    return ordinals
  }
}

/// The audiences of one generation, made when they are first asked for and made again before they run out.
package final class Audiences: Sendable {
  package struct Key: Hashable, Sendable {
    package var country: CountryCode
    package var maturityMax: UInt8

    package init(country: CountryCode, maturityMax: UInt8) {
      self.country = country
      self.maturityMax = maturityMax
    }
  }

  /// At a million titles one is 131 KB, and as much again for searching: 34 MB for all.
  package static let countMax = 128
  /// One that nobody asked for this long is not made again.
  private static let idleMilliseconds: Int64 = 600_000
  /// Made again this long before it runs out, so that no request has to wait for it.
  private static let aheadSeconds: Int64 = 60

  private struct Entry {
    var audience: Audience
    var lastUsed: Timestamp
  }

  private let view: CatalogueView
  private let entries = Mutex<[Key: Entry]>([:])

  private let index: PartitionedIndex

  package init(_ view: CatalogueView, index: PartitionedIndex) {
    self.view = view
    self.index = index
  }

  /// The audience, valid at `now`. At a million titles the first call for a key takes some 20 ms, others none.
  package func audience(_ key: Key, now: Timestamp) -> Audience {
    let known = entries.withLock { entries -> Audience? in
      guard let entry = entries[key], entry.audience.allowed.isValid(at: now) else { return nil }
      entries[key]?.lastUsed = now
      return entry.audience
    }
    return known ?? make(key, now: now, lastUsed: now)
  }

  package var keys: [Key] { entries.withLock { Array($0.keys) } }

  /// Makes those again that run out soon. Called once a second or so, off the ranking threads.
  package func refresh(now: Timestamp) {
    let soon = now.advanced(bySeconds: Self.aheadSeconds)
    let due = entries.withLock { entries -> [(Key, Timestamp)] in
      for (key, entry) in entries
      where now.milliseconds - entry.lastUsed.milliseconds > Self.idleMilliseconds {
        entries[key] = nil
      }
      return entries.filter { !$0.value.audience.allowed.isValid(at: soon) }.map {
        ($0.key, $0.value.lastUsed)
      }
    }
    for (key, lastUsed) in due { _ = make(key, now: now, lastUsed: lastUsed) }
  }

  /// Outside of the lock: two threads may make the same one, and the later one stays.
  private func make(_ key: Key, now: Timestamp, lastUsed: Timestamp) -> Audience {
    let audience = Audience(view, index: index, country: key.country, maturityMax: key.maturityMax, at: now)
    entries.withLock { entries in
      if entries[key] == nil, entries.count >= Self.countMax,
        let oldest = entries.min(by: { $0.value.lastUsed < $1.value.lastUsed })
      {
        entries[oldest.key] = nil
      }
      entries[key] = Entry(audience: audience, lastUsed: lastUsed)
    }
    return audience
  }
}
