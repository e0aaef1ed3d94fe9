#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Owns one read-only mapping of a file, or one aligned block of memory; unmaps or frees it in `deinit`.
///
/// Guard for `@unchecked Sendable`: the bytes never change after init.
package final class MappedBytes: @unchecked Sendable {
  package let bytes: UnsafeRawBufferPointer
  /// Which file is mapped, as it was then. `nil` for memory, and for a file that was just written.
  package let file: FileVersion?
  private let isMapping: Bool

  /// Maps the whole file. Throws a ``Refusal`` with code `diskError` and the path as its place.
  package init(path: String) throws(Refusal) {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw Refusal(.diskError, at: path, "can't open: \(errnoText())") }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else {
      throw Refusal(.diskError, at: path, "can't stat: \(errnoText())")
    }
    file = FileVersion(status, now: FileVersion.now)
    let count = Int(status.st_size)
    guard count > 0 else {
      bytes = UnsafeRawBufferPointer(start: nil, count: 0)
      isMapping = false
      return
    }
    guard let start = mmap(nil, count, PROT_READ, MAP_SHARED, descriptor, 0), start != MAP_FAILED else {
      throw Refusal(.diskError, at: path, "can't map: \(errnoText())")
    }
    bytes = UnsafeRawBufferPointer(start: start, count: count)
    isMapping = true
  }

  /// Copies `source` into memory aligned to 64 bytes, as a mapped segment would be.
  package init(copying source: [UInt8]) {
    file = nil
    isMapping = false
    guard !source.isEmpty else {
      bytes = UnsafeRawBufferPointer(start: nil, count: 0)
      return
    }
    let block = UnsafeMutableRawBufferPointer.allocate(byteCount: source.count, alignment: 64)
    block.copyBytes(from: source)
    bytes = UnsafeRawBufferPointer(block)
  }

  deinit {
    guard let start = bytes.baseAddress else { return }
    if isMapping {
      munmap(UnsafeMutableRawPointer(mutating: start), bytes.count)
    } else {
      UnsafeMutableRawPointer(mutating: start).deallocate()
    }
  }

  package var count: Int { bytes.count }

  /// Has every page at hand, so that reading one for the first time costs no fault. Where the system can't, it costs one.
  package func populate() {
    #if os(Linux)
      guard isMapping, let start = bytes.baseAddress else { return }
      // A part at a time: others who map or unmap wait meanwhile.
      let part = 16 << 20
      for offset in stride(from: 0, to: bytes.count, by: part) {
        // MADV_POPULATE_READ, which not every C library's headers have.
        let address = UnsafeMutableRawPointer(mutating: start + offset)
        guard madvise(address, min(part, bytes.count - offset), 22) == 0 else { return }
      }
    #endif
  }

  /// Asks the system to bring the pages in before they are needed.
  package func willNeed() {
    guard isMapping, let start = bytes.baseAddress else { return }
    madvise(UnsafeMutableRawPointer(mutating: start), bytes.count, MADV_WILLNEED)
  }
}

/// The system's text for the last error of this thread.
package func errnoText() -> String { String(cString: strerror(errno)) }
