import Base
import Testing

@testable import Catalogue

@Suite struct CatalogueViewTests {
  private let directory: TemporaryDirectory
  private let now = CatalogueGenerator.endsAtDefault

  init() throws { directory = try TemporaryDirectory() }

  private func open(_ name: String) throws -> CataloguePart {
    try CataloguePart(opening: MappedBytes(path: directory.file(name)), name: name)
  }

  private func view(
    _ base: CataloguePart, _ tail: CataloguePart?, live: Bitmap, scores: TitleScores
  ) throws -> CatalogueView {
    try CatalogueStat.write(to: directory.file("stat"), base: base, tail: tail, live: live, scores: scores)
    let stat = try CatalogueStat(opening: MappedBytes(path: directory.file("stat")), name: "stat")
    return try CatalogueView(base: base, tail: tail, stat: stat)
  }

  private func base(_ titles: [Title]) throws -> CataloguePart {
    var writer = CataloguePartWriter()
    for title in titles { try writer.add(title) }
    try writer.write(to: directory.file("base"))
    return try open("base")
  }

  private func scores(_ count: Int) -> TitleScores {
    var random = SplitMix(seed: 9)
    return TitleScores(
      popularity: (0..<count).map { _ in Float(random.next() % 50) / 50 },
      trending: (0..<count).map { _ in Float(random.next() % 3) / 2 })
  }

