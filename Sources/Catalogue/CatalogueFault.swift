/// What is wrong with a catalogue that somebody brings, where, and what to do about it.
package struct CatalogueFault: Error, Equatable, Sendable {
  package enum Code: String, Sendable, CaseIterable {
    case unreadableFile = "unreadable_file"
    case lineTooLong = "line_too_long"
    case invalidUTF8 = "invalid_utf8"
    case badJSON = "bad_json"
    case badCSV = "bad_csv"
    case unknownKey = "unknown_key"
    case duplicateKey = "duplicate_key"
    case missingKey = "missing_key"
    case badValue = "bad_value"
    case badID = "bad_id"
    case duplicateID = "duplicate_id"
    case badDate = "bad_date"
    case badCountry = "bad_country"
    case badLicence = "bad_licence"
    case badMaturity = "bad_maturity"
    case badKind = "bad_kind"
    case tooMany = "too_many"
    case tooManyGenres = "too_many_genres"
    case exists
    case notAWorkspace = "not_a_workspace"
    case newerFormat = "newer_format"
    case diskFault = "disk_fault"
  }

  package var code: Code
  package var file: String
  /// 1 for the first line; `nil` when no line is at fault.
  package var line: Int?
  package var message: String

  package init(_ code: Code, file: String, line: Int? = nil, _ message: String) {
    self.code = code
    self.file = file
    self.line = line
    self.message = message
  }
}

extension CatalogueFault: CustomStringConvertible {
  package var description: String {
    if let line { "\(file):\(line): \(message)" } else { "\(file): \(message)" }
  }
}

/// A fault on a line whose number the caller knows.
struct LineFault: Error {
  var code: CatalogueFault.Code
  var message: String

  init(_ code: CatalogueFault.Code, _ message: String) {
    self.code = code
    self.message = message
  }

  func at(_ line: Int, of file: String) -> CatalogueFault {
    CatalogueFault(code, file: file, line: line, message)
  }
}
