import Base
import Catalogue
import Ranking
import Retrieval
import Snapshots
import Testing

@testable import Serving

@Suite struct GenerationTests {
  let time = ManualTime(now: TestSnapshot.now)

  private func refusal(_ snapshot: TestSnapshot) -> Refusal? {
    do {
      _ = try snapshot.open(time: time)
      return nil
    } catch { return error as? Refusal }
  }

  @Test func `a sound snapshot opens and bears its versions`() throws {
    let generation = try TestSnapshot(sequence: 9).open(time: time)
    #expect(generation.sequence == 9)
    #expect(generation.name.space == "space-a")
    #expect(generation.name.policy == "policy-a")
    #expect(generation.name.digest == generation.digest.hex)
    #expect(generation.catalogue.liveCount == 120)
  }

  @Test func `a base and a tail with dead slots open as one`() throws {
    var snapshot = TestSnapshot(count: 80, tailCount: 10)
    snapshot.dead = [3, 4, 5]
    let generation = try snapshot.open(time: time)
    #expect(generation.catalogue.count == 90)
    #expect(generation.catalogue.liveCount == 87)
    #expect(generation.index.count == 90)
  }

  @Test func `golden queries whose answers are others are a mismatch`() {
    var snapshot = TestSnapshot()
    // Those of another genre.
    snapshot.golden = [.init(watched: ["a0"], expected: (0..<10).map { "a\($0 * 6 + 1)" })]
    #expect(refusal(snapshot)?.code == .goldenMismatch)
    snapshot.golden = [.init(watched: ["nobody"], expected: ["a0"])]
    #expect(refusal(snapshot)?.code == .goldenMismatch)
    #expect(refusal(snapshot)?.place == "golden/all query 0")
  }

  @Test func `one wrong golden answer in ten is borne, two are not`() throws {
    var snapshot = TestSnapshot(count: 12)
    snapshot.genre = { $0 < 10 ? 0 : $0 - 9 }
    let right = (0..<10).map { "a\($0)" }
    snapshot.golden = [.init(watched: ["a0"], expected: right)]
    #expect(refusal(snapshot) == nil)
    snapshot.golden = [.init(watched: ["a0"], expected: right.dropLast(1) + ["a10"])]
    #expect(refusal(snapshot) == nil)
    snapshot.golden = [.init(watched: ["a0"], expected: right.dropLast(2) + ["a10", "a11"])]
    #expect(refusal(snapshot)?.code == .goldenMismatch)
  }

  @Test func `neighbours have a tail beside the catalogue's, and must end where it does`() throws {
    var snapshot = TestSnapshot()
    (snapshot.count, snapshot.tailCount) = (80, 10)
    // The new titles are 80 to 89, and one of them is watched with one of the base.
    snapshot.wanted = [[2, 85], [2, 85], [2, 8], [2, 8]]
    let neighbours = try #require(try snapshot.open(time: time).neighbours)
    var found: Set<UInt32> = []
    neighbours.forEach(of: 85) { ordinal, _ in found.insert(ordinal) }
    #expect(found == [2] && neighbours.titleCount == 90)
    snapshot.neighbourBaseCount = 70
    #expect(refusal(snapshot)?.place == "neighbours/base")
  }

  @Test func `segments whose counts disagree are refused`() {
    var snapshot = TestSnapshot()
    snapshot.vectorCountOff = 1
    #expect(refusal(snapshot)?.place == "vectors/base")
    snapshot.vectorCountOff = 0
    snapshot.titleCountOff = 1
    #expect(refusal(snapshot)?.place == "statistics/all")
    #expect(refusal(snapshot)?.code == .unreadable)
  }

  @Test func `parts that are not those of the catalogue are refused`() {
    var snapshot = TestSnapshot(count: 60, tailCount: 6)
    snapshot.leavesOut = ["index/tail"]
    #expect(refusal(snapshot)?.place == "index")
    snapshot.leavesOut = ["catalogue/base"]
    #expect(refusal(snapshot)?.place == "catalogue")
    snapshot.leavesOut = ["ranker/all"]
    #expect(refusal(snapshot)?.place == "ranker/all")
    snapshot.leavesOut = ["golden/all"]
    #expect(refusal(snapshot)?.place == "golden/all")
  }

  @Test func `a ranker that wants other features is refused`() {
    var snapshot = TestSnapshot()
    snapshot.rankerFeatures[0] = "similarity_of_old"
    #expect(refusal(snapshot)?.place == "ranker/all")
    #expect(refusal(snapshot)?.message.contains("similarity_of_old") == true)
  }

  @Test(arguments: [
    "policy/all", "golden/all", "features/all", "statistics/all", "catalogue/base", "index/base",
    "neighbours/base",
  ])
  func `a segment of nonsense is refused by its name`(segment: String) {
    var snapshot = TestSnapshot()
    snapshot.wanted = [[1, 2], [1, 2]]
    snapshot.replaced = [segment: Array("nonsense".utf8)]
    let refusal = refusal(snapshot)
    let kind = segment.split(separator: "/")[0]
    #expect(refusal?.place.hasPrefix(kind) == true, "\(String(describing: refusal))")
  }

  @Test func `an audience is kept while it is valid and made again after`() throws {
    let generation = try TestSnapshot().open(time: time)
    let key = Audiences.Key(country: CountryCode(ofRequest: "DE"), maturityMax: 18)
    let first = generation.audiences.audience(key, now: time.now)
    #expect(generation.audiences.audience(key, now: time.now) === first)
    time.advance(milliseconds: Audience.holdingSeconds * 1000 + 1)
    #expect(generation.audiences.audience(key, now: time.now) !== first)
  }

  @Test func `audiences are made again ahead of time, and forgotten when nobody asks`() throws {
    let generation = try TestSnapshot().open(time: time)
    let key = Audiences.Key(country: CountryCode(ofRequest: "DE"), maturityMax: 18)
    let first = generation.audiences.audience(key, now: time.now)
    time.advance(milliseconds: Audience.holdingSeconds * 1000 - 1000)
    generation.audiences.refresh(now: time.now)
    let second = generation.audiences.audience(key, now: time.now)
    #expect(second !== first)
    time.advance(milliseconds: 700_000)
    generation.audiences.refresh(now: time.now)
    #expect(generation.audiences.keys.isEmpty)
  }

  @Test func `audiences stay within their number`() throws {
    let generation = try TestSnapshot(count: 12).open(time: time)
    for letter in 0..<26 {
      for maturity in 0..<8 {
        let country = "A" + String(UnicodeScalar(UInt8(65 + letter)))
        _ = generation.audiences.audience(
          .init(country: CountryCode(ofRequest: country), maturityMax: UInt8(maturity)), now: time.now)
      }
    }
    #expect(generation.audiences.keys.count == Audiences.countMax)
  }
}
