import Foundation

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Owns an open file, or the output of `gzip -dc` over one; closes it in `deinit`.
final class ByteSource {
  let path: String
  private let descriptor: Int32
  private let gzip: Process?

  /// Files whose name ends in `.gz` are unpacked on the way.
  init(path: String) throws(CatalogueFault) {
    self.path = path
    let file = open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else {
      throw CatalogueFault(
        .unreadableFile, file: path, "can't be opened: \(String(cString: strerror(errno)))")
    }
    guard path.hasSuffix(".gz") else {
      descriptor = file
      gzip = nil
      return
    }
    defer { close(file) }
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = ["gzip", "-dc"]
    process.standardInput = FileHandle(fileDescriptor: file, closeOnDealloc: false)
    let pipe = Pipe()
    process.standardOutput = pipe
    process.standardError = FileHandle.nullDevice
    do { try process.run() } catch {
      throw CatalogueFault(
        .unreadableFile, file: path, "gzip can't be started (\(error)); unpack the file and try again")
    }
    // The pipe closes its own descriptor when it goes, so keep a copy.
    descriptor = dup(pipe.fileHandleForReading.fileDescriptor)
    gzip = process
    guard descriptor >= 0 else {
      throw CatalogueFault(
        .unreadableFile, file: path, "gzip's output can't be read: \(String(cString: strerror(errno)))")
    }
  }

  deinit {
    if descriptor >= 0 { close(descriptor) }
    if let gzip, gzip.isRunning { gzip.terminate() }
  }

  /// Bytes read into `buffer`; 0 at the end.
  func read(into buffer: UnsafeMutableRawBufferPointer) throws(CatalogueFault) -> Int {
    while true {
      #if canImport(Glibc)
        let count = Glibc.read(descriptor, buffer.baseAddress, buffer.count)
      #else
        let count = Darwin.read(descriptor, buffer.baseAddress, buffer.count)
      #endif
      if count > 0 { return count }
      if count == 0 {
        try checkGzip()
        return 0
      }
      guard errno == EINTR else {
        throw CatalogueFault(
          .unreadableFile, file: path, "can't be read: \(String(cString: strerror(errno)))")
      }
    }
  }

  /// A damaged archive ends early like a whole one; only gzip's status tells them apart.
  private func checkGzip() throws(CatalogueFault) {
    guard let gzip else { return }
    gzip.waitUntilExit()
    guard gzip.terminationStatus == 0 else {
      throw CatalogueFault(
        .unreadableFile, file: path, "is damaged: gzip ended with status \(gzip.terminationStatus)")
    }
  }
}
