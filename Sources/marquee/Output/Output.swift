import ArgumentParser
import Base
import Foundation

/// `--json`, as every command that prints has it.
struct OutputOptions: ParsableArguments {
  @Flag(help: "Print one JSON document instead of text for people.")
  var json = false

  /// Prints `value` as JSON, or what `text` says.
  func show(_ value: some Encodable, text: () -> String) throws {
    print(json ? try encodeJSON(value) : text())
  }
}

func encodeJSON(_ value: some Encodable) throws -> String {
  let encoder = JSONEncoder()
  encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
  encoder.keyEncodingStrategy = .convertToSnakeCase
  return String(decoding: try encoder.encode(value), as: UTF8.self)
}

/// Columns for people: left-aligned, two spaces between them, as wide as their widest cell.
struct Table {
  private var rows: [[String]]

  init(_ titles: String...) { rows = [titles] }

  mutating func add(_ cells: String...) { rows.append(cells) }

  var text: String {
    let widths = (0..<(rows[0].count)).map { column in rows.map { $0[column].count }.max() ?? 0 }
    return rows.map { row in
      row.enumerated().map { column, cell in
        column == row.count - 1
          ? cell : cell + String(repeating: " ", count: widths[column] - cell.count)
      }.joined(separator: "  ")
    }.joined(separator: "\n")
  }
}

/// "1.5 MB", in steps of a thousand.
func readable(bytes: UInt64) -> String {
  let units = ["B", "kB", "MB", "GB", "TB"]
  var value = Double(bytes)
  var unit = 0
  while value >= 999.5 && unit < units.count - 1 {
    value /= 1000
    unit += 1
  }
  return unit == 0 ? "\(bytes) B" : String(format: "%.1f %@", value, units[unit])
}

/// "1,000,000".
func readable(count: some BinaryInteger) -> String {
  let digits = String(count)
  var text = ""
  for (index, digit) in digits.enumerated() {
    if index > 0 && (digits.count - index) % 3 == 0
      && digits[digits.index(digits.startIndex, offsetBy: index - 1)] != "-"
    {
      text.append(",")
    }
    text.append(digit)
  }
  return text
}

/// The lines of a text file that a person made, without empty ones.
func lines(of path: String) throws -> [String] {
  let bytes = try SystemDisk().read(path, limit: 256 << 20)
  return String(decoding: bytes, as: UTF8.self).split(whereSeparator: \.isNewline).map(String.init)
}
