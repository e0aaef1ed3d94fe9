import Base
import Testing

@testable import Wire

@Suite struct RankCodecTests {
  private let sound = raw(field(2, "p1"), field(4, "DE"))

  private func refusal(_ bytes: [UInt8]) -> Fault? {
    do {
      _ = try RankCodec.decodeRequest(bytes)
      return nil
    } catch { return error }
  }

  @Test("what is left out of a request has its documented default")
  func defaults() throws {
    let request = try RankCodec.decodeRequest(sound)
    #expect(request == RankRequest(requestID: "", profileID: "p1", surface: "home", country: "DE"))
  }

  @Test("a country in lower case is taken, and anything else is not a country")
  func country() throws {
    #expect(try RankCodec.decodeRequest(raw(field(2, "p"), field(4, "de"))).country == "DE")
    for bad in ["D", "DEU", "D1", "ß", "日", "  "] {
      let fault = refusal(raw(field(2, "p"), field(4, bad)))
      #expect(fault?.code == .invalidArgument)
      #expect(fault?.message.hasPrefix("RankRequest: country") == true)
    }
  }

  @Test(
    "each field that is missing or out of bounds is named",
    arguments: [
      (raw(field(4, "DE")), "RankRequest: profile_id is required"),
      (raw(field(2, "p")), "RankRequest: country is required"),
      (raw(field(2, "p"), field(4, "DE"), field(5, 19)), "RankRequest: maturity_max 19"),
      (raw(field(2, "p"), field(4, "DE"), field(6, 101)), "RankRequest: titles_per_row 101"),
      (
        raw([0x0a, 0x81, 0x01], [UInt8](repeating: 0x61, count: 129)), "RankRequest: request_id has 129 bytes"
      ),
      (raw(field(1, [0x61, 0, 0x62])), "RankRequest: request_id has a NUL at byte 1"),
      (raw(field(2, [0x61, 0xff])), "RankRequest: profile_id is not UTF-8: byte 1"),
      (raw(field(2, [0xed, 0xa0, 0x80])), "RankRequest: profile_id is not UTF-8"),
      (raw(field(2, [0xc0, 0xaf])), "RankRequest: profile_id is not UTF-8"),
      (raw(field(7, [0xf4, 0x90, 0x80, 0x80])), "RankRequest: context_title_id is not UTF-8"),
      (raw(field(2, 7)), "RankRequest: profile_id has wire type 0, not 2"),
      (raw(field(8, "x")), "RankRequest: debug has wire type 2, not 0"),
      ([0x12, 5, 0x61], "RankRequest: is cut off"),
      ([0x12], "RankRequest: is cut off"),
    ])
  func naming(_ bytes: [UInt8], _ text: String) throws {
    // A sound request after it must not heal it; fields before it are those of the case.
    let fault = try #require(refusal(bytes))
    #expect(fault.code == .invalidArgument)
    #expect(fault.message.contains(text.dropFirst("RankRequest: ".count)), "\(fault.message)")
    #expect(fault.message.hasPrefix("RankRequest: "))
  }

  @Test("no request goes out with a maturity that the other side would read as 18")
  func maturityZero() throws {
    let request = RankRequest(requestID: "r", profileID: "p", country: "DE", maturityMax: 0)
    #expect(try RankCodec.decodeRequest(RankCodec.encode(request)).maturityMax == 1)
  }

  @Test("labels that this build doesn't know cost no rows")
  func newerReplica() throws {
    let title = field(3, raw(field(1, "t1"), field(4, 99)))
    let reply = try RankCodec.decodeReply(
      raw(
        field(2, raw(field(1, "top_picks"), title)), field(3, field(1, 7)), field(4, [1, 99, 7]),
        field(8, raw(field(1, 99), field(2, 5))), field(8, raw(field(1, 2), field(2, 5)))))
    #expect(reply.rows.first?.titles.first?.source == .popular)
    #expect(reply.rungs == [.noHistory, .shortRow])
    #expect(reply.stages == [RankReply.StageTime(stage: .features, microseconds: 5)])
  }

