#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// The machine's own file system.
package struct SystemDisk: Disk {
  package init() {}

  package func createDirectory(_ path: String) throws(DiskFault) {
    if mkdir(path, 0o755) == 0 { return }
    switch errno {
    case EEXIST: return
    case ENOENT where directory(of: path) != path:
      try createDirectory(directory(of: path))
      guard mkdir(path, 0o755) == 0 || errno == EEXIST else { throw fault(path, "can't make the directory") }
    default: throw fault(path, "can't make the directory")
    }
  }

  package func list(_ directory: String) throws(DiskFault) -> [String] {
    guard let stream = opendir(directory) else { throw fault(directory, "can't list") }
    defer { closedir(stream) }
    var names: [String] = []
    while let entry = readdir(stream) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name != "." && name != ".." { names.append(name) }
    }
    return names.sorted()
  }

  package func size(_ path: String) throws(DiskFault) -> Int? {
    var status = stat()
    if stat(path, &status) == 0 { return Int(status.st_size) }
    guard errno == ENOENT else { throw fault(path, "can't stat") }
    return nil
  }

  package func read(_ path: String, limit: Int) throws(DiskFault) -> [UInt8] {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw fault(path, "can't open") }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw fault(path, "can't stat") }
    let count = Int(status.st_size)
    guard count <= limit else {
      throw DiskFault(.failed, path: path, "is \(count) bytes, more than the \(limit) that are read at once")
    }
    var bytes = [UInt8](repeating: 0, count: count)
    var done = 0
    while done < count {
      let got = bytes.withUnsafeMutableBytes {
        pread(descriptor, $0.baseAddress! + done, count - done, off_t(done))
      }
      if got < 0 && errno == EINTR { continue }
      guard got > 0 else { throw fault(path, "can't read") }
      done += got
    }
    return bytes
  }

  package func write(_ bytes: UnsafeRawBufferPointer, to path: String, at offset: Int) throws(DiskFault) {
    let descriptor = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { throw fault(path, "can't open for writing") }
    defer { close(descriptor) }
    guard let start = bytes.baseAddress else { return }
    var done = 0
    while done < bytes.count {
      let put = pwrite(descriptor, start + done, bytes.count - done, off_t(offset + done))
      if put < 0 && errno == EINTR { continue }
      guard put > 0 else { throw fault(path, "can't write") }
      done += put
    }
  }

  package func truncate(_ path: String, to size: Int) throws(DiskFault) {
    let descriptor = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { throw fault(path, "can't open for writing") }
    defer { close(descriptor) }
    guard ftruncate(descriptor, off_t(size)) == 0 else { throw fault(path, "can't set the size") }
  }

  package func sync(_ path: String) throws(DiskFault) { try sync(path, flags: O_RDONLY) }

  package func syncDirectory(_ path: String) throws(DiskFault) {
    try sync(path, flags: O_RDONLY | O_DIRECTORY)
  }

  private func sync(_ path: String, flags: Int32) throws(DiskFault) {
    let descriptor = open(path, flags | O_CLOEXEC)
    guard descriptor >= 0 else { throw fault(path, "can't open") }
    defer { close(descriptor) }
    guard fsync(descriptor) == 0 else { throw fault(path, "can't sync") }
  }

  package func rename(_ path: String, to newPath: String) throws(DiskFault) {
    guard Glibc.rename(path, newPath) == 0 else { throw fault(path, "can't rename to \(newPath)") }
  }

  package func link(_ path: String, as newPath: String) throws(DiskFault) {
    guard Glibc.link(path, newPath) == 0 else { throw fault(path, "can't link as \(newPath)") }
  }

  package func remove(_ path: String) throws(DiskFault) {
    guard Glibc.unlink(path) == 0 || errno == ENOENT else { throw fault(path, "can't remove") }
  }

  package func map(_ path: String) throws(DiskFault) -> MappedBytes {
    do { return try MappedBytes(path: path) } catch { throw DiskFault(.failed, path: path, error.message) }
  }

  private func fault(_ path: String, _ what: String) -> DiskFault {
    let code: DiskFault.Code =
      switch errno {
      case ENOSPC, EDQUOT: .full
      case ENOENT: .notFound
      case EEXIST: .exists
      default: .failed
      }
    return DiskFault(code, path: path, "\(what): \(errnoText())")
  }
}
