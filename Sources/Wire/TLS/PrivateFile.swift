internal import Base

#if canImport(Glibc)
  internal import Glibc
#else
  internal import Darwin
#endif

/// Writes files whose mode matters from their first byte on.
enum PrivateFile {
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

  private static func fault(_ path: String, _ what: String) -> Fault {
    Fault(.failedPrecondition, "\(path): \(what): \(errnoText())")
  }
}
