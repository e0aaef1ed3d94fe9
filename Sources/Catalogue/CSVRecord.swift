/// Cuts one line into fields as RFC 4180 has them, except that a quoted field must end on its line.
struct CSVRecord {
  private(set) var fields: [[UInt8]] = []
  private(set) var count = 0

  /// Takes the line apart, using the storage of the last one.
  mutating func parse(_ line: UnsafeRawBufferPointer) throws(LineFault) {
    count = 0
    var position = 0
    while true {
      if count == fields.count { fields.append([]) }
      fields[count].removeAll(keepingCapacity: true)
      if position < line.count, line[position] == UInt8(ascii: "\"") {
        position = try quoted(line, from: position + 1)
      } else {
        let end = line[position...].firstIndex(of: UInt8(ascii: ",")) ?? line.count
        fields[count].append(contentsOf: line[position..<end])
        position = end
      }
      count += 1
      if position == line.count { return }
      guard line[position] == UInt8(ascii: ",") else {
        throw LineFault(
          .badCSV, "has text after a closing quote in field \(count); double quotes inside quotes")
      }
      position += 1
    }
  }

  /// Appends to the field; returns the position after the closing quote.
  private mutating func quoted(_ line: UnsafeRawBufferPointer, from start: Int) throws(LineFault) -> Int {
    var position = start
    while position < line.count {
      let byte = line[position]
      position += 1
      if byte != UInt8(ascii: "\"") {
        fields[count].append(byte)
      } else if position < line.count, line[position] == UInt8(ascii: "\"") {
        fields[count].append(byte)
        position += 1
      } else {
        return position
      }
    }
    throw LineFault(.badCSV, "has a quote in field \(count + 1) that isn't closed on the line")
  }

  func text(_ index: Int) throws(LineFault) -> String {
    guard let text = String(validating: fields[index], as: UTF8.self) else {
      throw LineFault(.invalidUTF8, "field \(index + 1) is not UTF-8; convert the file to UTF-8")
    }
    return text
  }

  /// Appends `text` to a line, quoted if it has to be.
  static func append(_ text: String, to bytes: inout [UInt8]) {
    let needsQuotes = text.utf8.contains {
      $0 == UInt8(ascii: ",") || $0 == UInt8(ascii: "\"") || $0 == 0x0a || $0 == 0x0d
    }
    guard needsQuotes else { return bytes.append(contentsOf: text.utf8) }
    bytes.append(UInt8(ascii: "\""))
    for byte in text.utf8 {
      if byte == UInt8(ascii: "\"") { bytes.append(byte) }
      bytes.append(byte)
    }
    bytes.append(UInt8(ascii: "\""))
  }
}
