import Base
import Testing

@testable import Catalogue

@Suite struct CataloguePartTests {
  private let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  private func titles(_ count: Int) -> [Title] {
    let generator = CatalogueGenerator(titleCount: count, profileCount: 0, seed: 5)
    return (0..<count).map { generator.title($0) }
  }

  private func part(_ titles: [Title], genres: [String] = []) throws -> CataloguePart {
    var writer = CataloguePartWriter(genreNames: genres)
    for title in titles { try writer.add(title) }
    try writer.write(to: directory.file("part"))
    return try CataloguePart(opening: MappedBytes(path: directory.file("part")), name: "base")
  }

  @Test("a part gives back what titles said", arguments: [1, 63, 64, 65, 1000])
  func roundTrip(count: Int) throws {
    let titles = titles(count)
    let part = try part(titles)
    #expect(part.count == count)
    for (ordinal, title) in titles.enumerated() {
      #expect(part.id(ordinal) == title.id && part.name(ordinal) == title.name)
      #expect(part.ordinal(ofID: title.id) == ordinal)
      #expect(part.facts(ordinal).maturity == title.maturity)
      #expect(part.facts(ordinal).releaseDay == title.released?.number)
      #expect(part.contentHash(ordinal) == title.contentHash)
      #expect(Set(part.licences.licences(ordinal)) == Set(Licence.merged(title.licences)))
      let genres = part.genreNames.enumerated().filter {
        part.facts(ordinal).genres >> UInt64($0.offset) & 1 == 1
      }
      #expect(Set(genres.map(\.element)) == Set(title.genres))
    }
    for id in ["", "syn-", "syn-9999999", String(repeating: "x", count: 500)] {
      #expect(part.ordinal(ofID: id) == nil)
    }
  }

  @Test("an empty part is a part")
  func empty() throws {
    let part = try part([])
    #expect(part.count == 0 && part.ordinal(ofID: "a") == nil && part.genreNames.isEmpty)
  }

  @Test("the same titles are the same bytes")
  func deterministic() throws {
    _ = try part(titles(300))
    let first = try directory.read("part")
    _ = try part(titles(300))
    #expect(try directory.read("part") == first)
  }

  @Test("the hash for tables is Base's")
  func hash() {
    for text in ["", "a", "syn-0000001", String(repeating: "é", count: 99)] {
      #expect(stableHash64(text) == stableHash(text.utf8))
      #expect(stableHash64(Array(text.utf8)) == stableHash(text.utf8))
    }
  }

  @Test("windows of one country that touch become one")
  func merging() throws {
    let gb = try #require(CountryCode("GB"))
    let windows = [(5, 9), (1, 3), (3, 4), (8, 12), (20, 21)].map {
      Licence(country: gb, fromSeconds: $0.0, toSeconds: $0.1)
    }
    let merged = Licence.merged(windows + [.everywhere])
    #expect(
      merged == [.everywhere]
        + [(1, 4), (5, 12), (20, 21)].map { Licence(country: gb, fromSeconds: $0.0, toSeconds: $0.1) })
  }

  @Test("65 genres don't fit into a part")
  func genres() throws {
    var writer = CataloguePartWriter()
    for index in 0..<64 { try writer.add(Title(id: "\(index)", name: "n", genres: ["g\(index)"])) }
    do {
      try writer.add(Title(id: "x", name: "n", genres: ["one more"]))
      Issue.record("a 65th genre was taken")
    } catch { #expect(error.code == .tooManyGenres) }
  }

  /// Reads everything that a replica may read.
  private func readAll(_ part: CataloguePart) {
    var boundary = Int64.max
    for ordinal in 0..<part.count {
      _ = part.ordinal(ofID: part.id(ordinal))
      _ = part.name(ordinal)
      _ = part.licences.licences(ordinal)
      _ = part.licences.covers(ordinal, 1, from: 0, through: 0, boundary: &boundary)
    }
  }

  @Test("truncated or with any byte changed, a part is refused or read within its bounds")
  func hostile() throws {
    _ = try part(titles(40))
    let bytes = try directory.read("part")
    for count in stride(from: 0, to: bytes.count, by: 61) {
      #expect(throws: Refusal.self) {
        try CataloguePart(opening: MappedBytes(copying: Array(bytes.prefix(count))), name: "base")
      }
    }
    for index in bytes.indices {
      for byte in [bytes[index] ^ 0x80, 0xff] where byte != bytes[index] {
        var changed = bytes
        changed[index] = byte
        if let part = try? CataloguePart(opening: MappedBytes(copying: changed), name: "base") {
          readAll(part)
        }
      }
    }
  }

  @Test("offsets that go back, a wrong number of slots and too many titles are refused with their section")
  func refusals() throws {
    func refusal(_ change: (SegmentWriter) throws -> Void) throws -> Refusal? {
      let writer = try SegmentWriter(
        path: directory.file("bad"), kind: "CTLG", formatVersion: CataloguePart.formatVersion)
      try change(writer)
      try writer.finish()
      do {
        _ = try CataloguePart(opening: MappedBytes(path: directory.file("bad")), name: "base")
        return nil
      } catch { return error }
    }
    #expect(try refusal { try $0.add("META", [UInt64.max, 0]) }?.code == .limitExceeded)
    let backwards = try refusal {
      try $0.add("META", [UInt64(2), 0])
      try $0.add("IDOF", [UInt32(0), 3, 2])
      try $0.add("IDHP", [UInt8(1), 2])
    }
    #expect(backwards?.place == "base section IDOF")
    let slots = try refusal {
      try $0.add("META", [UInt64(1), 0])
      try $0.add("IDOF", [UInt32(0), 1])
      try $0.add("IDHP", [UInt8(65)])
      try $0.add("NMOF", [UInt32(0), 1])
      try $0.add("NMHP", [UInt8(65)])
      try $0.add("SLOT", [UInt32(0)])
    }
    #expect(slots?.place == "base section SLOT")
  }
}
