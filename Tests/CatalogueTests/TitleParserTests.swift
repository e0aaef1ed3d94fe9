import Testing

@testable import Catalogue

@Suite struct TitleParserTests {
  private func parse(_ text: String) throws -> Title { try parse(Array(text.utf8)) }

  private func parse(_ bytes: [UInt8]) throws -> Title {
    try bytes.withUnsafeBytes { try TitleParser.parse($0) }
  }

  private func code(_ text: String) -> CatalogueFault.Code? {
    do {
      _ = try parse(text)
      return nil
    } catch { return (error as? LineFault)?.code }
  }

  @Test("a whole line is read")
  func whole() throws {
    let title = try parse(
      """
      {"id":"t1","name":"Heat","genres":["Crime","Drama","Crime"],"released":"1995-12-15","maturity":16,
       "licences":[{"country":"GB","from":"2024-01-01","to":"2026-01-01T12:00:00Z"},{"country":"*"}],
       "text":{"synopsis":"A \\"thief\\" \\u00e9\\ud83d\\ude00\\n","tags":["heist","los angeles"]}}
      """)
    let country = try #require(CountryCode("GB"))
    #expect(
      title
        == Title(
          id: "t1", name: "Heat", genres: ["Crime", "Drama"], released: Day("1995-12-15"), maturity: 16,
          licences: [
            Licence(country: country, fromSeconds: 1_704_067_200, toSeconds: 1_767_268_800), .everywhere,
          ], text: ["synopsis": "A \"thief\" é😀\n", "tags": "heist; los angeles"]))
  }

  @Test("what is written is read back the same")
  func roundTrip() throws {
    let titles = [
      Title(id: "a", name: "\u{1}\u{1f}\t\"\\/ ☃ 𝄞", licences: []),
      Title(
        id: "b", name: "b", genres: ["x"], released: Day("2020-02-29"), maturity: 18,
        licences: [Licence(country: .everywhere, fromSeconds: 5, toSeconds: 7)],
        text: ["": "x"].filter { $0.key != "" }),
      Title(id: "c", name: "c", text: ["z": "1", "a": "", "m": "\r\n"]),
    ]
    for title in titles {
      var line: [UInt8] = []
      TitleLine.append(title, to: &line)
      #expect(line.filter { $0 == 0x0a }.count == 1)
      #expect(try parse(line) == title)
    }
  }

  @Test(
    "each wrong has its code",
    arguments: [
      (#"{"name":"n","licences":[]}"#, CatalogueFault.Code.missingKey),
      (#"{"id":"i","licences":[]}"#, .missingKey), (#"{"id":"i","name":"n"}"#, .missingKey),
      (#"{"id":"i","name":"n","licences":[{"from":"2024-01-01"}]}"#, .missingKey),
      (#"{"id":"i","name":"n","licences":[],"rating":3}"#, .unknownKey),
      (#"{"id":"i","name":"n","licences":[{"country":"GB","until":"2024-01-01"}]}"#, .unknownKey),
      (#"{"id":"i","id":"i","name":"n","licences":[]}"#, .duplicateKey),
      (#"{"id":"i","name":"n","licences":[{"country":"GB","country":"GB"}]}"#, .duplicateKey),
      (#"{"id":"i","name":"n","licences":[],"text":{"a":"","a":""}}"#, .duplicateKey),
      (#"{"id":"i","name":"n","licences":[],"released":null,"released":null}"#, .duplicateKey),
      (#"{"id":"","name":"n","licences":[]}"#, .badID),
      (#"{"id":"a\u0000","name":"n","licences":[]}"#, .badID),
      (#"{"id":"i","name":"","licences":[]}"#, .badValue),
      (#"{"id":"i","name":"n","licences":[],"genres":[""]}"#, .badValue),
      (#"{"id":"i","name":"n","licences":[],"text":{"":"x"}}"#, .badValue),
      (#"{"id":"i","name":"n","licences":[],"released":"1995-02-30"}"#, .badDate),
      (#"{"id":"i","name":"n","licences":[{"country":"GB","from":"soon"}]}"#, .badDate),
      (#"{"id":"i","name":"n","licences":[{"country":"gb"}]}"#, .badCountry),
      (#"{"id":"i","name":"n","licences":[{"country":"GBR"}]}"#, .badCountry),
      (
        #"{"id":"i","name":"n","licences":[{"country":"*","from":"2024-01-02","to":"2024-01-02"}]}"#,
        .badLicence
      ),
      (#"{"id":"i","name":"n","licences":[],"maturity":19}"#, .badMaturity),
      (#"{"id":"i","name":"n","licences":[],"maturity":-1}"#, .badMaturity),
      (#"{"id":"i","name":"n","licences":[],"maturity":1.5}"#, .badJSON),
      (#"{"id":"i","name":"n","licences":[],"maturity":01}"#, .badJSON),
      (#"{"id":"i","name":"n","licences":[],"maturity":"16"}"#, .badJSON),
      (#"{"id":"i","name":"n","licences":[]} x"#, .badJSON),
      (#"{"id":"i","name":"n","licences":[],}"#, .badJSON),
      (#"{"id":"i","name":"n","licences":[]"#, .badJSON), (#"{"id":"i","name":"n"#, .badJSON),
      (#"{"id":"i\x","name":"n"}"#, .badJSON), (#"{"id":"\ud800","name":"n"}"#, .badJSON),
      (#"{"id":"\ud800\u0041","name":"n"}"#, .badJSON), (#"{"id":"\u12g4"}"#, .badJSON),
      (#"{"id":"\u12"#, .badJSON),
      (#"{"id":"a\"#, .badJSON), ("{\"id\":\"a\tb\"}", .badJSON), (#"{id:"a"}"#, .badJSON), ("[]", .badJSON),
      ("", .badJSON), ("null", .badJSON), (#"{"id":7}"#, .badJSON),
    ])
  func wrongs(line: String, expected: CatalogueFault.Code) { #expect(code(line) == expected) }

  @Test("more than fits is refused")
  func limits() {
    func line(_ rest: String) -> String { #"{"id":"i","name":"n","licences":[]"# + rest + "}" }
    let genres = (0...Title.genreCountMax).map { "\"g\($0)\"" }.joined(separator: ",")
    #expect(code(line(",\"genres\":[\(genres)]")) == .tooMany)
    let fields = (0...Title.textFieldCountMax).map { "\"f\($0)\":\"\"" }.joined(separator: ",")
    #expect(code(line(",\"text\":{\(fields)}")) == .tooMany)
    let licences = (0...Title.licenceCountMax).map { _ in #"{"country":"*"}"# }.joined(separator: ",")
    #expect(code(#"{"id":"i","name":"n","licences":[\#(licences)]}"#) == .tooMany)
    let long = String(repeating: "x", count: 129)
    #expect(code(#"{"id":"\#(long)","name":"n","licences":[]}"#) == .badID)
  }

  @Test("bytes that are not UTF-8 are refused, escaped neighbours or not")
  func utf8() {
    for name in [[UInt8]([0xff]), [0xc3], [0xed, 0xa0, 0x80], [0x5c, 0x6e, 0xc0, 0x80]] {
      let line = Array(#"{"id":"i","name":""#.utf8) + name + Array(#"","licences":[]}"#.utf8)
      #expect(throws: (any Error).self) { try parse(line) }
      do { _ = try parse(line) } catch { #expect((error as? LineFault)?.code == .invalidUTF8) }
    }
  }

  @Test("no cut and no changed byte of a line traps")
  func hostile() {
    let line = Array(
      #"{"id":"t\u00e9","name":"\ud83d\ude00","genres":["a"],"maturity":3,"licences":[{"country":"*"}],"text":{"a":["b"]}}"#
        .utf8)
    for end in 0..<line.count { #expect(throws: (any Error).self) { try parse(Array(line[..<end])) } }
    for index in line.indices {
      for byte: UInt8 in [0, 0x22, 0x5b, 0x5c, 0x7b, 0x7d, 0x80, 0xff] {
        var changed = line
        changed[index] = byte
        _ = try? parse(changed)
      }
    }
  }
}
