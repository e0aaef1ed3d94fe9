internal import Base
internal import CMessages

/// `grpc.health.v1.Health`: how the services of a server are. The empty name is the whole server.
package final class HealthService: Sendable {
  package enum Status: Int, Sendable {
    case unknown = 0
    case serving = 1
    case notServing = 2
    /// Only watchers see it.
    case serviceUnknown = 3
  }

  private struct Watcher {
    var service: String
    var stream: AsyncStream<Status>.Continuation
    /// What it was told last.
    var heard: Status?
  }

  private struct State {
    var statuses: [String: Status]
    var watchers: [UInt64: Watcher] = [:]
    var nextWatcher: UInt64 = 0
    var isShutDown = false
  }

  /// Of one List, as the protocol has it.
  private static let listCountMax = 100
  private static let request = MessageShape.request(
    grpc__health__v1__health_check_request__init, fieldCountMax: 16)

  private let state: Locked<State>

  /// The whole server, and each of `services`, begin as `status`.
  package init(services: [String], status: Status = .notServing) {
    var statuses = ["": status]
    for service in services { statuses[service] = status }
    state = Locked(State(statuses: statuses))
  }

  /// Watchers hear of a change. Ignored after ``shutDown()``.
  package func set(_ status: Status, for service: String = "") {
    state.withLock { state in
      guard !state.isShutDown else { return }
      Self.set(status, for: service, &state)
    }
  }

  /// The whole server and each service.
  package func setAll(_ status: Status) {
    state.withLock { state in
      guard !state.isShutDown else { return }
      for service in state.statuses.keys { Self.set(status, for: service, &state) }
    }
  }

  /// Everything is NOT_SERVING from now on, whatever is set later: said before the server drains.
  package func shutDown() {
    state.withLock { state in
      for service in state.statuses.keys { Self.set(.notServing, for: service, &state) }
      state.isShutDown = true
    }
  }

  /// Returns once everybody who watches has been sent that nothing serves any more, or soon after when somebody doesn't
  /// read. Between ``shutDown()`` and the server's drain, so that watchers hear it before their call ends.
  package func tellWatchers() async {
    for _ in 0..<100 {
      let isTold = state.withLock { state in
        state.watchers.values.allSatisfy { $0.heard == .notServing || state.statuses[$0.service] == nil }
      }
      if isTold { return }
      try? await Task.sleep(for: .milliseconds(2))
    }
  }

  private static func set(_ status: Status, for service: String, _ state: inout State) {
    guard state.statuses.updateValue(status, forKey: service) != status else { return }
    for watcher in state.watchers.values where watcher.service == service { watcher.stream.yield(status) }
  }

  package func status(of service: String = "") -> Status? { state.withLock { $0.statuses[service] } }

  // MARK: Methods

  package var methods: [RPCMethod] {
    [
      RPCMethod("/grpc.health.v1.Health/Check", .unary { [self] in check($0, $1) }),
      RPCMethod("/grpc.health.v1.Health/List", .unary { [self] call, _ in list(call) }),
      RPCMethod(
        "/grpc.health.v1.Health/Watch", holdsDrain: false,
        .streaming { [self] _, requests, writer in try await watch(requests, writer) }),
    ]
  }

  private func check(_ call: ServerCall, _ message: [UInt8]) {
    do throws(Fault) {
      let service = try Self.service(message)
      guard let status = status(of: service) else {
        throw Fault(.notFound, "no service \(service.cut(toByteCount: 256)) is known here")
      }
      call.reply(Self.encode(status))
    } catch {
      call.fail(error)
    }
  }

  private func list(_ call: ServerCall) {
    let statuses = state.withLock { $0.statuses }
    guard statuses.count <= Self.listCountMax else {
      return call.fail(
        Fault(
          .resourceExhausted, "\(statuses.count) services are more than the \(Self.listCountMax) of one list")
      )
    }
    var writer = ProtoWriter()
    for (service, status) in statuses.sorted(by: { $0.key < $1.key }) {
      writer.message(1) { entry in
        entry.text(1, service)
        entry.message(2) { $0.number(1, UInt64(status.rawValue)) }
      }
    }
    call.reply(writer.bytes)
  }

  /// The status now, and each time that it changes. Of a service that isn't known: SERVICE_UNKNOWN, until it is.
  private func watch(_ requests: RequestStream, _ writer: ResponseWriter) async throws {
    var iterator = requests.makeAsyncIterator()
    guard let message = try await iterator.next() else {
      throw Fault(.unimplemented, "Watch takes one message, and none came")
    }
    let service = try Self.service(message)
    let (stream, continuation) = AsyncStream.makeStream(of: Status.self, bufferingPolicy: .bufferingNewest(1))
    let id = state.withLock { state -> UInt64 in
      state.nextWatcher += 1
      state.watchers[state.nextWatcher] = Watcher(service: service, stream: continuation)
      continuation.yield(state.statuses[service] ?? .serviceUnknown)
      return state.nextWatcher
    }
    defer { state.withLock { _ = $0.watchers.removeValue(forKey: id) } }
    var last: Status?
    for await status in stream where status != last {
      try await writer.send(Self.encode(status))
      last = status
      state.withLock { $0.watchers[id]?.heard = status }
    }
    try Task.checkCancellation()
  }

  private static func service(_ message: [UInt8]) throws(Fault) -> String {
    try request.decode(message) { message throws(Fault) in
      try Field.text(message.service, "service", max: 1024)
    }
  }

  private static func encode(_ status: Status) -> [UInt8] {
    var writer = ProtoWriter()
    writer.number(1, UInt64(status.rawValue))
    return writer.bytes
  }
}
