internal import Base

/// A file of interactions: `profile_id,title_id,kind,at_ms,progress`, in any order, read in bounded memory.
package final class InteractionFile {
  package static let header = "profile_id,title_id,kind,at_ms,progress"

  private let reader: LineReader
  private var record = CSVRecord()
  /// By the bytes of the name, so that no string is made to find a kind.
  private let kinds: [[UInt8]: Event.Kind]

  package var line: Int { reader.line }

  /// Checks the header. `file` is how faults call the file.
  package init(path: String, file: String? = nil) throws(CatalogueFault) {
    reader = try LineReader(path: path, file: file)
    var kinds: [[UInt8]: Event.Kind] = [:]
    for kind in Event.Kind.allCases { kinds[Array(kind.fileName.utf8)] = kind }
    self.kinds = kinds
    guard let header = try reader.next(), header.elementsEqual(Self.header.utf8) else {
      throw CatalogueFault(.badCSV, file: reader.file, line: 1, "the first line must be \(Self.header)")
    }
  }

  package func next() throws(CatalogueFault) -> Interaction? {
    guard let row = try nextRow() else { return nil }
    do {
      return Interaction(
        profileID: try record.text(0), titleID: try record.text(1), kind: row.kind, at: row.at,
        progress: row.progress)
    } catch { throw error.at(reader.line, of: reader.file) }
  }

  /// The next line with its ids as bytes in `profileID` and `titleID`, for millions of lines.
  func nextRow() throws(CatalogueFault) -> (kind: Event.Kind, at: Timestamp, progress: Float)? {
    while let line = try reader.next() {
      guard !isBlank(line) else { continue }
      do {
        try record.parse(line)
        return try row()
      } catch { throw error.at(reader.line, of: reader.file) }
    }
    return nil
  }

  var profileID: [UInt8] { record.fields[0] }
  var titleID: [UInt8] { record.fields[1] }

  private func row() throws(LineFault) -> (kind: Event.Kind, at: Timestamp, progress: Float) {
    guard record.count == 5 else {
      throw LineFault(.badCSV, "has \(record.count) fields where 5 belong: \(Self.header)")
    }
    for index in 0..<2
    where record.fields[index].isEmpty || record.fields[index].count > Limits.idByteCountMax {
      throw LineFault(.badID, "field \(index + 1) is empty or longer than \(Limits.idByteCountMax) bytes")
    }
    guard let kind = kinds[record.fields[2]] else {
      let known = Event.Kind.allCases.map(\.fileName).joined(separator: ", ")
      throw LineFault(.badKind, "field 3 is no kind of interaction; known are \(known)")
    }
    guard let at = decimal(record.fields[3]) else {
      throw LineFault(.badDate, "field 4 is no time; write milliseconds since 1970-01-01 UTC")
    }
    guard let progress = fraction(record.fields[4]) else {
      throw LineFault(.badValue, "field 5 is no progress; write a number from 0 to 1")
    }
    return (kind, Timestamp(milliseconds: Int64(at)), progress)
  }

  package static func append(_ interaction: Interaction, to bytes: inout [UInt8]) {
    let comma = UInt8(ascii: ",")
    CSVRecord.append(interaction.profileID, to: &bytes)
    bytes.append(comma)
    CSVRecord.append(interaction.titleID, to: &bytes)
    bytes.append(comma)
    bytes.append(contentsOf: interaction.kind.fileName.utf8)
    bytes.append(comma)
    bytes.append(contentsOf: String(interaction.at.milliseconds).utf8)
    bytes.append(comma)
    // Thousandths: more digits than any player reports, and the same text on every machine.
    let thousandths = Int((min(max(interaction.progress, 0), 1) * 1000).rounded())
    switch thousandths {
    case 0: bytes.append(UInt8(ascii: "0"))
    case 1000: bytes.append(UInt8(ascii: "1"))
    default: bytes.append(contentsOf: ("0." + padded(thousandths, 3)).utf8)
    }
    bytes.append(UInt8(ascii: "\n"))
  }
}

/// A plain decimal from 0 to 1 (`0`, `1`, `0.25`, `1.0`), without exponent; empty is 0.
func fraction(_ bytes: [UInt8]) -> Float? {
  if bytes.isEmpty { return 0 }
  let parts = bytes.split(separator: UInt8(ascii: "."), maxSplits: 1, omittingEmptySubsequences: false)
  guard let whole = decimal(parts[0]), whole <= 1 else { return nil }
  guard parts.count == 2 else { return Float(whole) }
  guard let digits = decimal(parts[1]) else { return nil }
  var scale: Double = 1
  for _ in parts[1] { scale *= 10 }
  let value = Double(whole) + Double(digits) / scale
  return value <= 1 ? Float(value) : nil
}
