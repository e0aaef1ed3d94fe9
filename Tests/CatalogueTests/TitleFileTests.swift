import Synchronization
import Testing

@testable import Catalogue

@Suite struct TitleFileTests {
  private let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  private func line(_ id: String) -> String { #"{"id":"\#(id)","name":"n","licences":[]}"# }

  @Test("byte order mark, carriage returns, blank lines and a last line without end are all right")
  func forgiving() throws {
    let path = try directory.write("\u{feff}\(line("a"))\r\n\r\n  \n\(line("b"))", to: "t")
    let file = try TitleFile(path: path)
    #expect(try file.next()?.id == "a")
    #expect(try file.next()?.id == "b")
    #expect(file.line == 4)
    #expect(try file.next() == nil)
  }

  @Test("a fault names its file and line, and says what to do")
  func place() throws {
    let path = try directory.write(line("a") + "\n{\"id\":\"b\"}\n", to: "t")
    let file = try TitleFile(path: path, file: "mine.jsonl")
    _ = try file.next()
    do {
      _ = try file.next()
      Issue.record("a title without a name was taken")
    } catch {
      #expect(error.code == .missingKey && error.file == "mine.jsonl" && error.line == 2)
      #expect(error.description == "mine.jsonl:2: title b has no name")
    }
  }

  @Test(
    "a line of exactly 1 MiB is read and one byte more is refused, wherever it stands",
    arguments: [0, 1, 1000])
  func longLines(before: Int) throws {
    let start = #"{"id":"long","name":"n","licences":[],"text":{"a":""#
    let filler = String(repeating: "x", count: LineReader.lineByteCountMax - start.utf8.count - 3)
    let head = (0..<before).map { line("t\($0)") + "\n" }.joined()
    for (text, isFine) in [(filler, true), (filler + "x", false)] {
      for end in ["", "\n", "\n" + line("z")] {
        let file = try TitleFile(path: try directory.write(head + start + text + "\"}}" + end, to: "t"))
        for _ in 0..<before { _ = try file.next() }
        if isFine {
          #expect(try file.next()?.id == "long")
        } else {
          do {
            _ = try file.next()
            Issue.record("a line over the limit was taken")
          } catch { #expect(error.code == .lineTooLong && error.line == before + 1) }
        }
      }
    }
  }

  @Test("a file that isn't there says so")
  func missing() {
    #expect(throws: CatalogueFault.self) { try TitleFile(path: directory.file("none")) }
  }

  @Test("threads see each line once, with its index; a stride sees its multiples", arguments: [1, 2, 3])
  func parallel(threads: Int) throws {
    let padding = String(repeating: "y", count: 4000)
    let lines = (0..<3000).map { #"{"id":"\#($0)","name":"n","licences":[],"text":{"a":"\#(padding)"}}"# }
    let path = try directory.write(lines.joined(separator: "\n"), to: "t")
    let seen = Mutex<[Int: String]>([:])
    try TitleFile.each(path: path, threadCount: threads) { index, title in
      seen.withLock { $0[index] = title.id }
    }
    #expect(seen.withLock { $0.count == 3000 && $0.allSatisfy { String($0.key) == $0.value } })
    let sampled = Mutex<Set<Int>>([])
    try TitleFile.each(path: path, threadCount: threads, stride: 7) { index, _ in
      sampled.withLock { _ = $0.insert(index) }
    }
    #expect(sampled.withLock { $0 == Set(stride(from: 0, to: 3000, by: 7)) })
  }

  @Test("of several faults the threads report that of the lowest line")
  func lowestFault() throws {
    var lines = (0..<1000).map { line("\($0)") }
    for bad in [900, 500, 499, 10] { lines[bad] = "{" }
    let path = try directory.write(lines.joined(separator: "\n"), to: "t")
    do {
      try TitleFile.each(path: path, threadCount: 4) { _, _ in }
      Issue.record("bad lines were taken")
    } catch { #expect(error.line == 11 && error.code == .badJSON) }
  }
}
