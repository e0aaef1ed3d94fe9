package import Base

/// Interactions whose titles are known, as columns: profiles by first appearance, each one's interactions together
/// and in time order. 21 bytes an interaction.
package struct InteractionTable: Sendable {
  /// One interaction.
  package struct Row: Equatable, Sendable {
    package var ordinal: UInt32
    package var kind: Event.Kind
    package var at: Timestamp
    package var progress: Float

    package init(ordinal: UInt32, kind: Event.Kind, at: Timestamp, progress: Float) {
      self.ordinal = ordinal
      self.kind = kind
      self.at = at
      self.progress = progress
    }

    package var interest: Float { kind.interest(progress: progress) }
  }

  package let profileIDs: [String]
  /// Where each profile's rows begin; one more than profiles.
  package let offsets: [Int]
  package let rows: [Row]
  /// Interactions with titles that aren't (or no longer) in the catalogue.
  package let unknownTitleCount: Int

  package var profileCount: Int { profileIDs.count }
  package var newest: Timestamp? { rows.max { $0.at < $1.at }?.at }

  package func rows(of profile: Int) -> ArraySlice<Row> { rows[offsets[profile]..<offsets[profile + 1]] }

  /// Rows in any order; `profile` is an index into `profileIDs`.
  package init(profileIDs: [String], rows unsorted: [(profile: Int, row: Row)], unknownTitleCount: Int = 0) {
    self.init(
      profileIDs: profileIDs, owners: unsorted.map { UInt32($0.profile) }, rows: unsorted.map(\.row),
      unknownTitleCount: unknownTitleCount)
  }

  private init(profileIDs: [String], owners: [UInt32], rows unsorted: [Row], unknownTitleCount: Int) {
    var offsets = [Int](repeating: 0, count: profileIDs.count + 1)
    for owner in owners { offsets[Int(owner) + 1] += 1 }
    for profile in 0..<profileIDs.count { offsets[profile + 1] += offsets[profile] }
    var next = offsets
    var order = [Int](repeating: 0, count: unsorted.count)
    for (index, owner) in owners.enumerated() {
      order[next[Int(owner)]] = index
      next[Int(owner)] += 1
    }
    for profile in 0..<profileIDs.count {
      // Ties keep the file's order, so that a table is the same on every machine.
      order[offsets[profile]..<offsets[profile + 1]].sort {
        (unsorted[$0].at, $0) < (unsorted[$1].at, $1)
      }
    }
    self.profileIDs = profileIDs
    self.offsets = offsets
    self.unknownTitleCount = unknownTitleCount
    rows = order.map { unsorted[$0] }
  }

  /// Reads a whole interactions file; `view` says which titles there are and their ordinals.
  package init(path: String, view: CatalogueView) throws(CatalogueFault) {
    try self.init(path: path) { view.ordinal(ofIDBytes: $0) }
  }

  package init(path: String, ordinal: (UnsafeRawBufferPointer) -> UInt32?) throws(CatalogueFault) {
    let file = try InteractionFile(path: path)
    var profiles: [[UInt8]: UInt32] = [:]
    var profileIDs: [String] = []
    var owners: [UInt32] = []
    var rows: [Row] = []
    var unknownTitleCount = 0
    // Files are mostly sorted by profile: then the last one answers without a hash.
    var last: (id: [UInt8], profile: UInt32)?
    while let row = try file.nextRow() {
      guard let ordinal = file.titleID.withUnsafeBytes({ ordinal($0) }) else {
        unknownTitleCount += 1
        continue
      }
      let profile: UInt32
      if let last, last.id == file.profileID {
        profile = last.profile
      } else if let known = profiles[file.profileID] {
        profile = known
      } else {
        profile = UInt32(profileIDs.count)
        profiles[file.profileID] = profile
        profileIDs.append(String(decoding: file.profileID, as: UTF8.self))
      }
      if last?.profile != profile { last = (file.profileID, profile) }
      owners.append(profile)
      rows.append(Row(ordinal: ordinal, kind: row.kind, at: row.at, progress: row.progress))
    }
    self.init(profileIDs: profileIDs, owners: owners, rows: rows, unknownTitleCount: unknownTitleCount)
  }
}

extension InteractionTable {
  /// Only what had happened before `moment`: for fitting without knowledge of what came later. Profiles keep their
  /// places.
  package func before(_ moment: Timestamp) -> InteractionTable {
    let kept = (0..<profileCount).flatMap { profile in
      rows(of: profile).prefix { $0.at < moment }.map { (profile: profile, row: $0) }
    }
    return InteractionTable(profileIDs: profileIDs, rows: kept, unknownTitleCount: unknownTitleCount)
  }
}
