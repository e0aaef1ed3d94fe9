import Base
import Retrieval

/// A .npy file of little-endian floats in rows, mapped and used in place.
struct NumpyFile: VectorSource {
  let count: Int
  let dimensions: Int
  private let mapped: MappedBytes
  private let dataOffset: Int

  init(path: String) throws {
    mapped = try MappedBytes(path: path)
    let bytes = mapped.bytes
    guard bytes.count > 12, bytes.prefix(6).elementsEqual([0x93] + Array("NUMPY".utf8)), bytes[6] == 1 else {
      throw Fault(.invalidArgument, "\(path) is no .npy file of version 1")
    }
    dataOffset = 10 + Int(bytes[8]) + Int(bytes[9]) << 8
    guard dataOffset <= bytes.count else { throw Fault(.invalidArgument, "\(path) ends in its header") }
    let header = String(decoding: bytes[10..<dataOffset], as: UTF8.self)
    let numbers = header.drop { $0 != "(" }.dropFirst().prefix { $0 != ")" }
      .split(separator: ",").compactMap { Int(String($0.filter(\.isNumber))) }
    guard header.contains("'<f4'"), header.contains("'fortran_order': False"), numbers.count == 2,
      numbers[1] > 0, bytes.count - dataOffset == numbers[0] * numbers[1] * 4
    else { throw Fault(.invalidArgument, "\(path) has no two-dimensional floats in rows: \(header)") }
    count = numbers[0]
    dimensions = numbers[1]
  }

  func copy(_ ordinals: Range<Int>, into rows: UnsafeMutableBufferPointer<Float>) {
    let begin = dataOffset + ordinals.lowerBound * dimensions * 4
    let slice = mapped.bytes[begin..<begin + ordinals.count * dimensions * 4]
    UnsafeMutableRawBufferPointer(rows).copyBytes(from: slice)
  }

  /// All of it.
  var values: [Float] {
    [Float](unsafeUninitializedCapacity: count * dimensions) { buffer, written in
      copy(0..<count, into: buffer)
      written = count * dimensions
    }
  }
}
