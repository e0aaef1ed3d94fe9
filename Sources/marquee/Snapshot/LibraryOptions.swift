import ArgumentParser
import Base
import Control
import Snapshots

/// A directory of snapshots, and whose signatures count there.
struct LibraryOptions: ParsableArguments {
  @Option(help: "Directory of snapshots.", completion: .directory) var library: String
  @Option(help: "Trust the keys that this fleet.yaml names.", completion: .file()) var fleet: String?
  @Option(help: "Trust this signing key's public half.", completion: .file()) var key: String?
  @Option(help: "Trust this public key, 64 hexadecimal digits.") var trust: [String] = []

  func trusted() throws -> [PublicKey] {
    var keys = try trust.map { text -> PublicKey in
      guard let key = PublicKey(hex: text) else {
        throw Fault(.invalidArgument, "--trust \(text): a public key is 64 hexadecimal digits")
      }
      return key
    }
    if let key { keys.append(try SigningKeyFile.read(key).publicKey) }
    if let fleet { keys += try FleetConfiguration(path: fleet, disk: SystemDisk()).trustedKeys }
    guard !keys.isEmpty else {
      throw Fault(.invalidArgument, "say whose signatures count: --fleet FILE, --key FILE or --trust HEX")
    }
    return keys
  }

  /// For reading: changes nothing on the disk.
  func open() throws -> SnapshotLibrary {
    guard try SystemDisk().size(library) != nil else {
      throw Fault(
        .notFound, "no directory \(library): build a snapshot into it with `marquee snapshot build`")
    }
    return try SnapshotLibrary(
      directory: library, disk: SystemDisk(), trusted: try trusted(), isReadOnly: true)
  }
}

extension SnapshotLibrary {
  /// The snapshot of a sequence, or the newest.
  func version(_ sequence: UInt64?) throws(Fault) -> VerifiedManifest {
    guard let sequence else {
      guard let newest = snapshots.last else { throw Fault(.notFound, "the library is empty") }
      return newest
    }
    guard let version = snapshot(sequence) else {
      let known = snapshots.map { "\($0.sequence)" }.joined(separator: ", ")
      throw Fault(
        .notFound, "no snapshot \(sequence) in the library, only \(known.isEmpty ? "nothing" : known)")
    }
    return version
  }
}
