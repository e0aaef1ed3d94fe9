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
  /// The snapshot of a sequence, or the newest. Throws the refusal of one that is there and damaged: also of the newest,
  /// since the one before it is not what was meant.
  func version(_ sequence: UInt64?) throws -> VerifiedManifest {
    let newest = snapshots.last
    let broken = damaged.first { file in
      guard let number = file.manifestSequence else { return false }
      return sequence.map { $0 == number } ?? (number > newest?.sequence ?? 0)
    }
    if let broken { throw broken.refusal }
    guard let sequence else {
      guard let newest else { throw Fault(.notFound, "the library is empty") }
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

extension SnapshotLibrary.DamagedFile {
  /// The sequence in a manifest's file name; `nil` for another file.
  fileprivate var manifestSequence: UInt64? {
    guard let name = path.split(separator: "/").last, name.hasSuffix(".manifest") else { return nil }
    return UInt64(name.dropLast(".manifest".count))
  }
}
