#if canImport(Glibc)
  internal import Glibc
#else
  internal import Darwin
#endif

/// The fields of one header block, in order: their bytes in one array, their places in another.
struct HeaderBlock: Sendable {
  struct Field: Sendable {
    var start: Int
    var nameCount: Int
    var valueCount: Int
  }

  init() {}

  init(bytes: [UInt8], fields: [Field]) {
    self.bytes = bytes
    self.fields = fields
  }

  private(set) var bytes: [UInt8] = []
  private(set) var fields: [Field] = []

  var isEmpty: Bool { fields.isEmpty }
  var indices: Range<Int> { fields.indices }

  mutating func append(_ name: StaticString, _ value: some Collection<UInt8>) {
    fields.append(Field(start: bytes.count, nameCount: name.utf8CodeUnitCount, valueCount: value.count))
    bytes.append(contentsOf: UnsafeBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount))
    bytes.append(contentsOf: value)
  }

  mutating func append(_ name: StaticString, _ value: String) { append(name, value.utf8) }

  mutating func append(name: String, value: some Collection<UInt8>) {
    let start = bytes.count
    bytes.append(contentsOf: name.utf8)
    let nameCount = bytes.count - start
    bytes.append(contentsOf: value)
    fields.append(Field(start: start, nameCount: nameCount, valueCount: bytes.count - start - nameCount))
  }

  func name(_ index: Int) -> ArraySlice<UInt8> {
    let field = fields[index]
    return bytes[field.start..<field.start + field.nameCount]
  }

  func value(_ index: Int) -> ArraySlice<UInt8> {
    let field = fields[index]
    let start = field.start + field.nameCount
    return bytes[start..<start + field.valueCount]
  }

  func value(_ index: Int, is value: StaticString) -> Bool {
    let field = fields[index]
    guard field.valueCount == value.utf8CodeUnitCount else { return false }
    return bytes.withUnsafeBufferPointer {
      guard let base = $0.baseAddress else { return false }
      return memcmp(base + field.start + field.nameCount, value.utf8Start, field.valueCount) == 0
    }
  }

  func nameCount(_ index: Int) -> Int { fields[index].nameCount }

  func name(_ index: Int, endsIn suffix: StaticString) -> Bool {
    let field = fields[index]
    let count = suffix.utf8CodeUnitCount
    guard field.nameCount >= count else { return false }
    return bytes.withUnsafeBufferPointer {
      guard let base = $0.baseAddress else { return false }
      return memcmp(base + field.start + field.nameCount - count, suffix.utf8Start, count) == 0
    }
  }

  func name(_ index: Int, is name: StaticString) -> Bool {
    let field = fields[index]
    guard field.nameCount == name.utf8CodeUnitCount else { return false }
    return bytes.withUnsafeBufferPointer {
      guard let base = $0.baseAddress else { return false }
      return memcmp(base + field.start, name.utf8Start, field.nameCount) == 0
    }
  }

  /// The value of the first field of this name.
  func first(_ name: StaticString) -> ArraySlice<UInt8>? {
    for index in fields.indices where self.name(index, is: name) { return value(index) }
    return nil
  }

  func text(_ name: StaticString) -> String? {
    first(name).map { String(decoding: $0, as: UTF8.self) }
  }

  /// Whether a request names one host, and nobody's password (RFC 9113 8.3.1). nghttp2 checks all else.
  var isSoundRequest: Bool {
    guard let authority = first(":authority") else { return true }
    guard !authority.contains(UInt8(ascii: "@")) else { return false }
    for index in fields.indices where fields[index].nameCount == 4 && name(index, is: "host") {
      if !value(index).elementsEqual(authority) { return false }
    }
    return true
  }
}
