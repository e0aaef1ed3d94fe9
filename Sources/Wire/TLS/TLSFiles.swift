internal import Base

#if canImport(Glibc)
  internal import Glibc
#else
  internal import Darwin
#endif

/// What the files of a ``TLSConfiguration`` held at one moment. Two of them are equal when nothing has changed.
struct TLSFiles: Equatable, Sendable {
  static let bytesMax = 1 << 20
  /// Some 75,000 revoked certificates.
  static let listBytesMax = 4 << 20

  /// Our certificate, then its intermediates; `nil` for a client that shows none.
  var chain: [UInt8]?
  var key: [UInt8]?
  var authorities: [UInt8]
  /// `nil` when peers are not looked up.
  var revocations: [UInt8]?

  /// Reads all of them. Throws a `Fault` that names the file, also when others than its owner can get at the key.
  static func read(_ configuration: TLSConfiguration) throws(Fault) -> TLSFiles {
    var files = TLSFiles(authorities: try read(configuration.authoritiesFile, as: "the authorities"))
    if let chain = configuration.certificateChainFile, let key = configuration.privateKeyFile {
      files.key = try PrivateFile.readKey(key, limit: bytesMax)
      files.chain = try read(chain, as: "the certificate chain")
    }
    if let path = configuration.revocationsFile {
      if access(path, F_OK) == 0 || configuration.requiresRevocations {
        files.revocations = try read(path, as: "the list of revoked certificates", limit: listBytesMax)
      } else if let chain = files.chain, let chainPath = configuration.certificateChainFile,
        let url = try PEM.certificates(chain, of: chainPath).first?.revocationURL
      {
        // A list that was forgotten, or taken away, must not let in whom it names.
        throw Fault(
          .failedPrecondition,
          "\(path) isn't there, and \(chainPath) says that there is a list of revoked certificates (\(url)): bring "
            + "the list here (`marquee certs renew --out` does), or say that nobody is to be looked up in it")
      }
    }
    return files
  }

  private static func read(_ path: String, as what: String, limit: Int = bytesMax) throws(Fault) -> [UInt8] {
    do { return try SystemDisk().read(path, limit: limit) } catch {
      throw Fault(.failedPrecondition, "can't read \(what) \(path): \(error.message)")
    }
  }
}
