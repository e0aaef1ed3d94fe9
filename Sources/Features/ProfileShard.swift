import Base

/// The histories of one shard's profiles: a bounded table with clock eviction.
struct ProfileShard: Sendable {
  private struct Place: Sendable {
    var profileID: String
    var history: ProfileHistory
    /// Read or written again since the hand last came by. A new profile has no mark: of a crowd that comes once, each
    /// goes before those that come back.
    var isUsed: Bool
  }

  let countMax: Int
  private(set) var evictedCount = 0
  private var places: [Place] = []
  private var indices: [String: Int] = [:]
  private var hand = 0

  init(countMax: Int) {
    precondition(countMax > 0, "a shard holds one profile at least")
    self.countMax = countMax
  }

  var count: Int { places.count }

  mutating func insert(_ event: Event) {
    if let index = indices[event.profileID] {
      places[index].isUsed = true
      places[index].history.insert(event)
    } else {
      places[place(for: event.profileID)].history.insert(event)
    }
  }

  mutating func history(_ profileID: String) -> ProfileHistory {
    guard let index = indices[profileID] else { return ProfileHistory() }
    places[index].isUsed = true
    return places[index].history
  }

  private mutating func place(for profileID: String) -> Int {
    let place = Place(profileID: profileID, history: ProfileHistory(), isUsed: false)
    let index: Int
    if places.count < countMax {
      index = places.count
      places.append(place)
    } else {
      index = unusedPlace()
      indices[places[index].profileID] = nil
      places[index] = place
      evictedCount += 1
    }
    indices[profileID] = index
    return index
  }

  /// Ends within two rounds: the first clears every mark that it meets.
  private mutating func unusedPlace() -> Int {
    while true {
      let index = hand
      hand = hand + 1 == places.count ? 0 : hand + 1
      if !places[index].isUsed { return index }
      places[index].isUsed = false
    }
  }
}
