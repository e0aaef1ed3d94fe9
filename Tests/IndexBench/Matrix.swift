import Base

/// Rows of 32-bit numbers from a .npy file, mapped.
struct Matrix<Element: BitwiseCopyable> {
  let rowCount: Int
  let columnCount: Int
  let values: UnsafeBufferPointer<Element>
  private let mapped: MappedBytes

  /// `descriptor` is numpy's word for the elements: `<f4`.
  init(path: String, descriptor: String) throws {
    mapped = try MappedBytes(path: path)
    let bytes = mapped.bytes
    guard bytes.count > 12, bytes[1..<6].elementsEqual("NUMPY".utf8) else {
      throw Unusable("\(path) is no .npy file")
    }
    let isOld = bytes[6] == 1
    let start = isOld ? 10 : 12
    let end = start + (isOld ? Int(bytes[8]) | Int(bytes[9]) << 8 : Int(bytes.word(at: 8)))
    guard end <= bytes.count else { throw Unusable("\(path) is cut off") }
    let header = String(decoding: bytes[start..<end], as: UTF8.self)
    guard header.contains("'\(descriptor)'"), header.contains("'fortran_order': False"),
      let open = header.firstIndex(of: "("), let close = header[open...].firstIndex(of: ")")
    else { throw Unusable("\(path) has no rows of \(descriptor): \(header)") }
    let shape = header[header.index(after: open)..<close].split(separator: ",").compactMap {
      Int($0.filter { $0 != " " })
    }
    guard shape.count == 2, shape[0] * shape[1] * MemoryLayout<Element>.stride <= bytes.count - end else {
      throw Unusable("\(path) has another shape than its bytes")
    }
    (rowCount, columnCount) = (shape[0], shape[1])
    values = UnsafeBufferPointer(
      start: bytes.baseAddress?.advanced(by: end).assumingMemoryBound(to: Element.self),
      count: shape[0] * shape[1])
  }

  /// All values, which outlive the file's mapping.
  func copy() -> [Element] { withExtendedLifetime(mapped) { Array(values) } }

  func row(_ index: Int) -> UnsafeBufferPointer<Element> {
    UnsafeBufferPointer(rebasing: values[index * columnCount..<(index + 1) * columnCount])
  }
}

struct Unusable: Error, CustomStringConvertible {
  let description: String
  init(_ description: String) { self.description = description }
}
