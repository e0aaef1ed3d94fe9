import ArgumentParser
import Base
import Control
import Foundation
import Snapshots
import Synchronization
import Wire

/// `marquee control`: the control node.
struct ControlCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "control", abstract: "Run the control node: registry, snapshots, rollouts, routing.",
    discussion:
      "Replicas dial it and follow; operators call it with `marquee publish`, `rollback`, `region` and so on."
  )

  @Option(help: "The fleet: regions, replicas, trusted keys.", completion: .file()) var fleet: String
  @Option(help: "Its own directory.", completion: .directory) var data: String
  @Option(help: "Where to listen, host:port.") var listen: Address
  @OptionGroup var options: ListenOptions

  func run() async throws {
    let audit = try AuditWriter(path: options.auditLog)
    let node = try ControlNode(
      directory: data, configuration: try FleetConfiguration(path: fleet, disk: SystemDisk()),
      disk: SystemDisk(),
      time: SystemTime())
    let service = ControlService(node: node)
    let health = HealthService(services: service.names, status: .serving)
    let methods = service.methods + health.methods
    let server = Server(
      configuration: try options.configuration(listen, role: .control, loops: 1),
      methods: methods + ReflectionService(listing: methods).methods, time: SystemTime(),
      audit: audit.auditLog)
    let bound = try await server.start()
    let reloading = ReloadSignal.reload(server)
    defer { reloading.cancel() }
    log("control node listens on \(bound.host):\(bound.port), routing epoch \(await node.routing.epoch)")
    await StopSignal.wait()
    health.shutDown()
    await health.tellWatchers()
    await server.drain()
    try await node.close()
    audit.close()
    log("stopped, after \(server.counters.callsStarted) calls and \(server.counters.callsFailed) that failed")
  }
}

/// Introduces the control node to the wire: calls in, directives out.
struct ControlService: OperationsHandler {
  let node: ControlNode
  let names = ["marquee.v1.Fleet", "marquee.v1.Operations", "marquee.v1.Chunks", "marquee.v1.Routing"]

  var methods: [RPCMethod] {
    OperationsService.methods(self)
      + ChunksService.methods { digest, _ in try read(digest, from: node.library) }
      + RoutingService.methods(
        get: { await node.routing },
        watch: {
          AsyncStream { continuation in
            let reading = Task {
              if let tables = try? await node.watchRouting() {
                for await table in tables { continuation.yield(table) }
              }
              continuation.finish()
            }
            continuation.onTermination = { _ in reading.cancel() }
          }
        })
      + FleetService.methods { reports, writer, _ in try await follow(reports, writer) }
  }

  private func follow(_ reports: Requests<FollowReport>, _ writer: DirectiveWriter) async throws {
    let channel = FollowerChannel()
    let id = try await node.attach(channel)
    do {
      try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask {
          for await directive in channel.directives { try await writer.send(directive) }
          throw Fault(
            .aborted, "a newer stream has taken the place of this one: do two replicas have this name?")
        }
        group.addTask {
          for try await report in reports { try await node.receive(report, from: id) }
        }
        // Whichever side ends first ends the other: a stream that is half open follows nothing.
        try await group.next()
        channel.finish()
        group.cancelAll()
      }
    } catch {
      channel.finish()
      await node.detach(id)
      throw error
    }
    await node.detach(id)
  }

  func publish(
    _ order: PublishOrder, chunks: PublishedChunks, _ call: ServerCall
  ) async throws -> PublishReceipt {
    let receipt = try await receive(order, chunks, by: who(call))
    log(
      "snapshot \(receipt.sequence) published by \(who(call)), \(receipt.bytesReceived) of \(receipt.bytesTotal) bytes travelled"
    )
    return receipt
  }

  /// Publishes, for as long as chunks come: an operator that has gone to sleep must not keep others from publishing.
  private func receive(
    _ order: PublishOrder, _ chunks: PublishedChunks, by who: String
  ) async throws -> PublishReceipt {
    let patience = Patience()
    return try await withThrowingTaskGroup(of: PublishReceipt?.self) { group in
      defer { group.cancelAll() }
      group.addTask {
        try await node.publish(order, chunks: Flattened(batches: chunks, patience: patience), by: who)
      }
      group.addTask {
        while !patience.isOver { try await Task.sleep(for: .seconds(1)) }
        throw Fault(
          .deadlineExceeded,
          "no chunk came for \(Limits.publishSilenceSeconds) s; what was received stays for the next attempt")
      }
      guard let receipt = try await group.next() ?? nil else {
        throw Fault(.internalError, "a publish ended without an outcome")
      }
      return receipt
    }
  }

  func missingChunks(_ manifest: SignedBytes, _ call: ServerCall) async throws -> [Digest] {
    try await node.missingChunks(of: manifest).map(\.digest)
  }

  func rollback(_ order: SignedBytes, _ call: ServerCall) async throws -> FleetStatus {
    try await node.rollback(order, by: who(call))
  }

  func pin(_ order: PinOrder, _ call: ServerCall) async throws -> FleetStatus {
    try await node.pin(region: order.region, sequence: order.sequence, by: who(call))
  }

  func unpin(region: String, _ call: ServerCall) async throws -> FleetStatus {
    try await node.unpin(region: region, by: who(call))
  }

  func status(_ call: ServerCall) async throws -> FleetStatus { await node.status() }

  func route(_ order: RoutingOrder, _ call: ServerCall) async throws -> RoutingTable {
    let table = try await node.route(order, by: who(call))
    log(
      "routing epoch \(table.epoch): \(order.from) \(order.to.isEmpty ? "serves again" : "failed over to \(order.to)"), by \(who(call))"
    )
    return table
  }

  private func who(_ call: ServerCall) -> String { call.peer.uri ?? call.peer.address }
}

/// Since when the next chunk is waited for; the mutex guards that.
private final class Patience: Sendable {
  private let since = Mutex<Instant?>(nil)

  func wait() { since.withLock { $0 = SystemTime().instant } }
  func end() { since.withLock { $0 = nil } }

  var isOver: Bool {
    since.withLock {
      guard let since = $0 else { return false }
      return since.advanced(byMilliseconds: Limits.publishSilenceSeconds * 1000) <= SystemTime().instant
    }
  }
}

/// Chunks one by one, from batches.
private struct Flattened: AsyncSequence, Sendable {
  let batches: PublishedChunks
  let patience: Patience

  struct AsyncIterator: AsyncIteratorProtocol {
    var batches: PublishedChunks.AsyncIterator
    let patience: Patience
    var waiting: ArraySlice<[UInt8]> = []

    mutating func next() async throws -> [UInt8]? {
      while waiting.isEmpty {
        patience.wait()
        defer { patience.end() }
        guard let batch = try await batches.next() else { return nil }
        waiting = batch[...]
      }
      return waiting.removeFirst()
    }
  }

  func makeAsyncIterator() -> AsyncIterator {
    AsyncIterator(batches: batches.makeAsyncIterator(), patience: patience)
  }
}

/// A chunk for a peer. What is damaged here is missing, and said in the log: the peer asks another.
func read(_ digest: Digest, from library: SnapshotLibrary) throws -> [UInt8]? {
  do { return try library.chunk(digest) } catch {
    log("chunk \(digest.short) can't be given: \(error)")
    return nil
  }
}