  @Test(
    "a reply that can't be read is the server's fault, not the caller's",
    arguments: [
      ([UInt8](), "snapshot is required"),
      (
        field(2, field(3, raw(field(1, "t"), [0x1d, 0, 0, 0xc0, 0x7f]))) + field(3, field(1, 1)),
        "rows[0].titles[0].score"
      ),
      (field(2, field(3, field(2, "name"))) + field(3, field(1, 1)), "rows[0].titles[0].id is required"),
      (field(3, field(1, 1)) + field(3, field(1, 2)), "snapshot is given twice"),
      (field(3, field(2, [0xff])), "snapshot.digest is not UTF-8"),
    ])
  func badReply(_ bytes: [UInt8], _ text: String) {
    do {
      _ = try RankCodec.decodeReply(bytes)
      Issue.record("\(text) was not refused")
    } catch {
      #expect(error.code == .internalError)
      #expect(error.message.contains(text), "\(error.message)")
    }
  }

  @Test("rows and titles of every length come out as they went in")
  func lengths() throws {
    var values = RandomValues(seed: 2)
    var reply = values.rankReply()
    // Nested lengths of one byte, of two and of three, at either side of where they change.
    for (titles, nameByteCounts) in [
      (0, [0]), (1, [0, 90, 130]), (3, [112, 113, 114, 115]), (100, [150, 200]),
    ] {
      for nameByteCount in nameByteCounts {
        let title = (
          id: "t", name: String(repeating: "n", count: nameByteCount), score: Float(0.5),
          source: CandidateSource.new
        )
        let row = RankReply.Row(id: "r", name: "", copying: Array(repeating: title, count: titles))
        reply.rows = [row, RankReply.Row(id: "after", name: "it", copying: [title])]
        #expect(try RankCodec.decodeReply(RankCodec.encode(reply)) == reply)
      }
    }
  }

  @Test("the pass for everyday requests reads what protobuf-c reads, or leaves it to protobuf-c")
  func everyday() throws {
    var values = RandomValues(seed: 7)
    var readCount = 0
    for round in 0..<4000 {
      var bytes = RankCodec.encode(values.rankRequest())
      // Most are damaged: bytes changed, cut off, put in, repeated.
      if round % 4 != 0, !bytes.isEmpty {
        let place = Int.random(in: 0..<bytes.count, using: &values.random)
        switch round % 4 {
        case 1: bytes[place] = UInt8.random(in: 0...255, using: &values.random)
        case 2: bytes.removeSubrange(place...)
        default: bytes.insert(contentsOf: bytes.prefix(place), at: place)
        }
      }
      guard let fields = bytes.withUnsafeBytes({ RankCodec.everydayFields($0) }) else { continue }
      readCount += 1
      #expect(try fields == RankCodec.decodeFields(bytes), "\(bytes)")
    }
    #expect(readCount > 500)
  }

  @Test("requests out of the ordinary are read by protobuf-c, and mean the same")
  func unusual() throws {
    let plain = field(2, "p") + field(4, "DE")
    let strange: [[UInt8]] = [
      // A field that nobody knows, a number of more bytes than it needs, and one that is too large.
      [15 << 3 | 2, 1, 65], [5 << 3, 0x90, 0x80, 0x00], [6 << 3, 0x90, 0x80, 0x80, 0x00],
    ]
    for addition in strange {
      #expect(try RankCodec.decodeRequest(raw(plain, addition)).profileID == "p")
    }
    let broken: [[UInt8]] = [[0xff, 0xff, 0xff], [2 << 3 | 2, 3, 0x61, 0, 0x62], [2 << 3 | 2, 1, 0xc3]]
    for bad in broken {
      #expect(refusal(raw(plain, bad))?.code == .invalidArgument)
    }
  }

  @Test("minus zero is a score, and survives")
  func minusZero() throws {
    var values = RandomValues(seed: 1)
    var reply = values.rankReply()
    reply.rows = [.init(id: "r", name: "", copying: [(id: "t", name: "", score: -0.0, source: .new)])]
    let score = try RankCodec.decodeReply(RankCodec.encode(reply)).rows.first?.titles.first?.score
    #expect(score?.bitPattern == Float(-0.0).bitPattern)
  }

  @Test("more rows or titles than the limits is refused")
  func tooMany() {
    let name = field(3, field(1, 1))
    let rows = Array(repeating: field(2, field(1, "r")), count: Limits.rowCountMax + 1).flatMap { $0 }
    #expect(throws: Fault.self) { try RankCodec.decodeReply(rows + name) }
    let fewer = Array(repeating: field(2, field(1, "r")), count: Limits.rowCountMax).flatMap { $0 }
    #expect(throws: Never.self) { try RankCodec.decodeReply(fewer + name) }
  }
}
