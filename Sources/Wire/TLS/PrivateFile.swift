internal import Base

#if canImport(Glibc)
  internal import Glibc
#else
  internal import Darwin
#endif

/// Files that are for their owner alone: written with their mode from the first byte on, and read only when nobody else
/// can get at them.
enum PrivateFile {
  /// Reads a private key. Throws unless it is a file, ours or root's, that nobody else may read or write, and nobody
  /// else may put another in its place. A link is followed (that is how secrets are mounted), and what holds for a
  /// directory holds for that of the link and for that of the file.
  static func readKey(_ path: String, limit: Int) throws(Fault) -> [UInt8] {
    // Not blocking: a pipe of that name must not stop us.
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { throw keyFault(path, "can't be read: \(errnoText())") }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw keyFault(path, "can't be read: \(errnoText())") }
    guard status.st_mode & S_IFMT == S_IFREG else { throw keyFault(path, "is no file") }
    guard status.st_uid == geteuid() || status.st_uid == 0 else {
      throw keyFault(path, "belongs to another user, who can read it: chown it, and consider it known")
    }
    guard status.st_mode & 0o077 == 0 else {
      throw keyFault(path, "can be read by others than its owner: chmod 600 it, and consider it known")
    }
    try requireFixed(directory(of: path), for: path)
    if let whole = realpath(path, nil) {
      defer { free(whole) }
      try requireFixed(directory(of: String(cString: whole)), for: path)
    }
    guard status.st_size <= limit else { throw keyFault(path, "is too long for a key") }
    var bytes = [UInt8](repeating: 0, count: Int(status.st_size))
    var done = 0
    while done < bytes.count {
      let got = bytes.withUnsafeMutableBytes {
        Glibc.read(descriptor, $0.baseAddress.map { $0 + done }, $0.count - done)
      }
      if got < 0 && errno == EINTR { continue }
      guard got > 0 else { throw keyFault(path, "can't be read: \(errnoText())") }
      done += got
    }
    return bytes
  }

  /// Whoever may write in a directory can put another key in the place of this one, unless it is sticky as `/tmp` is.
  private static func requireFixed(_ directory: String, for key: String) throws(Fault) {
    var status = stat()
    guard stat(directory, &status) == 0 else { throw keyFault(key, "can't be read: \(errnoText())") }
    guard status.st_mode & S_IWOTH == 0 || status.st_mode & S_ISVTX != 0 else {
      throw keyFault(key, "can be replaced by anybody: chmod o-w \(directory)")
    }
  }

  private static func keyFault(_ path: String, _ what: String) -> Fault {
    Fault(.failedPrecondition, "the private key \(path) \(what)")
  }

  /// Replaces the file in one step, durably: after a crash it is the old one or the new one.
  static func write(_ bytes: [UInt8], to path: String, mode: mode_t) throws(Fault) {
    let draft = path + ".draft"
    unlink(draft)
    let descriptor = open(draft, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode)
    guard descriptor >= 0 else { throw fault(draft, "can't make the file") }
    do throws(Fault) {
      defer { close(descriptor) }
      // The mask of the process may have taken more away than we ask for; it can't have added.
      guard fchmod(descriptor, mode) == 0 else { throw fault(draft, "can't set its mode") }
      var done = 0
      while done < bytes.count {
        let put = bytes.withUnsafeBytes {
          Glibc.write(descriptor, $0.baseAddress.map { $0 + done }, bytes.count - done)
        }
        if put < 0 && errno == EINTR { continue }
        guard put > 0 else { throw fault(draft, "can't write") }
        done += put
      }
      guard fsync(descriptor) == 0 else { throw fault(draft, "can't sync") }
    } catch {
      unlink(draft)
      throw error
    }
    guard rename(draft, path) == 0 else { throw fault(path, "can't replace") }
    do { try SystemDisk().syncDirectory(directory(of: path)) } catch {
      throw Fault(.failedPrecondition, "\(error.path): \(error.message)")
    }
  }

  /// One process at a time: two commands at once would each drop what the other wrote.
  static func withLock<Result>(
    on directory: String, _ body: () throws(Fault) -> Result
  ) throws(Fault) -> Result {
    let descriptor = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { throw fault(directory, "can't lock") }
    defer { close(descriptor) }
    guard flock(descriptor, LOCK_EX) == 0 else { throw fault(directory, "can't lock") }
    return try body()
  }

  private static func fault(_ path: String, _ what: String) -> Fault {
    Fault(.failedPrecondition, "\(path): \(what): \(errnoText())")
  }
}
