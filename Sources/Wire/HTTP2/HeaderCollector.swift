#if canImport(Glibc)
  internal import Glibc
#else
  internal import Darwin
#endif

/// Where a header block's fields are put down while HTTP/2 reads them, in memory that the next block uses again.
///
/// `grpc-timeout` is kept apart: it is what differs between requests that are else the same.
struct HeaderCollector: ~Copyable {
  private static let byteCountLeast = 512
  private static let fieldCountLeast = 16
  /// A larger block is not what a peer says again and again, and so nothing to keep memory for.
  private static let byteCountKept = 2048

  private var bytes = UnsafeMutablePointer<UInt8>.allocate(capacity: byteCountLeast)
  private var byteCapacity = byteCountLeast
  private var byteCount = 0
  private var fields = UnsafeMutablePointer<HeaderBlock.Field>.allocate(capacity: fieldCountLeast)
  private var fieldCapacity = fieldCountLeast
  private var fieldCount = 0
  /// What the fields count as (RFC 9113 6.5.2), with those that were left out.
  private(set) var listBytes = 0
  private(set) var timeout = CallTimeout.none

  deinit {
    bytes.deallocate()
    fields.deallocate()
  }

  mutating func removeAll() {
    byteCount = 0
    fieldCount = 0
    listBytes = 0
    timeout = .none
  }

  /// Counts a field, and keeps it while the list is not over `listBytesMax`.
  @inline(__always)
  mutating func add(
    name: UnsafeBufferPointer<UInt8>, value: UnsafeBufferPointer<UInt8>, listBytesMax: Int
  ) {
    listBytes += name.count + value.count + 32
    guard listBytes <= listBytesMax, let nameStart = name.baseAddress else { return }
    if name.count == 12, memcmp(nameStart, "grpc-timeout", 12) == 0 {
      // Of two the first counts.
      if case .none = timeout { timeout = CallTimeout(decoding: value) }
      return
    }
    let needed = byteCount + name.count + value.count
    if needed > byteCapacity || fieldCount == fieldCapacity { grow(needed) }
    (fields + fieldCount).initialize(
      to: HeaderBlock.Field(start: byteCount, nameCount: name.count, valueCount: value.count))
    fieldCount += 1
    memcpy(bytes + byteCount, nameStart, name.count)
    if let valueStart = value.baseAddress { memcpy(bytes + byteCount + name.count, valueStart, value.count) }
    byteCount = needed
  }

  @inline(never)
  private mutating func grow(_ needed: Int) {
    if needed > byteCapacity {
      byteCapacity = max(needed, 2 * byteCapacity)
      let larger = UnsafeMutablePointer<UInt8>.allocate(capacity: byteCapacity)
      larger.moveInitialize(from: bytes, count: byteCount)
      bytes.deallocate()
      bytes = larger
    }
    if fieldCount == fieldCapacity {
      fieldCapacity *= 2
      let larger = UnsafeMutablePointer<HeaderBlock.Field>.allocate(capacity: fieldCapacity)
      larger.moveInitialize(from: fields, count: fieldCount)
      fields.deallocate()
      fields = larger
    }
  }

  var isLarge: Bool { byteCapacity > Self.byteCountKept || fieldCapacity > 2 * Self.fieldCountLeast }

  /// Drops the fields if their memory is more than the next block will need; what was counted stays.
  mutating func giveBack() {
    guard isLarge else { return }
    bytes.deallocate()
    fields.deallocate()
    byteCapacity = Self.byteCountLeast
    fieldCapacity = Self.fieldCountLeast
    bytes = .allocate(capacity: byteCapacity)
    fields = .allocate(capacity: fieldCapacity)
    byteCount = 0
    fieldCount = 0
  }

  /// Whether `block` has the same names and values in the same order.
  func isEqual(to block: HeaderBlock) -> Bool {
    guard block.bytes.count == byteCount, block.fields.count == fieldCount else { return false }
    return block.fields.withUnsafeBufferPointer { own in
      block.bytes.withUnsafeBufferPointer { text in
        guard let own = own.baseAddress, let text = text.baseAddress else { return true }
        return memcmp(own, fields, fieldCount * MemoryLayout<HeaderBlock.Field>.stride) == 0
          && memcmp(text, bytes, byteCount) == 0
      }
    }
  }

  func block() -> HeaderBlock {
    HeaderBlock(
      bytes: [UInt8](UnsafeBufferPointer(start: bytes, count: byteCount)),
      fields: [HeaderBlock.Field](UnsafeBufferPointer(start: fields, count: fieldCount)))
  }
}
