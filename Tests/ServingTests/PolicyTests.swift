import Base
import Testing

@testable import Serving

@Suite struct PolicyTests {
  private func refusal(_ change: (inout Policy) -> Void) -> Refusal? {
    var policy = Policy.default
    change(&policy)
    do {
      _ = try Policy.decode(policy.encode())
      return nil
    } catch { return error }
  }

  private func refusal(json: String) -> Refusal? {
    do {
      _ = try Policy.decode(Array(json.utf8))
      return nil
    } catch { return error }
  }

  private func edited(_ from: String, _ to: String) -> Refusal? {
    let json = String(decoding: Policy.default.encode(), as: UTF8.self)
    #expect(json.contains(from), "the default policy has \(from)")
    return refusal(json: json.replacing(from, with: to, maxReplacements: 1))
  }

  @Test func `the default policy comes back from its bytes, which are always the same`() throws {
    let bytes = Policy.default.encode()
    #expect(try Policy.decode(bytes) == Policy.default)
    #expect(try Policy.decode(bytes).encode() == bytes)
    #expect(Policy.default.quotas.total == 500)
    #expect(Policy.default.budgets.totalMilliseconds == 50)
  }

  @Test func `a policy of before there was co-watching goes on without it`() throws {
    let json = try #require(String(validating: Policy.default.encode(), as: UTF8.self))
    let line = try #require(json.split(separator: "\n").first { $0.contains("co_watched") })
    let old = try Policy.decode(Array(json.replacing(line + "\n", with: "").utf8))
    #expect(old.quotas.coWatched == 0 && old.quotas.similar == Policy.default.quotas.similar)
  }

  @Test func `pins, editorial lists and surfaces come back too`() throws {
    var policy = Policy.default
    policy.editorial = [
      .init(id: "prizes", titleIDs: ["t2", "t3"], surfaces: ["home"]), .init(id: "b", titleIDs: []),
    ]
    policy.quotas.editorial = 20
    policy.pins = [.init(titleID: "t1", rowID: "top_picks", surface: "home", position: 3)]
    #expect(try Policy.decode(policy.encode()) == policy)
  }

  @Test func `what is out of bounds is refused with its place`() {
    let cases: [(String, (inout Policy) -> Void)] = [
      ("policy.quotas.editorial", { $0.editorial = [.init(id: "a", titleIDs: ["t"])] }),
      ("policy.quotas.editorial", { $0.quotas.editorial = -1 }),
      ("policy.editorial[0].id", { $0.editorial = [.init(id: "", titleIDs: ["t"])] }),
      ("policy.editorial[1].id", { $0.editorial = ["a", "a"].map { .init(id: $0, titleIDs: []) } }),
      ("policy.editorial[0].titles", { $0.editorial = [.init(id: "a", titleIDs: [""])] }),
      (
        "policy.editorial[0].titles",
        { $0.editorial = [.init(id: "a", titleIDs: [String](repeating: "t", count: 1001))] }
      ),
      ("policy.editorial[0].surfaces", { $0.editorial = [.init(id: "a", titleIDs: [], surfaces: [""])] }),
      ("policy.editorial", { $0.editorial = (0..<65).map { .init(id: "\($0)", titleIDs: []) } }),
      ("policy.rows", { $0.rows = [] }),
      ("policy.rows", { $0.rows.removeAll { $0.kind == .topPicks } }),
      ("policy.rows[1].id", { $0.rows[1].id = $0.rows[0].id }),
      ("policy.rows[1].id", { $0.rows[1].id = "" }),
      ("policy.rows[2].name", { $0.rows[2].name = "" }),
      ("policy.rows[0].title_count", { $0.rows[0].titleCount = 0 }),
      ("policy.rows[0].title_count", { $0.rows[0].titleCount = 101 }),
      ("policy.rows[0].surfaces", { $0.rows[0].surfaces = [""] }),
      ("policy.budgets.features_milliseconds", { $0.budgets.featuresMilliseconds = 0 }),
      ("policy.budgets.assembly_milliseconds", { $0.budgets.assemblyMilliseconds = 10_001 }),
      ("policy.quotas.similar", { $0.quotas.similar = -1 }),
      ("policy.quotas.co_watched", { $0.quotas.coWatched = -1 }),
      (
        "policy.quotas",
        {
          $0.quotas = .init(
            similar: 2000, continueWatching: 0, becauseYouWatched: 0, trending: 49, new: 0, popular: 0)
        }
      ),
      ("policy.diversity.genre_share_max", { $0.diversity.genreShareMax = 0 }),
      ("policy.recency_boost.weight", { $0.recencyBoost.weight = -0.1 }),
      ("policy.recency_boost.half_life_days", { $0.recencyBoost.halfLifeDays = 0 }),
      ("policy.pins[0].row", { $0.pins = [.init(titleID: "t", rowID: "nowhere", position: 0)] }),
      ("policy.pins[0].position", { $0.pins = [.init(titleID: "t", rowID: "top_picks", position: 20)] }),
      ("policy.pins[0].title", { $0.pins = [.init(titleID: "", rowID: "top_picks", position: 0)] }),
    ]
    for (place, change) in cases {
      let refusal = refusal(change)
      #expect(refusal?.code == .malformed)
      #expect(refusal?.place == place, "\(String(describing: refusal))")
    }
  }

  @Test func `a misspelt key is refused, and named`() {
    let refusal = edited("\"title_count\"", "\"title_cuont\"")
    #expect(refusal?.place == "policy.rows.[0].title_cuont" || refusal?.place == "policy.rows[0].title_cuont")
    #expect(refusal?.message.contains("title_count") == true)
  }

  @Test func `an unknown kind, a wrong type, a missing key and another format are refused`() {
    #expect(edited("\"kind\" : \"trending\"", "\"kind\" : \"trendy\"")?.code == .malformed)
    #expect(edited("\"weight\" : 0.05", "\"weight\" : \"much\"")?.place == "policy.recency_boost.weight")
    #expect(edited("\"format_version\" : 1", "\"format_version\" : 2")?.place == "policy.format_version")
    #expect(refusal(json: "{\"format_version\":1}")?.message.contains("rows") == true)
  }

  @Test func `what is no JSON is refused, however deep or long`() {
    #expect(refusal(json: "")?.code == .malformed)
    #expect(refusal(json: "{")?.code == .malformed)
    #expect(refusal(json: String(repeating: "[", count: 100_000))?.code == .malformed)
    #expect(refusal(json: String(repeating: " ", count: Policy.byteCountMax + 1))?.code == .limitExceeded)
  }
}
