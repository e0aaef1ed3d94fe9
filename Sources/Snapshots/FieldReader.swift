internal import Base

/// Reads one protobuf message of the canonical kind: fields in order, each singular one once, shortest varints, no
/// default written out. Anything else is refused, with the place.
struct FieldReader {
  private let bytes: UnsafeRawBufferPointer
  /// Where `bytes` begin in the whole manifest, for refusals.
  private let base: Int
  private let name: String
  private var position = 0
  private var lastField: UInt64 = 0

  init(_ bytes: UnsafeRawBufferPointer, base: Int = 0, name: String) {
    self.bytes = bytes
    self.base = base
    self.name = name
  }

  struct Field {
    var number: UInt64
    var wireType: UInt64
  }

  /// The next field's tag, or `nil` at the end. `repeated` are the numbers that may come again.
  mutating func next(repeated: Set<UInt64> = []) throws(Refusal) -> Field? {
    guard position < bytes.count else { return nil }
    let tag = try varint()
    let number = tag >> 3
    guard number > lastField || (number == lastField && repeated.contains(number)) else {
      throw refusal("has field \(number) after field \(lastField)")
    }
    lastField = number
    return Field(number: number, wireType: tag & 7)
  }

  mutating func number(_ field: Field) throws(Refusal) -> UInt64 {
    guard field.wireType == 0 else { throw refusal("field \(field.number) has wire type \(field.wireType)") }
    let value = try varint()
    guard value != 0 else { throw refusal("writes field \(field.number)'s default out") }
    return value
  }

  mutating func word(_ field: Field) throws(Refusal) -> UInt32 {
    guard let value = UInt32(exactly: try number(field)) else {
      throw refusal("field \(field.number) has more than 32 bits")
    }
    return value
  }

  mutating func flag(_ field: Field) throws(Refusal) -> Bool {
    guard try number(field) == 1 else { throw refusal("field \(field.number) is no truth value") }
    return true
  }

  mutating func text(_ field: Field) throws(Refusal) -> String {
    guard let text = String(validating: try block(field), as: UTF8.self) else {
      throw refusal("field \(field.number) is not UTF-8")
    }
    return text
  }

  mutating func digest(_ field: Field) throws(Refusal) -> Digest {
    guard let digest = Digest(bytes: try block(field)) else {
      throw refusal("field \(field.number) is not \(Digest.byteCount) bytes")
    }
    return digest
  }

  /// A message inside of this one; without a name it is called as this one is.
  mutating func message(_ field: Field, name: String? = nil) throws(Refusal) -> FieldReader {
    let inner = try block(field)
    return FieldReader(inner, base: base + position - inner.count, name: name ?? self.name)
  }

  func unknown(_ field: Field) -> Refusal { refusal("has an unknown field \(field.number)") }

  func refusal(_ message: String) -> Refusal {
    Refusal(.malformed, at: "\(name) offset \(base + position)", message)
  }

  private mutating func block(_ field: Field) throws(Refusal) -> UnsafeRawBufferPointer {
    guard field.wireType == 2 else { throw refusal("field \(field.number) has wire type \(field.wireType)") }
    let count = try varint()
    guard count <= UInt64(bytes.count - position) else {
      throw refusal("field \(field.number) goes on beyond the end")
    }
    guard count > 0 else { throw refusal("writes field \(field.number)'s default out") }
    let range = position..<(position + Int(count))
    position = range.upperBound
    return UnsafeRawBufferPointer(rebasing: bytes[range])
  }

  private mutating func varint() throws(Refusal) -> UInt64 {
    var value: UInt64 = 0
    for index in 0..<10 {
      guard position < bytes.count else { throw refusal("ends inside of a number") }
      let byte = bytes[position]
      guard index < 9 || byte <= 1 else { throw refusal("has a number of more than 64 bits") }
      value |= UInt64(byte & 0x7f) << (7 * UInt64(index))
      position += 1
      if byte & 0x80 == 0 {
        guard byte != 0 || index == 0 else { throw refusal("has a number that is longer than needed") }
        return value
      }
    }
    throw refusal("has a number of more than 64 bits")
  }
}