  /// A base of 500 titles of which a tail changes, adds and drops some.
  private func grown() throws -> (
    view: CatalogueView, titles: [Title], base: CataloguePart, tail: CataloguePart
  ) {
    let old = CatalogueGenerator(titleCount: 500, profileCount: 0, seed: 5)
    let base = try base((0..<500).map { old.title($0) })
    let new = CatalogueGenerator(titleCount: 500, profileCount: 0, seed: 5, changePercent: 10, changeSeed: 1)
    var titles = (0..<500).filter { $0 % 50 != 7 }.map { new.title($0) }
    titles.append(Title(id: "brand new", name: "New", genres: ["Unheard of"], released: Day("2025-12-31")))
    var lines: [UInt8] = []
    for title in titles { TitleLine.append(title, to: &lines) }
    let path = try directory.write(lines, to: "titles.jsonl")
    let delta = try #require(
      try CatalogueDelta.write(titles: path, base: base, to: directory.file("tail"), tailCountMax: 100))
    let tail = try open("tail")
    #expect(delta.tailTitles.count == tail.count && delta.live.setCount == titles.count)
    #expect(delta.keptCount + tail.count == titles.count && (20...90).contains(tail.count))
    let count = base.count + tail.count
    return (try view(base, tail, live: delta.live, scores: scores(count)), titles, base, tail)
  }

  @Test("with a tail, each title is there once, as it is now, and what went is gone")
  func tail() throws {
    let (view, titles, base, tail) = try grown()
    #expect(view.count == base.count + tail.count && view.liveCount == titles.count)
    var ordinals: Set<UInt32> = []
    for title in titles {
      let ordinal = try #require(view.ordinal(ofID: title.id))
      ordinals.insert(ordinal)
      #expect(view.id(ordinal) == title.id && view.name(ordinal) == title.name)
      #expect(view.contentHash(ordinal) == title.contentHash && view.isLive(ordinal))
      #expect(view.releaseDay(ordinal) == title.released?.number && view.maturity(ordinal) == title.maturity)
      let genres = view.genreNames.enumerated().filter { view.genres(ordinal) >> UInt64($0.offset) & 1 == 1 }
      #expect(Set(genres.map(\.element)) == Set(title.genres))
    }
    #expect(ordinals.count == titles.count)
    #expect(view.ordinal(ofID: "syn-0000007") == nil)
    #expect(!view.isLive(7) && view.id(7) == "syn-0000007" && !view.isLive(UInt32(view.count)))
  }

  @Test("too many changes ask for a new base, and write nothing")
  func newBase() throws {
    let (_, _, base, _) = try grown()
    let path = directory.file("titles.jsonl")
    let delta = try CatalogueDelta.write(
      titles: path, base: base, to: directory.file("other"), tailCountMax: 3)
    #expect(delta == nil)
    #expect(throws: Refusal.self) { try MappedBytes(path: directory.file("other")) }
  }

  @Test("a stat of other parts, and a tail with other genres, are refused")
  func mixed() throws {
    let (view, _, base, tail) = try grown()
    #expect(throws: Refusal.self) { try CatalogueView(base: base, tail: nil, stat: view.stat) }
    #expect(throws: Refusal.self) { try CatalogueView(base: tail, tail: base, stat: view.stat) }
    var writer = CataloguePartWriter(genreNames: ["Z"])
    try writer.add(Title(id: "z", name: "z"))
    try writer.write(to: directory.file("odd"))
    let odd = try open("odd")
    let count = base.count + 1
    #expect(throws: Refusal.self) {
      try self.view(base, odd, live: Bitmap(count: count, filled: true), scores: TitleScores(count: count))
    }
  }

  @Test("a stat with live bits past the end or of another size is refused")
  func badStat() throws {
    func refusal(_ live: [UInt64], _ scores: [UInt32], meta: [UInt64] = [70, 0, 0, 0]) throws -> Refusal? {
      let writer = try SegmentWriter(path: directory.file("bad"), kind: "STAT", formatVersion: 2)
      try writer.add("META", meta)
      try writer.add("LIVE", live)
      try writer.add("SCOR", scores)
      try writer.finish()
      do {
        _ = try CatalogueStat(opening: MappedBytes(path: directory.file("bad")), name: "stat")
        return nil
      } catch { return error }
    }
    let scores = [UInt32](repeating: 0, count: 70)
    #expect(try refusal([0, 63], scores) == nil)
    #expect(try refusal([0, 64], scores)?.place == "stat section LIVE")
    #expect(try refusal([0], scores)?.place == "stat section LIVE")
    #expect(try refusal([0, 0], Array(scores.dropLast()))?.place == "stat section SCOR")
    #expect(try refusal([0, 0], scores, meta: [70, .max, 0, 0])?.code == .limitExceeded)
  }

  @Test(
    "a bitmap is what asking title by title says, for as long as it says", arguments: [0, 3600, 86_400 * 30])
  func allowed(holding: Int64) throws {
    let (view, _, _, _) = try grown()
    var random = SplitMix(seed: 77)
    for name in ["GB", "BR", "ZZ", "??"] {
      let country = CountryCode(ofRequest: name)
      let at = now.advanced(bySeconds: Int64(random.next() % 10_000_000) - 5_000_000)
      let allowed = view.allowed(country: country, maturityMax: 12, at: at, holdingSeconds: holding)
      #expect(allowed.isValid(at: at) && !allowed.isValid(at: allowed.validUntil))
      #expect(allowed.count == allowed.bitmap.setCount && allowed.count > 0)
      let last = Timestamp(milliseconds: min(allowed.validUntil.milliseconds - 1, at.milliseconds + 1 << 40))
      for ordinal in 0..<UInt32(view.count) {
        let isFine = view.isLive(ordinal) && view.maturity(ordinal) <= 12
        let atStart = isFine && view.isLicensed(ordinal, country, at: at)
        let atEnd = isFine && view.isLicensed(ordinal, country, at: last)
        if holding == 0 {
          #expect(allowed.bitmap[Int(ordinal)] == atStart && atStart == atEnd)
        } else {
          #expect(allowed.bitmap[Int(ordinal)] == (atStart && atEnd))
        }
      }
    }
  }

  @Test("an unknown country sees what is licensed everywhere, and only that")
  func unknownCountry() throws {
    let gb = try #require(CountryCode("GB"))
    let base = try base([
      Title(id: "a", name: "a"), Title(id: "b", name: "b", licences: [Licence(country: gb)]),
      Title(id: "c", name: "c", licences: []),
    ])
    let view = try view(base, nil, live: Bitmap(count: 3, filled: true), scores: TitleScores(count: 3))
    for (text, words) in [("GB", UInt64(3)), ("gb", 1), ("*", 1), ("", 1), ("FR", 1)] {
      let allowed = view.allowed(country: CountryCode(ofRequest: text), maturityMax: 18, at: now)
      #expect(allowed.bitmap.words == [words])
      #expect(allowed.validUntil.milliseconds == .max)
    }
  }

  @Test("lists are what sorting everything says", arguments: [0, 1, 7, 100, 10_000])
  func lists(limit: Int) throws {
    let (view, _, _, _) = try grown()
    let allowed = view.allowed(country: CountryCode(ofRequest: "GB"), maturityMax: 16, at: now)
    let live = (0..<UInt32(view.count)).filter { view.isLive($0) }
    func sorted(_ ordinals: [UInt32], by score: (UInt32) -> Float) -> [UInt32] {
      Array(ordinals.sorted { (-score($0), $0) < (-score($1), $1) }.prefix(limit))
    }
    #expect(view.popular(limit) == sorted(live) { view.popularity($0) })
    let some = live.filter { allowed.bitmap[Int($0)] }
    #expect(view.popular(limit, allowed: allowed.bitmap) == sorted(some) { view.popularity($0) })
    #expect(view.trending(limit) == sorted(live.filter { view.trending($0) > 0 }) { view.trending($0) })
    let day = Day(of: now)
    let released = live.filter { view.releaseDay($0).map { $0 <= day.number } ?? false }
    #expect(view.new(limit, on: day) == sorted(released) { Float(view.releaseDay($0) ?? 0) })
  }

  @Test("scores survive within a quarter of a ten-thousandth")
  func quantised() throws {
    let base = try base((0..<3).map { Title(id: "\($0)", name: "n") })
    let scores = TitleScores(
      popularity: [0, 0.123456, 1], trending: [-1, 2, .nan].map { $0.isNaN ? 0 : $0 })
    let view = try view(base, nil, live: Bitmap(count: 3, filled: true), scores: scores)
    #expect(view.popularity(0) == 0 && view.popularity(2) == 1)
    #expect(abs(view.popularity(1) - 0.123456) < 0.000025)
    #expect(view.trending(0) == 0 && view.trending(1) == 1)
  }

  @Test(
    "many titles are found at once as they are one by one, by ids that are there, changed, gone or never were"
  )
  func foundMany() throws {
    let (view, titles, base, _) = try grown()
    let ids = titles.map(\.id) + (0..<base.count).map { base.id($0) } + ["", "nobody", "brand new"]
    var found: [UInt32?] = [7]
    view.find(ids.count, id: { ids[$0] }, found: &found)
    #expect(found == ids.map { view.ordinal(ofID: $0) })
    #expect(found.contains(nil) && found.contains { $0.map { Int($0) >= base.count } ?? false })
    view.find(0, id: { ids[$0] }, found: &found)
    #expect(found.isEmpty)
  }

  @Test("what is gathered of many titles is what each has, in base and tail")
  func gathered() throws {
    let titles = (0..<200).map { number -> Title in
      var title = Title(id: "\(number)", name: "n", maturity: UInt8(number % 19))
      if number % 3 != 0 { title.genres = ["g\(number % 40)", "h"] }
      if number % 5 != 0 { title.released = Day(number: Int32(number * 100 - 9000)) }
      return title
    }
    let base = try base(Array(titles.prefix(150)))
    var writer = CataloguePartWriter(genreNames: base.genreNames)
    for title in titles.dropFirst(150) { try writer.add(title) }
    try writer.write(to: directory.file("more"))
    var scores = TitleScores(count: 200)
    for number in 0..<200 {
      scores.popularity[number] = Float(number) / 200
      scores.trending[number] = 1 - Float(number) / 200
    }
    let view = try view(base, open("more"), live: Bitmap(count: 200, filled: true), scores: scores)
    let ordinals = [199, 0, 150, 149, 77, 77, 3] + [UInt32](0..<200)
    var signals = [TitleSignals](repeating: TitleSignals(), count: ordinals.count)
    ordinals.withUnsafeBufferPointer { ordinals in
      signals.withUnsafeMutableBufferPointer { view.gather(ordinals, into: $0) }
    }
    for (ordinal, signal) in zip(ordinals, signals) {
      let title = titles[Int(ordinal)]
      #expect(signal.facts.maturity == title.maturity && signal.facts.releaseDay == title.released?.number)
      #expect(signal.facts.genres.nonzeroBitCount == title.genres.count)
      #expect(signal.facts == view.facts(ordinal))
      #expect(signal.popularity == view.popularity(ordinal) && signal.trending == view.trending(ordinal))
    }
  }
}
