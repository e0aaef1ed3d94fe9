import Base
import Testing
import Wire

@Suite struct FollowCodecTests {
  private func report(_ bytes: [UInt8]) -> String {
    do { return "\(try FollowCodec.decodeReport(bytes))" } catch { return error.message }
  }

  private func directive(_ bytes: [UInt8]) -> String {
    do { return "\(try FollowCodec.decodeDirective(bytes))" } catch { return error.message }
  }

  private let status = field(4, field(1, 1))
  private let hello = field(1, raw(field(1, "eu"), field(2, "eu-1"), field(3, "h:1")))
  private let refusal = field(3, raw(field(1, "expired")))

  @Test("reports that say nothing, or two things at once, are refused")
  func reports() {
    #expect(report([]) == "FollowRequest: status is required")
    #expect(report(field(4, [])) == "FollowRequest: status.phase 0 is no ReplicaPhase")
    #expect(report(field(4, field(1, 9))) == "FollowRequest: status.phase 9 is no ReplicaPhase")
    #expect(report(raw(hello, field(2, 3), status)).contains("hello answers no directive"))
    #expect(report(raw(hello, refusal, status)).contains("hello answers no directive"))
    #expect(report(raw(field(1, field(1, "eu")), status)) == "FollowRequest: hello.replica is required")
    #expect(report(raw(refusal, status)) == "FollowRequest: nonce of what is refused is required")
    #expect(
      report(raw(field(2, 1), field(3, field(1, "boring")), status))
        == "FollowRequest: refusal.code \"boring\" is no code of a refusal")
    #expect(report(raw(status, status)) == "FollowRequest: status is given twice")
    #expect(
      report(field(4, raw(field(1, 1), field(3, [1, 2]))))
        == "FollowRequest: status.serving_digest has 2 bytes, a SHA-256 has 32")
    #expect(
      report(field(4, raw(field(1, 1), field(4, [UInt8](repeating: 1, count: 65)))))
        == "FollowRequest: status.staged has 65 elements, more than 64")
  }

  @Test("a directive is one thing")
  func directives() {
    let stage = field(2, field(1, field(3, "key")))
    let routing = field(4, field(1, 3))
    #expect(directive(raw(stage)) == "Directive: nonce is required")
    #expect(directive(field(1, 1)).contains("one of stage, announce and routing"))
    #expect(directive(raw(field(1, 1), stage, routing)).contains("one of stage, announce and routing"))
    #expect(directive(raw(field(1, 1), field(2, []))) == "Directive: stage.manifest is required")
    #expect(
      directive(raw(field(1, 1), field(2, raw(field(1, []), field(2, "")))))
        == "Directive: stage.peers[0] is required")
    #expect(
      directive(raw(field(1, 1), field(3, field(1, 4))))
        == "Directive: announce.digest has 0 bytes, a SHA-256 has 32")
    let twin = field(2, field(1, "eu"))
    #expect(
      directive(raw(field(1, 1), field(4, raw(twin, twin))))
        == "Directive: routing.regions name one region twice")
  }

  @Test("what a replica has too much to say of is cut, at a character")
  func longTexts() throws {
    let long = String(repeating: "日", count: 5000)
    let report = FollowReport.refused(
      nonce: 1, refusal: Refusal(.corrupt, at: long, long), status: ReplicaStatus())
    guard case .refused(_, let refusal, _) = try FollowCodec.decodeReport(FollowCodec.encode(report)) else {
      Issue.record("was not a refusal")
      return
    }
    #expect(refusal.place == String(repeating: "日", count: 4096 / 3))
    #expect(refusal.message == refusal.place)
  }

  @Test("of more refused versions than a message holds, the newest are told")
  func manyRefused() throws {
    let versions = (1...100).map {
      ReplicaStatus.RefusedVersion(
        sequence: $0, digest: Digest(of: [1]), refusal: Refusal(.corrupt, at: "base", "broken"))
    }
    let report = FollowReport.changed(ReplicaStatus(refused: versions))
    guard case .changed(let status) = try FollowCodec.decodeReport(FollowCodec.encode(report)) else {
      Issue.record("was not a change")
      return
    }
    #expect(status.refused == Array(versions.suffix(Limits.refusedVersionCountMax)))
  }
}
