import Base
import Dispatch
import Glibc
import NIOCore

@testable import Wire

/// A client that writes HTTP/2 frames by hand over a socket, to say what no honest client says.
///
/// Replies are read by a session that believes to have made the same requests.
final class RawPeer {
  struct Reply {
    var status: String?
    var headers: [HeaderBlock] = []
    var body: [UInt8] = []
    /// The error code with which the stream closed.
    var code: UInt32?

    func field(_ name: StaticString) -> String? {
      for block in headers { if let text = block.text(name) { return text } }
      return nil
    }
  }

  struct Trouble: Error { var message: String }

  private let descriptor: Int32
  private let shadow = Session(side: .client, limits: shadowLimits)
  private var nextShadow: Int32 = 1
  private var replies: [Int32: Reply] = [:]
  private var resets: [Int32: UInt32] = [:]
  private(set) var lastGoAway: (stream: Int32, code: UInt32)?
  private(set) var goAways: [Int32] = []
  /// The text in the last GOAWAY that had one.
  private(set) var goAwayDebug: String?
  private var unread: [UInt8] = []

  init(port: Int, speaks: Bool = true, settings: [UInt8] = []) throws {
    descriptor = try connectLoopback(port)
    guard speaks else { return }
    send(Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8) + frame(type: 4, flags: 0, stream: 0, settings))
    drainShadow()
  }

  func close() { Glibc.close(descriptor) }

  func send(_ bytes: [UInt8]) {
    var done = 0
    while done < bytes.count {
      let count = bytes.withUnsafeBytes {
        Glibc.send(descriptor, $0.baseAddress! + done, bytes.count - done, Int32(MSG_NOSIGNAL))
      }
      guard count > 0 else { return }
      done += count
    }
  }

  /// HEADERS, then `body` in one DATA frame that ends the stream unless `ends` says otherwise.
  func request(
    _ path: String, method: String = "POST", type: String? = "application/grpc",
    extra: [(String, String)] = [],
    body: [UInt8]?, stream: Int32, ends: Bool = true
  ) {
    var fields = [(":method", method), (":scheme", "http"), (":path", path), (":authority", "localhost")]
    fields.append(("te", "trailers"))
    if let type { fields.append(("content-type", type)) }
    fields += extra
    let endsNow = body == nil && ends
    send(frame(type: 1, flags: endsNow ? 5 : 4, stream: stream, fields.flatMap(literal)))
    if let body { data(body, stream: stream, ends: ends) }
    shadowRequest(upTo: stream)
  }

  func data(_ bytes: [UInt8], stream: Int32, ends: Bool) {
    send(frame(type: 0, flags: ends ? 1 : 0, stream: stream, bytes))
  }

  func frame(type: UInt8, flags: UInt8, stream: Int32, _ payload: [UInt8]) -> [UInt8] {
    let count = payload.count
    var bytes = [
      UInt8(truncatingIfNeeded: count >> 16), UInt8(truncatingIfNeeded: count >> 8),
      UInt8(truncatingIfNeeded: count),
    ]
    bytes += [type, flags]
    bytes += [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: stream >> $0) }
    return bytes + payload
  }

  /// HPACK: literal without indexing, name and value as they are.
  private func literal(_ name: String, _ value: String) -> [UInt8] {
    [0] + length(name.utf8.count) + Array(name.utf8) + length(value.utf8.count) + Array(value.utf8)
  }

  private func length(_ count: Int) -> [UInt8] {
    guard count >= 127 else { return [UInt8(count)] }
    var bytes: [UInt8] = [127]
    var rest = count - 127
    while rest >= 128 {
      bytes.append(UInt8(rest & 127) | 128)
      rest >>= 7
    }
    return bytes + [UInt8(rest)]
  }

  /// The shadow opens its streams up to this one: before a GOAWAY, after which it would open none.
  func shadowRequest(upTo stream: Int32) {
    while nextShadow <= stream {
      var headers = HeaderBlock()
      headers.append(":method", "POST")
      headers.append(":scheme", "http")
      headers.append(":path", "/")
      let body = OutboundBody(hasTrailers: false, reportsReads: false)
      _ = shadow.request(headers: headers, body: body)
      nextShadow += 2
    }
    drainShadow()
  }

  private func drainShadow() {
    var buffer = ByteBufferAllocator().buffer(capacity: 1024)
    try? shadow.gather(into: &buffer, limit: 1 << 20)
  }

  /// What has come so far.
  func reply(_ stream: Int32) -> Reply? { replies[stream] }

  /// Reads until the stream has closed, or its END_STREAM came.
  func receive(stream: Int32) async throws -> Reply {
    while replies[stream]?.code == nil { try await receiveSome() }
    return replies[stream] ?? Reply()
  }

  /// Reads until the stream was reset, whatever came before.
  func reset(stream: Int32) async throws -> UInt32 {
    while resets[stream] == nil { try await receiveSome() }
    return resets[stream] ?? 0
  }

  func receive(goAways count: Int) async throws { while goAways.count < count { try await receiveSome() } }

  /// Whether the server closes the connection; reads all until then.
  func waitForEnd() async -> Bool {
    do { while true { try await receiveSome() } } catch { return (error as? Trouble)?.message == "end" }
  }

  func receiveSome() async throws {
    var bytes = [UInt8](repeating: 0, count: 65_536)
    var count = recv(descriptor, &bytes, bytes.count, Int32(MSG_DONTWAIT))
    for _ in 0..<5000 where count < 0 && errno == EAGAIN {
      // Tests share few threads with the handlers that they wait for, so none may block.
      try await Task.sleep(for: .milliseconds(2))
      count = recv(descriptor, &bytes, bytes.count, Int32(MSG_DONTWAIT))
    }
    guard count > 0 else {
      let isEnd = count == 0 || errno == ECONNRESET
      throw Trouble(message: isEnd ? "end" : "nothing came: \(errnoText())")
    }
    noteDebug(bytes[..<count])
    try bytes.withUnsafeBytes { try shadow.receive(UnsafeRawBufferPointer(rebasing: $0[..<count])) }
    drainShadow()
    while let (events, data) = shadow.takeEvents() {
      for event in events { note(event, data) }
    }
  }

  /// The shadow doesn't tell what a GOAWAY says beside its numbers.
  private func noteDebug(_ bytes: ArraySlice<UInt8>) {
    unread += bytes
    while unread.count >= 9 {
      let count = unread[..<3].reduce(0) { $0 << 8 | Int($1) }
      guard unread.count >= 9 + count else { return }
      if unread[3] == 7, count > 8 { goAwayDebug = String(decoding: unread[17..<9 + count], as: UTF8.self) }
      unread.removeFirst(9 + count)
    }
  }

  private func note(_ event: SessionEvent, _ bytes: [UInt8]) {
    switch event {
    case .headers(let stream, let headers, let ends, _):
      let block = headers.block
      replies[stream, default: Reply()].headers.append(block)
      if let status = block.text(":status") { replies[stream]?.status = status }
      if ends { replies[stream]?.code = HTTP2Code.noError }
    case .data(let stream, let start, let count):
      replies[stream, default: Reply()].body += bytes[start..<start + count]
      shadow.consumeConnection(count)
    case .endOfBody(let stream): replies[stream, default: Reply()].code = HTTP2Code.noError
    case .closed(let stream, let code):
      resets[stream] = code
      replies[stream, default: Reply()].code = code
    case .goAway(let stream, let code):
      goAways.append(stream)
      lastGoAway = (stream, code)
    default: break
    }
  }
}

