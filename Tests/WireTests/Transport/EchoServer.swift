import Base
import Synchronization

@testable import Wire

/// A server of four shapes for tests, with everything that its handlers saw.
final class EchoServer: Sendable {
  let server: Server
  let seen = Seen()
  let host: String
  let port: Int

  static let unary = "/test.Echo/Unary"
  static let collect = "/test.Echo/Collect"
  static let expand = "/test.Echo/Expand"
  static let chat = "/test.Echo/Chat"
  static let fail = "/test.Echo/Fail"
  static let hang = "/test.Echo/Hang"
  static let long = "/test.Echo/Long"
  static let longReply = [UInt8](repeating: 9, count: 3_000_000)
  static let hold = "/test.Echo/Hold"
  static let hangStreaming = "/test.Echo/HangStreaming"
  static let describe = "/test.Echo/Describe"
  static let flood = "/test.Echo/Flood"
  static let ops = "/test.Echo/Ops"

  init(
    tls: TLSConfiguration? = nil, limits: WireLimits = WireLimits(), roles: Set<Role> = [.edgeClient],
    time: any TimeSource = SystemTime(), audit: AuditLog? = nil
  ) async throws {
    let configuration = ServerConfiguration(
      host: "127.0.0.1", port: 0, tls: tls, anonymousRoles: roles, limits: limits)
    server = Server(configuration: configuration, methods: Self.methods(seen), time: time, audit: audit)
    (host, port) = try await server.start()
  }

  /// A held call holds its method, and that `seen`.
  deinit { seen.forgetHeld() }

  func client(
    tls: TLSConfiguration? = nil, limits: WireLimits = WireLimits(), loops: WireLoops = sharedLoops,
    keepalive: Keepalive? = nil
  ) throws -> ClientConnection {
    try ClientConnection(
      host: host, port: port, tls: tls, limits: limits, time: SystemTime(), loops: loops, keepalive: keepalive
    )
  }

  static func methods(_ seen: Seen) -> [RPCMethod] {
    let all: RPCMethod.Admission = [.edgeClient, .edge, .control, .ops]
    return [
      RPCMethod(unary, admits: all, .unary { call, message in call.reply(message) }),
      RPCMethod(
        fail, admits: all,
        .unary { call, message in
          call.setTrailer("x-note", "why")
          let text = String(decoding: message, as: UTF8.self)
          call.fail(Fault(.failedPrecondition, text, metadata: ["marquee-epoch": "7"]))
        }),
      RPCMethod(
        hang, admits: all,
        .unary { call, _ in
          seen.note("hang began")
          call.onCancel { seen.note("hang cancelled") }
        }),
      RPCMethod(
        describe, admits: all,
        .unary { call, _ in
          var initial = Metadata()
          for entry in call.metadata.entries where entry.name.hasPrefix("x-") {
            switch entry.value {
            case .text(let text): initial.append(entry.name, text)
            case .bytes(let bytes): initial.append(entry.name, bytes: bytes)
            }
          }
          call.setInitialMetadata(initial)
          call.setTrailer("x-trailer-bin", bytes: [0, 255, 1])
          let role = call.peer.role?.rawValue ?? "none"
          call.reply(
            Array("\(role) \(call.peer.uri ?? "-") \(call.deadline == nil ? "no deadline" : "deadline")".utf8)
          )
        }),
      RPCMethod(long, admits: all, .unary { call, _ in call.reply(longReply) }),
      RPCMethod(hold, admits: all, .unary { call, _ in seen.hold(call) }),
      RPCMethod(ops, admits: [.ops], .unary { call, message in call.reply(message) }),
      RPCMethod(
        collect, admits: all,
        .streaming { _, requests, writer in
          var joined: [UInt8] = []
          for try await message in requests { joined += message }
          try await writer.send(joined)
        }),
      RPCMethod(
        expand, admits: all,
        .streaming { _, requests, writer in
          for try await message in requests {
            for byte in message { try await writer.send([byte]) }
          }
        }),
      RPCMethod(
        chat, admits: all,
        .streaming { _, requests, writer in
          for try await message in requests { try await writer.send(message) }
        }),
      RPCMethod(
        hangStreaming, admits: all,
        .streaming { call, requests, _ in
          seen.note("streaming began")
          call.onCancel { seen.note("streaming cancelled") }
          do {
            for try await _ in requests {}
            while true { try await Task.sleep(for: .seconds(60)) }
          } catch {
            seen.note("streaming ended")
            throw error
          }
        }),
      RPCMethod(
        flood, admits: all,
        .streaming { _, _, writer in
          let block = [UInt8](repeating: 7, count: 64 << 10)
          while true {
            try await writer.send(block)
            seen.sent.add(1, ordering: .relaxed)
          }
        }),
    ]
  }
}

let sharedLoops = WireLoops(count: 1)

/// What handlers noted, for a test to wait on.
final class Seen: Sendable {
  private let notes = Locked<[String]>([])
  private let held = Locked<[ServerCall]>([])
  let sent = Atomic<Int>(0)

  func note(_ text: String) { notes.withLock { $0.append(text) } }
  func hold(_ call: ServerCall) { held.withLock { $0.append(call) } }
  var heldCount: Int { held.withLock { $0.count } }

  func forgetHeld() { held.withLock { $0 = [] } }

  /// Answers every held call.
  func letGo() {
    let calls = held.withLock { held in
      defer { held = [] }
      return held
    }
    for call in calls { call.reply([1]) }
  }

  func has(_ text: String) -> Bool { notes.withLock { $0.contains(text) } }
}

/// Waits until `condition` holds; false when it doesn't within ten seconds.
func eventually(_ condition: @Sendable () -> Bool) async -> Bool {
  for _ in 0..<2000 {
    if condition() { return true }
    try? await Task.sleep(for: .milliseconds(5))
  }
  return condition()
}
