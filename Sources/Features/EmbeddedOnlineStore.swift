package import Base
import Synchronization

/// The online store in this process's memory, filled again from the event log at start.
///
/// Profiles lie in 64 shards, each with its own lock, so that the ranking threads and the writer seldom meet.
/// Memory: `profileCountMax` × at most 4.3 KB (100 events of 40 bytes, the profile's id and its places in the tables),
/// so 250,000 profiles are at most 1.1 GB, a few hundred MB with usual histories and ids up to 15 bytes; longer title ids
/// add their bytes and 32 an event. And the trending board: 50 MB at most.
/// A profile over the limit takes the place of one not read or written lately (clock, by shard). A profile that was
/// evicted reads as empty until it acts again.
package final class EmbeddedOnlineStore: OnlineStore {
  package struct Options: Sendable {
    package var profileCountMax = 250_000
    package var trendingTitleCountMax = 32_768
    /// `trending` is computed at most this often, and within this time answers what it answered before.
    package var trendingReuseMilliseconds: Int64 = 1000

    package init() {}
  }

  package static let shardCount = 64
  package static let trendingCountMax = 500

  private final class Shard: Sendable {
    let profiles: Mutex<ProfileShard>
    init(countMax: Int) { profiles = Mutex(ProfileShard(countMax: countMax)) }
  }

  private struct Reused {
    var now: Timestamp
    var definitions: FeatureDefinitions.Trending
    var titles: [TrendingTitle]
  }

  private let shards: [Shard]
  private let board: Mutex<TrendingBoard>
  private let reused = Mutex<Reused?>(nil)
  private let options: Options

  package init(options: Options = Options()) {
    self.options = options
    // Rounded up, so that each shard has a place.
    let perShard = (max(1, options.profileCountMax) + Self.shardCount - 1) / Self.shardCount
    shards = (0..<Self.shardCount).map { _ in Shard(countMax: perShard) }
    board = Mutex(TrendingBoard(titleCountMax: options.trendingTitleCountMax))
  }

  package var profileCount: Int {
    shards.reduce(0) { count, shard in count + shard.profiles.withLock { $0.count } }
  }

  /// Profiles that gave way to others since the start.
  package var evictedProfileCount: Int {
    shards.reduce(0) { count, shard in count + shard.profiles.withLock { $0.evictedCount } }
  }

  package func apply(_ events: [Event]) {
    for event in events where event.kind != .impression {
      let hash = eventHash(event.profileID)
      shard(hash).profiles.withLock { $0.insert(event) }
    }
    board.withLock { board in
      for event in events { board.add(event) }
    }
  }

  package func recent(_ profileID: String) -> ProfileHistory {
    shard(eventHash(profileID)).profiles.withLock { $0.history(profileID) }
  }

  package func trending(
    now: Timestamp, limit: Int, definitions: FeatureDefinitions.Trending
  ) -> [TrendingTitle] {
    let known = reused.withLock { $0 }
    if let known, known.definitions == definitions, known.now <= now,
      now.milliseconds - known.now.milliseconds < options.trendingReuseMilliseconds
    {
      return Array(known.titles.prefix(max(0, limit)))
    }
    let titles = board.withLock { $0.top(now: now, limit: Self.trendingCountMax, definitions: definitions) }
    reused.withLock { $0 = Reused(now: now, definitions: definitions, titles: titles) }
    return Array(titles.prefix(max(0, limit)))
  }

  /// Fills the store with what the log holds. Call it before the log takes appends.
  /// Returns the number of events that were read. Throws what ``EventLog/replay(from:_:)`` throws.
  @discardableResult
  package func restore(from log: some EventLog) throws(Fault) -> Int {
    var count = 0
    try log.replay(from: 0) { (events, _) throws(Fault) in
      apply(events)
      count += events.count
    }
    return count
  }

  private func shard(_ hash: UInt64) -> Shard { shards[Int(hash % UInt64(Self.shardCount))] }
}