/// Windows as wide as a test may make them.
private var shadowLimits: WireLimits {
  var limits = WireLimits()
  limits.streamWindowBytes = 1 << 30
  limits.connectionWindowBytes = 1 << 30
  return limits
}

/// A server that accepts, perhaps says SETTINGS, and then nothing.
final class SilentServer {
  let port: Int
  private let listener: Int32

  init(sendsSettings: Bool = true) throws {
    let accepting = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = loopbackAddress(0)
    let size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let bound = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(accepting, $0, size) }
    }
    guard bound == 0, listen(accepting, 8) == 0 else { throw RawPeer.Trouble(message: errnoText()) }
    var length = size
    withUnsafeMutablePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { _ = getsockname(accepting, $0, &length) }
    }
    listener = accepting
    port = Int(UInt16(bigEndian: address.sin_port))
    guard sendsSettings else { return }
    DispatchQueue.global().async {
      // One connection is all that a test makes.
      let peer = accept(accepting, nil, nil)
      let settings: [UInt8] = [0, 0, 0, 4, 0, 0, 0, 0, 0]
      _ = settings.withUnsafeBytes { Glibc.send(peer, $0.baseAddress, 9, Int32(MSG_NOSIGNAL)) }
    }
  }

  func close() { Glibc.close(listener) }
}

private func loopbackAddress(_ port: Int) -> sockaddr_in {
  var address = sockaddr_in()
  address.sin_family = sa_family_t(AF_INET)
  address.sin_port = in_port_t(port).bigEndian
  address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
  return address
}

func connectLoopback(_ port: Int) throws -> Int32 {
  let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
  var address = loopbackAddress(port)
  let connected = withUnsafePointer(to: &address) {
    $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
      connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
    }
  }
  guard connected == 0 else { throw RawPeer.Trouble(message: errnoText()) }
  var yes: Int32 = 1
  setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &yes, 4)
  return descriptor
}
