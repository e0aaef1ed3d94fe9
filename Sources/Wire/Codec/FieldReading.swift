internal import Base
internal import CMessages

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Lengths and counts of what travels, where Base has no word for them.
enum CodecLimits {
  /// "host:port": 253 characters, a colon, 5 digits, and brackets around an IPv6 address.
  static let addressByteCountMax = 261
  /// Text for people: reasons and places of refusals.
  static let textByteCountMax = 4096
  /// Ed25519 has 64; a longer one is refused with its own code after that.
  static let signatureByteCountMax = 1024
  /// Digests in one message: a manifest names at most this many chunks, of 36 bytes at least.
  static let chunkDigestCountMax = Limits.manifestByteCountMax / 36
  static let chunksPerFetchMax = 1024
  static let chunksPerPublishMax = 1024
  static let snapshotSummaryCountMax = 50_000
  /// 9999-12-31, in milliseconds: what a date may be.
  static let millisecondsMax: Int64 = 253_402_300_799_999
}

/// Reads fields of C messages that ``WireWalk`` has let through: strings are UTF-8 and end at their first NUL.
/// Every fault begins with the field's name.
enum Field {
  static func text(
    _ value: UnsafeMutablePointer<CChar>?, _ name: String, max: Int = Limits.idByteCountMax
  ) throws(Fault) -> String {
    String(decoding: try utf8(value, name, max: max), as: UTF8.self)
  }

  /// A text where it lies.
  static func utf8(
    _ value: UnsafeMutablePointer<CChar>?, _ name: String, max: Int = Limits.idByteCountMax
  ) throws(Fault) -> UnsafeRawBufferPointer {
    guard let value else { return UnsafeRawBufferPointer(start: nil, count: 0) }
    let count = strlen(value)
    guard count <= max else {
      throw Fault(.invalidArgument, "\(name) has \(count) bytes, more than \(max)")
    }
    return UnsafeRawBufferPointer(start: value, count: count)
  }

  static func requiredText(
    _ value: UnsafeMutablePointer<CChar>?, _ name: String, max: Int = Limits.idByteCountMax
  ) throws(Fault) -> String {
    let text = try text(value, name, max: max)
    guard !text.isEmpty else { throw Fault(.invalidArgument, "\(name) is required") }
    return text
  }

  static func bytes(_ value: ProtobufCBinaryData, _ name: String, max: Int) throws(Fault) -> [UInt8] {
    guard value.len <= max else {
      throw Fault(.invalidArgument, "\(name) has \(value.len) bytes, more than \(max)")
    }
    return [UInt8](UnsafeBufferPointer(start: value.data, count: value.len))
  }

  static func digest(_ value: ProtobufCBinaryData, _ name: String) throws(Fault) -> Digest {
    guard let digest = Digest(bytes: UnsafeBufferPointer(start: value.data, count: value.len)) else {
      throw Fault(.invalidArgument, "\(name) has \(value.len) bytes, a SHA-256 has \(Digest.byteCount)")
    }
    return digest
  }

  static func optionalDigest(_ value: ProtobufCBinaryData, _ name: String) throws(Fault) -> Digest? {
    value.len == 0 ? nil : try digest(value, name)
  }

  static func timestamp(_ milliseconds: Int64, _ name: String) throws(Fault) -> Timestamp {
    guard 0...CodecLimits.millisecondsMax ~= milliseconds else {
      throw Fault(.invalidArgument, "\(name) \(milliseconds) is not between the years 1970 and 9999")
    }
    return Timestamp(milliseconds: milliseconds)
  }

  /// A nested message that has to be there.
  static func required<Message>(
    _ value: UnsafeMutablePointer<Message>?, _ name: String
  ) throws(Fault) -> Message {
    guard let value else { throw Fault(.invalidArgument, "\(name) is required") }
    return value.pointee
  }

  /// Reads a nested message, its faults named from the outside in.
  static func inside<Message, Value>(
    _ message: Message, _ name: String, _ read: (Message) throws(Fault) -> Value
  ) throws(Fault) -> Value {
    do throws(Fault) { return try read(message) } catch {
      throw Fault(error.code, "\(name).\(error.message)")
    }
  }

  static func list<Message, Value>(
    _ values: UnsafeMutablePointer<UnsafeMutablePointer<Message>?>?, _ count: Int, _ name: String, max: Int,
    _ read: (Message) throws(Fault) -> Value
  ) throws(Fault) -> [Value] {
    try checkCount(count, name, max: max)
    var list: [Value] = []
    list.reserveCapacity(count)
    for index in 0..<count {
      guard let message = values?[index] else { continue }
      do throws(Fault) { list.append(try read(message.pointee)) } catch {
        throw Fault(error.code, "\(name)[\(index)].\(error.message)")
      }
    }
    return list
  }

  static func texts(
    _ values: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?, _ count: Int, _ name: String, max: Int,
    byteCountMax: Int = Limits.idByteCountMax
  ) throws(Fault) -> [String] {
    try checkCount(count, name, max: max)
    var list: [String] = []
    list.reserveCapacity(count)
    for index in 0..<count {
      do throws(Fault) { list.append(try requiredText(values?[index], "", max: byteCountMax)) } catch {
        throw Fault(error.code, "\(name)[\(index)]\(error.message)")
      }
    }
    return list
  }

  static func digests(
    _ values: UnsafeMutablePointer<ProtobufCBinaryData>?, _ count: Int, _ name: String, max: Int
  ) throws(Fault) -> [Digest] {
    try checkCount(count, name, max: max)
    var list: [Digest] = []
    list.reserveCapacity(count)
    for index in 0..<count {
      guard let value = values?[index] else { continue }
      list.append(try digest(value, "\(name)[\(index)]"))
    }
    return list
  }

  static func checkCount(_ count: Int, _ name: String, max: Int) throws(Fault) {
    guard count <= max else {
      throw Fault(.invalidArgument, "\(name) has \(count) elements, more than \(max)")
    }
  }
}

extension String {
  /// The text, cut at a character so that it takes at most `max` bytes.
  func cut(toByteCount max: Int) -> String {
    guard utf8.count > max else { return self }
    var byteCount = 0
    return String(
      prefix {
        byteCount += $0.utf8.count; return byteCount <= max
      })
  }
}
