internal import Base

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Owns a new file that is written from its beginning, through a buffer; closes it in `deinit`.
final class OutputFile {
  private let path: String
  private let file: UnsafeMutablePointer<FILE>

  init(path: String) throws(DiskFault) {
    guard let file = fopen(path, "wbe") else {
      throw DiskFault(.failed, path: path, "can't write: \(errnoText())")
    }
    self.path = path
    self.file = file
    // The default of 4 KiB would be a system call for every few lines.
    setvbuf(file, nil, Int32(_IOFBF), 1 << 20)
  }

  deinit { fclose(file) }

  func append(_ bytes: [UInt8]) throws(DiskFault) {
    guard fwrite(bytes, 1, bytes.count, file) == bytes.count else { throw fault() }
  }

  func finish() throws(DiskFault) {
    guard fflush(file) == 0, fsync(fileno(file)) == 0 else { throw fault() }
  }

  private func fault() -> DiskFault {
    DiskFault(errno == ENOSPC ? .full : .failed, path: path, "can't write: \(errnoText())")
  }
}

func removeEmptyDirectory(_ path: String) throws(DiskFault) {
  guard rmdir(path) == 0 || errno == ENOENT else {
    throw DiskFault(.failed, path: path, "can't remove the directory: \(errnoText())")
  }
}
