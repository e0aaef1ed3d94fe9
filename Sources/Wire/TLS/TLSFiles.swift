internal import Base

/// What the files of a ``TLSConfiguration`` held at one moment. Two of them are equal when nothing has changed.
struct TLSFiles: Equatable, Sendable {
  static let bytesMax = 1 << 20

  /// Our certificate, then its intermediates; `nil` for a client that shows none.
  var chain: [UInt8]?
  var key: [UInt8]?
  var authorities: [UInt8]

  /// Reads all of them. Throws a `Fault` that names the file, also when others than its owner can get at the key.
  static func read(_ configuration: TLSConfiguration) throws(Fault) -> TLSFiles {
    var files = TLSFiles(authorities: try read(configuration.authoritiesFile, as: "the authorities"))
    if let chain = configuration.certificateChainFile, let key = configuration.privateKeyFile {
      files.key = try PrivateFile.readKey(key, limit: bytesMax)
      files.chain = try read(chain, as: "the certificate chain")
    }
    return files
  }

  private static func read(_ path: String, as what: String) throws(Fault) -> [UInt8] {
    do { return try SystemDisk().read(path, limit: bytesMax) } catch {
      throw Fault(.failedPrecondition, "can't read \(what) \(path): \(error.message)")
    }
  }
}
