import Base
import Testing

@testable import Serving

@Suite struct RoutingTests {
  let directory = TestDirectory()
  var path: String { "\(directory.path)/routing" }

  private func table(_ epoch: UInt64, failedOverTo: String = "") -> RoutingTable {
    RoutingTable(
      epoch: epoch,
      regions: [
        .init(name: "eu", failedOverTo: failedOverTo, replicas: ["h:1", "h:2"], fallbacks: ["us"]),
        .init(name: "us", replicas: ["u:1", "u:2"], fallbacks: ["eu"]),
      ])
  }

  private func routing() throws -> Routing {
    try Routing(region: "eu", file: RoutingFile(path: path, disk: SystemDisk()))
  }

  private func refusal(_ routing: Routing, _ table: RoutingTable) -> Refusal.Code? {
    do {
      try routing.take(table)
      return nil
    } catch { return error.code }
  }

  @Test func `a failover is still there after a restart`() throws {
    let first = try routing()
    #expect(first.epoch == 0)
    #expect(first.drained == nil)
    try first.take(table(3, failedOverTo: "us"))
    let second = try routing()
    #expect(second.table == table(3, failedOverTo: "us"))
    let fault = try #require(second.drained)
    #expect(fault.code == .unavailable)
    #expect(
      fault.metadata == [
        RoutingMetadata.epoch: "3", RoutingMetadata.region: "us", RoutingMetadata.replicas: "u:1,u:2",
      ])
    try second.take(table(4))
    #expect(second.drained == nil)
  }

  @Test func `epochs only rise, and one epoch is one table`() throws {
    let routing = try routing()
    try routing.take(table(3))
    #expect(refusal(routing, table(3)) == nil)
    #expect(refusal(routing, table(2)) == .olderSequence)
    #expect(refusal(routing, table(3, failedOverTo: "us")) == .sequenceConflict)
    #expect(routing.table == table(3))
  }

  @Test func `a table beyond the limits is refused before it is written`() throws {
    let routing = try routing()
    var wide = table(1)
    wide.regions[0].replicas = (0..<2000).map { "h:\($0)" }
    #expect(refusal(routing, wide) == .limitExceeded)
    var long = table(1)
    long.regions[0].replicas = [String(repeating: "h", count: 300)]
    #expect(refusal(routing, long) == .limitExceeded)
    var twice = table(1)
    twice.regions.append(twice.regions[0])
    #expect(refusal(routing, twice) == .malformed)
    #expect(try SystemDisk().size(path) == nil)
  }

  @Test func `a failover ring names no region to go to`() throws {
    let routing = try routing()
    var ring = table(5, failedOverTo: "us")
    ring.regions[1].failedOverTo = "eu"
    try routing.take(ring)
    #expect(routing.drained?.metadata[RoutingMetadata.epoch] == "5")
    #expect(routing.drained?.metadata[RoutingMetadata.region] == nil)
  }

  @Test func `a damaged table is set aside, and the next one is taken`() throws {
    try routing().take(table(3, failedOverTo: "us"))
    try [UInt8(9)].withUnsafeBytes { try SystemDisk().write($0, to: path, at: 12) }
    let again = try routing()
    #expect(again.damage?.code == .corrupt)
    #expect(again.epoch == 0 && again.drained == nil)
    #expect(try SystemDisk().size("\(path).damaged") != nil)
    try again.take(table(4))
    #expect(try routing().epoch == 4)
  }

  @Test func `every flipped byte and every cut of the file is refused`() {
    let bytes = RoutingFile.encode(table(7))
    for index in bytes.indices {
      var bad = bytes
      bad[index] ^= 0x10
      #expect(throws: Refusal.self) { try RoutingFile.decode(bad, place: "routing") }
      #expect(throws: Refusal.self) { try RoutingFile.decode(Array(bytes[..<index]), place: "routing") }
    }
    #expect((try? RoutingFile.decode(bytes, place: "routing")) == table(7))
  }

  @Test func `counts that lie within a true digest are refused`() {
    var content = RoutingFile.magic
    content.append(littleEndian: UInt64(1))
    content.append(littleEndian: UInt32.max)
    let bytes = content + Digest(of: content).bytes
    #expect(throws: Refusal.self) { try RoutingFile.decode(bytes, place: "routing") }
  }
}
