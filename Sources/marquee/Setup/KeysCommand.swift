import ArgumentParser
import Base
import Foundation

/// `marquee keys`: the Ed25519 keys that sign snapshots and rollbacks.
struct KeysCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "keys", abstract: "Make and show the keys that sign snapshots.",
    subcommands: [Generate.self, Show.self])

  struct Generate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Make a signing key.",
      discussion:
        "The file is for the builder and the operators alone. The public key that is printed goes into fleet.yaml."
    )

    @Argument(help: "Where to write it. Must not exist.", completion: .file())
    var file: String

    @OptionGroup var output: OutputOptions

    func run() async throws {
      let key = PrivateKey.generate()
      try SigningKeyFile.write(key, to: file)
      try output.show(KeyReport(key.publicKey)) {
        "\(file): key \(key.publicKey.id)\npublic key \(key.publicKey.hex)"
      }
    }
  }

  struct Show: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Print a key's id and public half.")

    @Argument(help: "A key file.", completion: .file())
    var file: String

    @OptionGroup var output: OutputOptions

    func run() async throws {
      let key = try SigningKeyFile.read(file)
      try output.show(KeyReport(key.publicKey)) { "key \(key.publicKey.id)\npublic key \(key.publicKey.hex)" }
    }
  }
}

private struct KeyReport: Encodable {
  var id: String
  var publicKey: String

  init(_ key: PublicKey) {
    id = key.id
    publicKey = key.hex
  }
}

/// A signing key on disk: one line, readable by its owner alone.
enum SigningKeyFile {
  private static let prefix = "marquee-ed25519 "

  static func write(_ key: PrivateKey, to path: String) throws(Fault) {
    let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { throw Fault(.failedPrecondition, "can't make \(path): \(errnoText())") }
    defer { close(descriptor) }
    let line = Array((prefix + key.hexSeed + "\n").utf8)
    guard Foundation.write(descriptor, line, line.count) == line.count, fsync(descriptor) == 0 else {
      throw Fault(.internalError, "can't write \(path): \(errnoText())")
    }
  }

  static func read(_ path: String) throws(Fault) -> PrivateKey {
    var status = stat()
    guard stat(path, &status) == 0 else {
      throw Fault(.notFound, "no key at \(path): \(errnoText()). Make one with `marquee keys generate`.")
    }
    guard status.st_mode & 0o077 == 0 else {
      throw Fault(
        .failedPrecondition, "\(path) can be read by others than its owner: chmod 600 it, or make a new key")
    }
    guard let bytes = try? SystemDisk().read(path, limit: 200) else {
      throw Fault(.invalidArgument, "\(path) can't be read as a key")
    }
    let text = String(decoding: bytes, as: UTF8.self)
    guard text.hasPrefix(prefix),
      let seed = [UInt8](hex: text.dropFirst(prefix.count).trimmingCharacters(in: .whitespacesAndNewlines)),
      let key = PrivateKey(seed: seed)
    else {
      throw Fault(.invalidArgument, "\(path) is not a signing key: make one with `marquee keys generate`")
    }
    return key
  }
}
