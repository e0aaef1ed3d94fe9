internal import Base
internal import Foundation
internal import GRDB

// How the fleet's state lies in the registry's tables. Sequences and epochs are SQLite's 64-bit signed integers: the
// control node refuses larger ones at the door.

extension FleetChange {
  func write(to database: Database, by who: String, at now: Timestamp) throws {
    switch self {
    case .published(let summary, let manifest):
      try database.execute(
        sql: """
          INSERT INTO snapshots (sequence, digest, payload, signature, key_id, parent, created, expires, title_count,
            byte_count, published) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
          """,
        arguments: [
          try number(summary.sequence), summary.digest.data, Data(manifest.payload), Data(manifest.signature),
          manifest.keyID, try number(summary.parent), summary.created.milliseconds,
          summary.expires.milliseconds, try number(summary.titleCount), try number(summary.byteCount),
          now.milliseconds,
        ])
      try database.execute(
        sql: "INSERT OR REPLACE INTO numbers (name, value) VALUES ('newest_sequence', ?)",
        arguments: [try number(summary.sequence)])
    case .offered(let region, let sequence):
      try database.execute(
        sql: "INSERT OR IGNORE INTO offers (region, sequence, withdrawn) VALUES (?, ?, 0)",
        arguments: [region, try number(sequence)])
    case .region(let region):
      try database.execute(
        sql: "INSERT OR REPLACE INTO regions VALUES (?, ?, ?, ?, ?, ?)",
        arguments: [
          region.name, try number(region.target), try number(region.staging), try number(region.pinned),
          region.halted, region.order?.data,
        ])
    case .withdrawn(let region, let floor):
      try database.execute(
        sql: "UPDATE offers SET withdrawn = 1 WHERE region = ? AND sequence > ?",
        arguments: [region, try number(floor)])
    case .restored(let region, let sequence):
      try database.execute(
        sql: "UPDATE offers SET withdrawn = 0 WHERE region = ? AND sequence = ?",
        arguments: [region, try number(sequence)])
    case .refused(let name, let version):
      try database.execute(
        sql: """
          INSERT OR IGNORE INTO refused (region, replica, sequence, digest, code, place, message, at)
          VALUES (?, ?, ?, ?, ?, ?, ?, ?)
          """,
        arguments: [
          name.region, name.replica, try number(version.sequence), version.digest.data,
          version.refusal.code.rawValue, version.refusal.place, version.refusal.message, now.milliseconds,
        ])
    case .routing(let table):
      try write(table, to: database)
    case .ordered(let digest, let signed, let order):
      try database.execute(
        sql: "INSERT INTO orders VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        arguments: [
          digest.data, Data(signed.payload), Data(signed.signature), signed.keyID, order.region,
          try number(order.fromSequence), try number(order.toSequence), now.milliseconds,
        ])
    case .forgotten(let sequence):
      try database.execute(
        sql: "DELETE FROM snapshots WHERE sequence = ?", arguments: [try number(sequence)])
      try database.execute(sql: "DELETE FROM refused WHERE sequence = ?", arguments: [try number(sequence)])
    }
  }

  private func write(_ table: RoutingTable, to database: Database) throws {
    try database.execute(sql: "DELETE FROM routing")
    for (position, region) in table.regions.enumerated() {
      try database.execute(
        sql: "INSERT INTO routing VALUES (?, ?, ?, ?, ?, ?)",
        arguments: [
          position, try number(table.epoch), region.name, region.failedOverTo,
          region.replicas.joined(separator: "\n"), region.fallbacks.joined(separator: "\n"),
        ])
    }
  }
}

extension FleetState {
  init(from database: Database) throws {
    self.init()
    for row in try Row.fetchAll(
      database,
      sql: "SELECT sequence, digest, parent, created, expires, title_count, byte_count FROM snapshots")
    {
      let sequence = try row.number(0)
      snapshots[sequence] = SnapshotSummary(
        sequence: sequence, digest: try row.digest(1), parent: try row.number(2),
        created: Timestamp(milliseconds: row[3]), expires: Timestamp(milliseconds: row[4]),
        titleCount: try row.number(5), byteCount: try row.number(6), isWithdrawn: false)
    }
    let newest = try Int64.fetchOne(database, sql: "SELECT value FROM numbers WHERE name = 'newest_sequence'")
    newestSequence = UInt64(clamping: newest ?? 0)
    for row in try Row.fetchAll(database, sql: "SELECT region, sequence, withdrawn FROM offers") {
      offers[row[0], default: [:]][try row.number(1)] = row[2]
    }
    markWithdrawn()
    for row in try Row.fetchAll(
      database, sql: "SELECT name, target, staging, pinned, halted, rollback_order FROM regions")
    {
      var region = Region(name: row[0])
      region.target = try row.number(1)
      region.staging = try row.number(2)
      region.pinned = try row.number(3)
      region.halted = row[4]
      if (row[5] as Data?) != nil { region.order = try row.digest(5) }
      regions[region.name] = region
    }
    for row in try Row.fetchAll(
      database,
      sql: "SELECT region, replica, sequence, digest, code, place, message FROM refused ORDER BY id")
    {
      let refusal = Refusal(Refusal.Code(rawValue: row[4]) ?? .refusedBefore, at: row[5], row[6])
      refused[ReplicaName(region: row[0], replica: row[1]), default: []].append(
        .init(sequence: try row.number(2), digest: try row.digest(3), refusal: refusal))
    }
    for row in try Row.fetchAll(
      database,
      sql: "SELECT epoch, name, failed_over_to, replicas, fallbacks FROM routing ORDER BY position")
    {
      routing.epoch = try row.number(0)
      routing.regions.append(
        .init(name: row[1], failedOverTo: row[2], replicas: row.lines(3), fallbacks: row.lines(4)))
    }
    for row in try Row.fetchAll(database, sql: "SELECT digest FROM orders") {
      orders.insert(try row.digest(0))
    }
  }
}

private func number(_ value: UInt64) throws -> Int64 {
  guard let number = Int64(exactly: value) else {
    throw Fault(.outOfRange, "\(value) is more than the registry can hold")
  }
  return number
}

extension Digest {
  var data: Data { Data(bytes) }
}

extension Row {
  func bytes(_ index: Int) -> [UInt8] { [UInt8](self[index] as Data) }

  fileprivate func number(_ index: Int) throws -> UInt64 {
    let value: Int64 = self[index]
    guard let number = UInt64(exactly: value) else {
      throw Fault(.dataLoss, "the registry holds a negative number; restore it from a copy")
    }
    return number
  }

  fileprivate func digest(_ index: Int) throws -> Digest {
    guard let digest = Digest(bytes: self[index] as Data) else {
      throw Fault(.dataLoss, "the registry holds a digest of another length; restore it from a copy")
    }
    return digest
  }

  fileprivate func lines(_ index: Int) -> [String] {
    let text: String = self[index]
    return text.split(separator: "\n").map(String.init)
  }
}
