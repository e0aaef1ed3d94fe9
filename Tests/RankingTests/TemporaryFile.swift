import Base
import Glibc

/// A file's name for one test, which the test unlinks.
func temporaryFile() throws -> String {
  var template = Array("/tmp/marquee-ranking-XXXXXX".utf8CString)
  let descriptor = mkstemp(&template)
  guard descriptor >= 0 else { throw DiskFault(.failed, path: "/tmp", errnoText()) }
  close(descriptor)
  return String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
}
