import ArgumentParser
import Base
import Catalogue
import Control
import Features
import Foundation
import Serving
import Snapshots
import Wire

/// `marquee edge`: a replica.
struct EdgeCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "edge", abstract: "Run a replica: Rank and events for its region.",
    discussion: """
      It serves from its own disk at once, and follows the control node when that can be reached. On SIGTERM it drains: \
      health turns NOT_SERVING, calls that were accepted are answered.
      """)

  @Option(help: "The fleet: regions, replicas, trusted keys.", completion: .file()) var fleet: String
  @Option(help: "The region it belongs to.") var region: String
  @Option(help: "Its name.") var replica: String
  @Option(help: "Its own directory.", completion: .directory) var data: String
  @Option(help: "The control node, host:port.") var control: Address
  @Option(help: "Where to listen, host:port.") var listen: Address
  @Option(help: "Where others reach it, when that is not --listen.") var address: String?
  @Option(help: "Ranking threads; the machine's cores when not said.") var threads: Int?
  @Option(
    help: """
      Of this many searches one is compared with the exact answer, on a thread of the lowest priority and at most one in \
      10 s: `marquee status` shows the recall. 0 is none.
      """)
  var recallSampleOf = 1000
  @OptionGroup var options: ListenOptions

  func validate() throws {
    guard recallSampleOf >= 0 else { throw ValidationError("--recall-sample-of is 0 or more") }
    guard (1...1024).contains(threads ?? 1) else { throw ValidationError("--threads is 1 to 1024") }
  }

  func run() async throws {
    let start = ProcessStart.instant
    let fleet = try FleetConfiguration(path: fleet, disk: SystemDisk())
    guard fleet.region(named: region) != nil else {
      throw Fault(.invalidArgument, "\(self.fleet) has no region \(region)")
    }
    let audit = try AuditWriter(path: options.auditLog)
    let tls = try options.identity.tls(role: .edge)
    let loops = WireLoops()
    let fetcher = ChunkFetcher(control: control, tls: tls, loops: loops)
    let (events, eventLog, _) = try EventPath.open("\(data)/events", disk: SystemDisk(), time: SystemTime())
    let opened = eventLog.opening
    if opened.cutByteCount > 0 {
      log("event log: cut \(opened.cutByteCount) torn bytes of \(opened.cutPath)")
    }
    let cores = ProcessInfo.processInfo.activeProcessorCount
    var settings = Replica.Settings(
      region: region, replica: self.replica, directory: data,
      pool: RankPool.Settings(threadCount: threads ?? cores), processStart: start)
    settings.recallSamplePeriod = recallSampleOf
    let replica = try Replica(
      settings, trusted: fleet.trustedKeys, events: events, chunks: fetcher, disk: SystemDisk(),
      time: SystemTime())
    if let damage = replica.routing.damage { log("routing on the disk was set aside: \(damage)") }
    for file in replica.library.damaged { log("\(file.path) is damaged: \(file.refusal)") }
    await replica.start()
    for damaged in await replica.damaged {
      log(
        "snapshot \(damaged.sequence) is damaged on this disk, waiting for the control node to mend it: \(damaged.refusal)"
      )
    }

    let known = replica.routing.table
    let feed = RoutingFeed(known.epoch == 0 ? fleet.routing(epoch: 0) : known)
    let service = EdgeService(replica: replica, feed: feed)
    let health = HealthService(services: service.names)
    let methods = service.methods + health.methods
    let server = Server(
      configuration: try options.configuration(listen, role: .edge, loops: 1),
      methods: methods + ReflectionService(listing: methods).methods, time: SystemTime(),
      audit: audit.auditLog)
    let bound = try await server.start()
    let reloading = ReloadSignal.reload(server)
    defer { reloading.cancel() }
    await announce(replica, start, bound)

    let follower = Follower(
      replica: replica, address: address ?? "\(listen)", control: control, tls: tls, loops: loops, feed: feed)
    let following = Task { await follower.run() }
    let ticking = Task {
      var wasServing: Bool?
      while !Task.isCancelled {
        let isServing = replica.slot.current != nil && replica.routing.drained == nil
        if isServing != wasServing { health.setAll(isServing ? .serving : .notServing) }
        wasServing = isServing
        await replica.tick()
        if let news = await replica.shareRecall() { log(news) }
        try? await Task.sleep(for: .milliseconds(250))
      }
    }
    await StopSignal.wait()
    ticking.cancel()
    following.cancel()
    health.shutDown()
    await health.tellWatchers()
    await server.drain()
    await replica.stop()
    await eventLog.close()
    await fetcher.close()
    audit.close()
    log("stopped, after \(server.counters.callsStarted) calls and \(server.counters.callsFailed) that failed")
  }

  private func announce(_ replica: Replica, _ start: Instant, _ bound: (host: String, port: Int)) async {
    log("replica \(self.replica) of \(region) listens on \(bound.host):\(bound.port)")
    if let generation = replica.slot.current {
      let milliseconds = Double(SystemTime().instant.nanoseconds(since: start)) / 1e6
      log(
        "ready to rank: \(String(format: "%.0f", milliseconds)) ms from process start, from its own disk, snapshot "
          + "\(generation.sequence), \(readable(count: generation.catalogue.liveCount)) titles")
    } else {
      log("nothing on the disk to serve yet")
    }
  }
}

/// Introduces a replica to the wire.
struct EdgeService: Sendable {
  let replica: Replica
  let feed: RoutingFeed
  let names = ["marquee.v1.Ranking", "marquee.v1.Events", "marquee.v1.Chunks", "marquee.v1.Routing"]

  var methods: [RPCMethod] {
    RankingService.methods { request, call, done in
      let cancellation = Cancellation()
      call.onCancel { cancellation.cancel() }
      // A connection is a source: its address is its own.
      let source = UInt64(bitPattern: Int64(call.peer.address.hashValue))
      replica.rank(
        request, source: source, deadline: call.deadline ?? .distantFuture, cancellation: cancellation,
        completion: done)
    }
      + EventsService.methods { events, _ in try await replica.record(events) }
      + ChunksService.methods { digest, _ in try read(digest, from: replica.library) }
      + RoutingService.methods(get: { feed.table }, watch: { feed.watch() })
  }
}

/// When this process began, on the monotonic clock, to the system's tick of 10 ms.
enum ProcessStart {
  static var instant: Instant {
    let now = SystemTime().instant
    guard let text = try? String(contentsOfFile: "/proc/self/stat", encoding: .utf8),
      let uptime = try? String(contentsOfFile: "/proc/uptime", encoding: .utf8),
      let close = text.lastIndex(of: ")"),
      let seconds = uptime.split(separator: " ").first.flatMap({ Double($0) })
    else { return now }
    let fields = text[text.index(after: close)...].split(separator: " ")
    guard fields.count > 19, let ticks = Double(fields[19]) else { return now }
    let age = seconds - ticks / Double(sysconf(Int32(_SC_CLK_TCK)))
    return Instant(nanoseconds: now.nanoseconds - min(now.nanoseconds, UInt64(max(age, 0) * 1e9)))
  }
}
