package import Base

/// Arrays of numbers in NumPy's file format (NEP 1), which the field's tools write and read.
package enum NPYFile {
  package struct Contents: Sendable {
    /// One or two.
    package var shape: [Int]
    package var values: [Float]
  }

  private static let magic: [UInt8] = [0x93] + Array("NUMPY".utf8)
  package static let elementCountMax = 1 << 30

  /// Reads floats, doubles or whole numbers, little-endian, of one or two dimensions, as floats.
  package static func read(_ mapped: MappedBytes, name: String) throws(Refusal) -> Contents {
    let stored = try Stored(mapped.bytes, name: name)
    let values: [Float]? =
      switch stored.type {
      case "<f4": stored.values(of: UInt32.self) { Float(bitPattern: $0) }
      case "<f8": stored.values(of: UInt64.self) { Float(Double(bitPattern: $0)) }
      case "<i4": stored.values(of: Int32.self) { Float($0) }
      case "<i8": stored.values(of: Int64.self) { Float($0) }
      case "|u1": stored.values(of: UInt8.self) { Float($0) }
      default: throw stored.typeRefusal
      }
    guard let values else { throw stored.sizeRefusal }
    return Contents(shape: stored.shape, values: values)
  }

  /// Reads whole numbers of one or two dimensions; floats and doubles too, where they are whole.
  package static func readWhole(_ mapped: MappedBytes, name: String) throws(Refusal) -> [Int] {
    let stored = try Stored(mapped.bytes, name: name)
    let values: [Int?]? =
      switch stored.type {
      case "<f4": stored.values(of: UInt32.self) { Int(exactly: Float(bitPattern: $0)) }
      case "<f8": stored.values(of: UInt64.self) { Int(exactly: Double(bitPattern: $0)) }
      case "<i4": stored.values(of: Int32.self) { Int($0) }
      case "<i8": stored.values(of: Int64.self) { Int($0) }
      case "|u1": stored.values(of: UInt8.self) { Int($0) }
      default: throw stored.typeRefusal
      }
    guard let values else { throw stored.sizeRefusal }
    let whole = values.compactMap(\.self)
    guard whole.count == values.count else {
      throw Refusal(
        .malformed, at: "\(name) element \(values.firstIndex(of: nil) ?? 0)", "is no whole number")
    }
    return whole
  }

  /// A file taken apart: what its head says, and the bytes after it.
  private struct Stored {
    let type: String
    let shape: [Int]
    let count: Int
    private let data: UnsafeRawBufferPointer
    private let name: String
    private let begin: Int

    init(_ bytes: UnsafeRawBufferPointer, name: String) throws(Refusal) {
      guard bytes.count >= 12, bytes.prefix(6).elementsEqual(magic), (1...3).contains(bytes[6]) else {
        throw Refusal(.malformed, at: "\(name) byte 0", "is no .npy file of format 1 to 3")
      }
      let isShort = bytes[6] == 1
      begin = isShort ? 10 : 12
      let length = isShort ? Int(bytes.word(at: 8) & 0xffff) : Int(bytes.word(at: 8))
      guard length <= 1 << 16, begin + length <= bytes.count else {
        throw Refusal(.truncated, at: "\(name) byte 8", "says a head of \(length) bytes")
      }
      let head = String(decoding: bytes[begin..<begin + length], as: UTF8.self)
      guard let type = quoted(after: "'descr':", in: head), head.contains("'fortran_order': False"),
        let shape = NPYFile.shape(head)
      else {
        throw Refusal(
          .malformed, at: "\(name) byte \(begin)",
          "has no head that names a type, an order of rows and a shape of 1 or 2")
      }
      let (count, overflow) = shape.reduce((1, false)) { partial, side in
        let (product, overflow) = partial.0.multipliedReportingOverflow(by: side)
        return (product, partial.1 || overflow)
      }
      guard !overflow, count <= elementCountMax else {
        throw Refusal(.limitExceeded, at: "\(name) byte \(begin)", "has the shape \(shape)")
      }
      (self.type, self.shape, self.count, self.name) = (type, shape, count, name)
      data = UnsafeRawBufferPointer(rebasing: bytes[(begin + length)...])
    }

    /// Every element made into a value; `nil` when there are more or fewer bytes than elements.
    func values<Element: FixedWidthInteger & BitwiseCopyable, Value>(
      of element: Element.Type, _ make: (Element) -> Value
    ) -> [Value]? {
      let width = MemoryLayout<Element>.stride
      guard data.count == count * width else { return nil }
      return (0..<count).map {
        make(Element(littleEndian: data.loadUnaligned(fromByteOffset: $0 * width, as: Element.self)))
      }
    }

    var typeRefusal: Refusal {
      Refusal(
        .malformed, at: "\(name) byte \(begin)", "has elements of \(type.excerpt): save it as float32")
    }

    var sizeRefusal: Refusal {
      Refusal(.truncated, at: name, "has \(data.count) bytes for \(count) elements of \(type)")
    }
  }

  private static func quoted(after key: String, in head: String) -> String? {
    let parts = head.split(separator: "'", omittingEmptySubsequences: false).map(String.init)
    guard let place = parts.firstIndex(of: String(key.dropFirst().prefix { $0 != "'" })),
      place + 2 < parts.count
    else { return nil }
    return parts[place + 2]
  }

  private static func shape(_ head: String) -> [Int]? {
    guard let open = head.firstIndex(of: "("), let close = head.firstIndex(of: ")"), open < close else {
      return nil
    }
    let words = head[head.index(after: open)..<close].split(whereSeparator: { ", ".contains($0) })
    let sides = words.compactMap { Int($0) }
    guard sides.count == words.count, (1...2).contains(sides.count), sides.allSatisfy({ $0 >= 0 }) else {
      return nil
    }
    return sides
  }

  /// A file of floats; `columns` is `nil` for one dimension.
  package static func bytes(_ values: [Float], columns: Int? = nil) -> [UInt8] {
    bytes(values.map(\.bitPattern), type: "<f4", columns: columns)
  }

  /// A file of doubles.
  package static func bytes(doubles: [Double], columns: Int?) -> [UInt8] {
    bytes(doubles.map(\.bitPattern), type: "<f8", columns: columns)
  }

  /// A file of whole numbers, of one dimension.
  package static func bytes(_ values: [Int]) -> [UInt8] {
    bytes(values.map { Int64($0) }, type: "<i8", columns: nil)
  }

  private static func bytes<Element: FixedWidthInteger>(
    _ values: [Element], type: String, columns: Int?
  ) -> [UInt8] {
    let shape = columns.map { "(\(values.count / $0), \($0))" } ?? "(\(values.count),)"
    var head = "{'descr': '\(type)', 'fortran_order': False, 'shape': \(shape), }"
    head += String(repeating: " ", count: 63 - (10 + head.utf8.count) % 64) + "\n"
    var bytes = magic + [1, 0]
    bytes.reserveCapacity(values.count * MemoryLayout<Element>.stride + 256)
    bytes.append(littleEndian: UInt16(head.utf8.count))
    bytes += Array(head.utf8)
    for value in values { bytes.append(littleEndian: value) }
    return bytes
  }
}
