internal import GRDB

/// The registry's tables. A migration that has shipped is never edited: a new one follows it.
enum RegistrySchema {
  static var migrator: DatabaseMigrator {
    var migrator = DatabaseMigrator()
    migrator.registerMigration("1: fleet") { database in
      try database.execute(
        sql: """
          CREATE TABLE snapshots (
            sequence INTEGER PRIMARY KEY, digest BLOB NOT NULL UNIQUE, payload BLOB NOT NULL,
            signature BLOB NOT NULL, key_id TEXT NOT NULL, parent INTEGER NOT NULL, created INTEGER NOT NULL,
            expires INTEGER NOT NULL, title_count INTEGER NOT NULL, byte_count INTEGER NOT NULL,
            published INTEGER NOT NULL);
          CREATE TABLE offers (
            region TEXT NOT NULL, sequence INTEGER NOT NULL REFERENCES snapshots (sequence) ON DELETE CASCADE,
            withdrawn INTEGER NOT NULL, PRIMARY KEY (region, sequence)) WITHOUT ROWID;
          CREATE TABLE regions (
            name TEXT PRIMARY KEY, target INTEGER NOT NULL, staging INTEGER NOT NULL, pinned INTEGER NOT NULL,
            halted TEXT NOT NULL, rollback_order BLOB) WITHOUT ROWID;
          CREATE TABLE refused (
            id INTEGER PRIMARY KEY, region TEXT NOT NULL, replica TEXT NOT NULL, sequence INTEGER NOT NULL,
            digest BLOB NOT NULL, code TEXT NOT NULL, place TEXT NOT NULL, message TEXT NOT NULL,
            at INTEGER NOT NULL, UNIQUE (region, replica, digest));
          CREATE TABLE routing (
            position INTEGER PRIMARY KEY, epoch INTEGER NOT NULL, name TEXT NOT NULL UNIQUE,
            failed_over_to TEXT NOT NULL, replicas TEXT NOT NULL, fallbacks TEXT NOT NULL);
          CREATE TABLE orders (
            digest BLOB PRIMARY KEY, payload BLOB NOT NULL, signature BLOB NOT NULL, key_id TEXT NOT NULL,
            region TEXT NOT NULL, from_sequence INTEGER NOT NULL, to_sequence INTEGER NOT NULL,
            accepted INTEGER NOT NULL) WITHOUT ROWID;
          CREATE TABLE numbers (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
          CREATE TABLE audit (
            id INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, who TEXT NOT NULL, what TEXT NOT NULL);
          """)
    }
    return migrator
  }
}
