import Base
import Testing

@testable import Catalogue

@Suite struct CatalogueGeneratorTests {
  private let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  private func generator(
    _ titles: Int = 800, _ profiles: Int = 60, seed: UInt64 = 3, prefix: String = "syn-", percent: Double = 0
  ) -> CatalogueGenerator {
    CatalogueGenerator(
      titleCount: titles, profileCount: profiles, seed: seed, idPrefix: prefix, changePercent: percent,
      changeSeed: 11)
  }

  @Test("the same parameters write the same bytes, another seed writes others")
  func deterministic() throws {
    let first = try generator().write(to: directory.file("a"))
    _ = try generator().write(to: directory.file("b"))
    _ = try generator(seed: 4).write(to: directory.file("c"))
    for name in ["titles.jsonl", "interactions.csv", "catalogue.json"] {
      #expect(try directory.read("a/" + name) == directory.read("b/" + name))
      #expect(try directory.read("a/" + name) != directory.read("c/" + name))
    }
    #expect(
      first.manifest.synthetic && first.manifest.origin.contains("synthetic") && first.manifest.seed == 3)
    #expect(first.manifest.titleCount == 800 && first.manifest.profileCount <= 60)
  }

  @Test("two prefixes share no title")
  func disjoint() {
    let ids = Set((0..<800).map { generator().titleID($0) })
    #expect(ids.isDisjoint(with: (0..<800).map { generator(prefix: "other-").titleID($0) }))
  }

  @Test("a change of five percent changes about so many titles and keeps ids, clusters and interactions")
  func changes() throws {
    let before = generator(4000)
    let after = generator(4000, percent: 5)
    var changed = 0
    for index in 0..<4000 {
      let old = before.title(index)
      let new = after.title(index)
      #expect(old.id == new.id && old.released == new.released)
      #expect((old != new) == after.isChanged(index))
      #expect(before.clusterOfTitle(index) == after.clusterOfTitle(index))
      if old != new { changed += 1 }
    }
    #expect((140...260).contains(changed))
    _ = try generator().write(to: directory.file("a"))
    _ = try generator(percent: 5).write(to: directory.file("b"))
    #expect(try directory.read("a/interactions.csv") == directory.read("b/interactions.csv"))
  }

  @Test("licences, maturities and releases are of every sort")
  func variety() {
    let generator = generator(4000)
    let titles = (0..<4000).map { generator.title($0) }
    let now = generator.endsAt
    let countries = CatalogueGenerator.countries.compactMap { CountryCode($0) }
    #expect(countries.count == CatalogueGenerator.countries.count)
    func visible(_ title: Title, _ moment: Timestamp) -> Int {
      countries.filter { country in title.licences.contains { $0.covers(country, at: moment) } }.count
    }
    let counts = titles.map { visible($0, now) }
    #expect(counts.contains(0) && counts.contains(countries.count))
    #expect(counts.contains { (1...4).contains($0) })
    let expired = titles.filter { $0.licences.allSatisfy { $0.toSeconds <= now.milliseconds / 1000 } }
    let future = titles.filter { $0.licences.allSatisfy { $0.fromSeconds > now.milliseconds / 1000 } }
    #expect(expired.count > 40 && future.count > 40)
    #expect(Set(titles.map(\.maturity)).count >= 4)
    #expect(titles.contains { $0.released.map { $0 > Day(of: now) } ?? false })
  }

  @Test("profiles reject some, watch in time order within 60 days, and popularity has a long tail")
  func history() throws {
    let generator = generator(2000, 400)
    let shelf = GeneratedShelf(generator)
    var seen: [String: Int] = [:]
    var kinds: Set<Int> = []
    for profile in 0..<400 {
      let interactions = generator.interactions(ofProfile: profile, shelf: shelf)
      let times = interactions.map(\.at)
      #expect(times == times.sorted())
      #expect(
        times.allSatisfy {
          $0 < generator.endsAt
            && $0 >= generator.endsAt.advanced(bySeconds: -CatalogueGenerator.historySeconds - 1)
        })
      for interaction in interactions {
        kinds.insert(interaction.kind.rawValue)
        seen[interaction.titleID, default: 0] += 1
      }
    }
    #expect(kinds.isSuperset(of: [Event.Kind.hoverSkip.rawValue, Event.Kind.abandon.rawValue]))
    let counts = seen.values.sorted(by: >)
    let top = counts.prefix(counts.count / 20).reduce(0, +)
    #expect(Double(top) > 0.2 * Double(counts.reduce(0, +)))
  }
}
