package import Base
internal import GRDB

/// Owns the control node's SQLite file. What ``commit(_:by:what:at:)`` returned from survives `kill -9` and power loss.
///
/// One process at a time: the file is locked while it is open.
package final class Registry: Sendable {
  private let queue: DatabaseQueue
  private let path: String

  /// Opens or makes the file, and brings an older one to this build's tables.
  package init(path: String) throws(Fault) {
    self.path = path
    var configuration = Configuration()
    configuration.journalMode = .wal
    configuration.foreignKeysEnabled = true
    configuration.prepareDatabase { database in
      // Another control node over the same file would announce from an older memory than this one.
      try database.execute(sql: "PRAGMA locking_mode = EXCLUSIVE")
    }
    do {
      queue = try DatabaseQueue(path: path, configuration: configuration)
      // NORMAL, which WAL mode brings, may lose the last commits with the power. Set here because it comes after
      // the mode.
      try queue.writeWithoutTransaction { try $0.execute(sql: "PRAGMA synchronous = FULL") }
      try RegistrySchema.migrator.migrate(queue)
    } catch {
      throw Self.fault(error, path: path)
    }
  }

  /// Lets go of the file. Every call after it fails.
  package func close() throws(Fault) {
    do { try queue.close() } catch { throw Self.fault(error, path: path) }
  }

  /// Makes the changes durable, all or none, with a line in the audit log that says who did what.
  package func commit(_ changes: [FleetChange], by who: String, what: String, at now: Timestamp) throws(Fault)
  {
    do {
      try queue.write { database in
        for change in changes { try change.write(to: database, by: who, at: now) }
        try database.execute(
          sql: "INSERT INTO audit (at, who, what) VALUES (?, ?, ?)",
          arguments: [now.milliseconds, String(who.prefix(256)), String(what.prefix(1024))])
        try database.execute(
          sql: "DELETE FROM audit WHERE id <= ?", arguments: [database.lastInsertedRowID - Self.auditCountMax]
        )
      }
    } catch { throw Self.fault(error, path: path) }
  }

  /// Lines of the audit log that are kept: 100,000 × about 200 bytes are 20 MB.
  package static let auditCountMax: Int64 = 100_000

  package func state() throws(Fault) -> FleetState {
    do { return try queue.read { try FleetState(from: $0) } } catch { throw Self.fault(error, path: path) }
  }

  /// The signed manifest of a published snapshot; `nil` if there is none or it was forgotten.
  package func manifest(of sequence: UInt64) throws(Fault) -> SignedBytes? {
    guard let number = Int64(exactly: sequence) else { return nil }
    return try signed(
      "SELECT payload, signature, key_id FROM snapshots WHERE sequence = ?", [number])
  }

  /// The signed rollback order whose payload has this digest.
  package func order(_ digest: Digest) throws(Fault) -> SignedBytes? {
    try signed("SELECT payload, signature, key_id FROM orders WHERE digest = ?", [digest.data])
  }

  private func signed(_ sql: String, _ arguments: StatementArguments) throws(Fault) -> SignedBytes? {
    do {
      return try queue.read { database in
        try Row.fetchOne(database, sql: sql, arguments: arguments).map {
          SignedBytes(payload: $0.bytes(0), signature: $0.bytes(1), keyID: $0[2])
        }
      }
    } catch { throw Self.fault(error, path: path) }
  }

  /// The last lines of the audit log, newest first.
  package func audit(count: Int) throws(Fault) -> [AuditLine] {
    do {
      return try queue.read { database in
        try Row.fetchAll(
          database, sql: "SELECT at, who, what FROM audit ORDER BY id DESC LIMIT ?",
          arguments: [max(0, count)]
        ).map { AuditLine(at: Timestamp(milliseconds: $0[0]), who: $0[1], what: $0[2]) }
      }
    } catch { throw Self.fault(error, path: path) }
  }

  package struct AuditLine: Sendable, Equatable {
    package var at: Timestamp
    package var who: String
    package var what: String

    package init(at: Timestamp, who: String, what: String) {
      self.at = at
      self.who = who
      self.what = what
    }
  }

  private static func fault(_ error: any Error, path: String) -> Fault {
    if let fault = error as? Fault { return fault }
    guard let error = error as? DatabaseError else {
      return Fault(.internalError, "the registry \(path) failed: \(error)")
    }
    switch error.resultCode {
    case .SQLITE_FULL:
      return Fault(.resourceExhausted, "the disk of the registry \(path) is full; nothing was changed")
    case .SQLITE_BUSY, .SQLITE_LOCKED:
      return Fault(
        .failedPrecondition, "the registry \(path) is open in another process; stop that one first")
    case .SQLITE_CORRUPT, .SQLITE_NOTADB:
      return Fault(.dataLoss, "the registry \(path) is damaged: \(error.message ?? "")")
    case .SQLITE_CANTOPEN:
      return Fault(.failedPrecondition, "the registry \(path) can't be opened; does its directory exist?")
    default:
      return Fault(.internalError, "the registry \(path) failed: \(error.message ?? "\(error)")")
    }
  }
}
