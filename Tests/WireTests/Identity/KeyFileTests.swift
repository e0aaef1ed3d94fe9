import Base
import Glibc
import Testing

@testable import Wire

@Suite struct KeyFileTests {
  private func starts(_ configuration: TLSConfiguration) -> Bool {
    do throws(Fault) {
      _ = try TLSContext(configuration, side: .server)
      return true
    } catch {
      #expect(error.code == .failedPrecondition && error.message.contains("key"), "\(error)")
      return false
    }
  }

  @Test(
    "a key that anybody but its owner can read or write refuses to start",
    arguments: [
      0o600, 0o400, 0o640, 0o604, 0o620, 0o602, 0o610, 0o601, 0o644, 0o666, 0o777,
    ] as [mode_t])
  func modes(_ mode: mode_t) throws {
    let fixture = try TLSTests.Fixture()
    chmod(fixture.server.privateKey, mode)
    #expect(starts(fixture.server.configuration()) == (mode & 0o077 == 0))
  }

  @Test("a link to a key is judged by the key, not by the link")
  func links() throws {
    let fixture = try TLSTests.Fixture()
    var configuration = fixture.server.configuration()
    let link = fixture.directory + "/server/link.key"
    symlink(fixture.server.privateKey, link)
    configuration.privateKeyFile = link
    #expect(starts(configuration))
    chmod(fixture.server.privateKey, 0o644)
    #expect(!starts(configuration))
  }

  @Test("a directory in which anybody can put another key refuses to start, that of a link too")
  func directories() throws {
    let fixture = try TLSTests.Fixture()
    let folder = fixture.directory + "/server"
    chmod(folder, 0o777)
    #expect(!starts(fixture.server.configuration()))
    chmod(folder, 0o1777)
    #expect(starts(fixture.server.configuration()))
    chmod(folder, 0o775)
    #expect(starts(fixture.server.configuration()))
    var configuration = fixture.server.configuration()
    let link = fixture.directory + "/open/link.key"
    mkdir(fixture.directory + "/open", 0o777)
    symlink(fixture.server.privateKey, link)
    configuration.privateKeyFile = link
    #expect(starts(configuration))
    chmod(fixture.directory + "/open", 0o777)
    #expect(!starts(configuration))
  }

  @Test("what is no file is no key, and a pipe doesn't hold the start up")
  func others() throws {
    let fixture = try TLSTests.Fixture()
    var configuration = fixture.server.configuration()
    configuration.privateKeyFile = fixture.directory
    #expect(!starts(configuration))
    let pipe = fixture.directory + "/server/pipe.key"
    mkfifo(pipe, 0o600)
    configuration.privateKeyFile = pipe
    #expect(!starts(configuration))
  }

  @Test("a damaged certificate behind a good one is damage, not an end")
  func damagedBundle() throws {
    let fixture = try TLSTests.Fixture()
    let good = try SystemDisk().read(fixture.server.authorities, limit: 1 << 20)
    let broken = good.map { $0 == UInt8(ascii: "M") ? UInt8(ascii: "*") : $0 }
    #expect(try PEM.certificates(good + good, of: "x").count == 2)
    #expect(throws: Fault.self) { try PEM.certificates(good + broken, of: "x") }
    #expect(throws: Fault.self) { try PEM.certificates([], of: "x") }
    #expect(throws: Fault.self) { try PEM.certificates(Array("nothing\n".utf8), of: "x") }
  }
}
