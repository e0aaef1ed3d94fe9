import Base
import Glibc
import Testing

@testable import Wire

/// How an authority keeps its list.
@Suite struct RevocationListTests {
  private func lists(_ fixture: TLSTests.Fixture) throws -> [RevocationList] {
    let path = fixture.authority.listPath
    return try PEM.lists(try SystemDisk().read(path, limit: 1 << 20), of: path)
  }

  @Test("a new authority has an empty list; what is revoked stays in it, once each, and it is counted")
  func grows() throws {
    let fixture = try TLSTests.Fixture()
    #expect(try lists(fixture).map(\.number) == [1] && lists(fixture)[0].entries.isEmpty)
    let files = try ["a", "b"].map {
      try fixture.authority.issue(role: .ops, name: $0, into: fixture.directory + "/ca")
    }
    let folder = fixture.directory + "/ca"
    let byName = try fixture.authority.serial(of: "a", in: folder)
    let byFile = try fixture.authority.serial(of: files[1].certificateChain, in: "/nowhere")
    #expect(byName != byFile)
    #expect(byName == (try Certificate.read(files[0].certificateChain).serial))
    let report = try fixture.authority.relist(revoking: [byName])
    #expect(report.number == 2 && report.revokedCount == 1 && report.path == fixture.authority.listPath)
    #expect(try fixture.authority.relist(revoking: [byName, byFile]).revokedCount == 2)
    #expect(try fixture.authority.relist(revoking: [SerialNumber(byFile.description)]).revokedCount == 2)
    let last = try lists(fixture)[0]
    #expect(last.number == 4 && Set(last.entries.map(\.serial)) == [byName, byFile])
    let (_, authority, _) = try fixture.authority.signer()
    #expect(last.isOf(authority) && last.isSigned(by: authority))
  }

  @Test("certificates say where the list is, and it is ready there to be served")
  func published() throws {
    let fixture = try TLSTests.Fixture()
    let (_, authority, _) = try fixture.authority.signer()
    let name = try authority.keyName()
    let leaf = try Certificate.read(fixture.server.certificateChain)
    #expect(leaf.revocationURL == "http://crl.marquee.test/\(name).crl")
    let published = fixture.authority.publishedDirectory
    #expect(try SystemDisk().list(published) == ["\(name).crl"])
    #expect(try SystemDisk().read("\(published)/\(name).crl", limit: 1 << 20) == lists(fixture)[0].der())
    _ = try fixture.authority.relist(revoking: [try SerialNumber("01")])
    #expect(try SystemDisk().read("\(published)/\(name).crl", limit: 1 << 20) == lists(fixture)[0].der())
    for url in [
      "", "http://", "ftp://x", "crl.example", "http://a,URI:http://b", "http://a b", "http://a/",
      "http://a\n", "http://" + String(repeating: "a", count: 600),
    ] {
      #expect(throws: Fault.self, "\(url)") {
        try DevelopmentAuthority.create(
          in: fixture.directory + "/other", trustDomain: "marquee.test", listBase: url)
      }
    }
    let other = try DevelopmentAuthority.create(
      in: fixture.directory + "/other", trustDomain: "marquee.test", listBase: "http://lists.example:8080/x~1"
    )
    let files = try other.issue(role: .edge, name: "e", into: fixture.directory + "/other")
    let url = try Certificate.read(files.certificateChain).revocationURL
    #expect(url?.hasPrefix("http://lists.example:8080/x~1/") == true)
    try other.roll()
    _ = try other.renew(name: "e", in: fixture.directory + "/other")
    let next = try Certificate.read(files.certificateChain).revocationURL
    #expect(next != url && next?.hasPrefix("http://lists.example:8080/x~1/") == true)
  }

  @Test("a roll leaves the old authority's last list, good as long as itself, until that is retired")
  func roll() throws {
    let fixture = try TLSTests.Fixture()
    let (_, old, _) = try fixture.authority.signer()
    let stolen = try fixture.issue(.edgeClient, "stolen")
    try fixture.revoke("stolen")
    try fixture.authority.roll()
    let (_, new, _) = try fixture.authority.signer()
    let both = try lists(fixture)
    #expect(both.count == 2 && both[0].isOf(new) && both[1].isOf(old) && both[1].isSigned(by: old))
    #expect(both[0].entries.isEmpty && both[1].entries.count == 1)
    let margin = abs((both[1].end?.milliseconds ?? 0) - (old.end?.milliseconds ?? .max))
    #expect(margin <= 2000)
    // What the old one signed can't be revoked any more: it ends with it.
    let fault = #expect(throws: Fault.self) {
      try fixture.authority.serial(of: "server", in: fixture.directory + "/server")
    }
    #expect(fault?.message.contains("retire") == true)
    #expect(try fixture.authority.relist().number == 2)
    #expect(try lists(fixture).map { $0.isOf(old) } == [false, true])
    #expect(try fixture.authority.retire() == 1)
    #expect(try lists(fixture).map { $0.isOf(new) } == [true])
    _ = stolen
  }

  @Test("what can't be revoked by this list is refused, with what to do instead")
  func refused() throws {
    let fixture = try TLSTests.Fixture()
    let stranger = try TLSTests.Fixture()
    let cases = [
      (fixture.directory + "/ca/authority.pem", "certs roll"),
      (stranger.server.certificateChain, "isn't signed by"),
      ("nobody", "neither"), (fixture.server.privateKey, "no certificate"),
    ]
    for (target, reason) in cases {
      let fault = #expect(throws: Fault.self) {
        try fixture.authority.serial(of: target, in: fixture.directory)
      }
      #expect(fault?.message.contains(reason) == true, "\(fault?.message ?? "")")
    }
    for days in [-1, 0, 3651] { #expect(throws: Fault.self) { try fixture.authority.relist(days: days) } }
    // A list that somebody without the key has touched isn't signed on.
    let (_, issuer, _) = try fixture.authority.signer()
    let forged = try RevocationList.sign(
      [], number: 7, endSeconds: 1000, issuer: issuer, key: KeyPair.generate())
    try PrivateFile.write(try forged.pem(), to: fixture.authority.listPath, mode: 0o644)
    #expect(throws: Fault.self) { try fixture.authority.relist() }
  }

  @Test("an authority from before there were lists gets one by its next certificate, but not amid its roll")
  func older() throws {
    let fixture = try TLSTests.Fixture()
    unlink(fixture.authority.listPath)
    _ = try fixture.issue(.ops, "first")
    #expect(try lists(fixture).map(\.number) == [1])
    try fixture.authority.roll()
    unlink(fixture.authority.listPath)
    let plain = try fixture.issue(.ops, "second")
    #expect(try !fixture.authority.canList())
    let chain = try #require(plain.certificateChainFile)
    #expect(try Certificate.read(chain).revocationURL == nil)
    let fault = #expect(throws: Fault.self) { try fixture.authority.relist() }
    #expect(fault?.message.contains("retire") == true)
    _ = try fixture.authority.retire()
    #expect(try fixture.authority.relist().number == 1)
  }

  @Test("a serial number is read as tools print it")
  func serials() throws {
    for text in ["4F:02", "0x4f02", "4f02", "0004F02"] {
      #expect(try SerialNumber(text).description == "4f02")
    }
    #expect(try SerialNumber("a").description == "0a")
    for text in ["", "0", "00:00", "xyz", "-1", "4f 02", "é", String(repeating: "ab", count: 21)] {
      #expect(throws: Fault.self, "\(text)") { try SerialNumber(text) }
    }
  }
}
