/// A CSV file with a header, read line by line; columns are found by name, so others may stand between them.
final class CSVTable {
  private let reader: LineReader
  private var record = CSVRecord()
  private let indices: [Int]
  private let columnCount: Int

  /// `columns` are the names that must be there; values are asked for by place in this list.
  init(path: String, columns: [String]) throws(CatalogueFault) {
    reader = try LineReader(path: path)
    guard let header = try reader.next() else {
      throw CatalogueFault(.badCSV, file: path, "is empty; a header with \(columns) belongs there")
    }
    var names: [String] = []
    do {
      try record.parse(header)
      for index in 0..<record.count { names.append(try record.text(index)) }
    } catch { throw error.at(1, of: path) }
    var indices: [Int] = []
    for column in columns {
      guard let index = names.firstIndex(of: column) else {
        throw CatalogueFault(
          .badCSV, file: path, line: 1, "has no column \(column) (it has \(names.joined(separator: ", ")))")
      }
      indices.append(index)
    }
    self.indices = indices
    columnCount = names.count
  }

  /// Goes to the next line; `false` at the end.
  func next() throws(CatalogueFault) -> Bool {
    while let line = try reader.next() {
      guard !isBlank(line) else { continue }
      do { try record.parse(line) } catch { throw error.at(reader.line, of: reader.file) }
      guard record.count == columnCount else {
        throw fault(.badCSV, "has \(record.count) fields where the header has \(columnCount)")
      }
      return true
    }
    return false
  }

  func text(_ column: Int) throws(CatalogueFault) -> String {
    do { return try record.text(indices[column]) } catch { throw error.at(reader.line, of: reader.file) }
  }

  func bytes(_ column: Int) -> [UInt8] { record.fields[indices[column]] }

  var line: Int { reader.line }

  /// A fault on the present line.
  func fault(_ code: CatalogueFault.Code, _ message: String) -> CatalogueFault {
    CatalogueFault(code, file: reader.file, line: reader.line, message)
  }
}
