import Base
import Glibc
import NIOCore

@testable import Wire

/// Frames and header fields written by hand, sound or not.
enum Raw {
  static func frame(_ kind: UInt8, flags: UInt8 = 0, stream: Int32, _ payload: [UInt8] = []) -> [UInt8] {
    frame(kind, flags: flags, stream: stream, length: payload.count) + payload
  }

  /// A head alone, whatever follows it.
  static func frame(_ kind: UInt8, flags: UInt8 = 0, stream: Int32, length: Int) -> [UInt8] {
    let count = [16, 8, 0].map { UInt8(truncatingIfNeeded: length >> $0) }
    return count + [kind, flags] + number(UInt32(bitPattern: stream))
  }

  static func number(_ value: UInt32) -> [UInt8] {
    [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: value >> $0) }
  }

  static func data(_ stream: Int32, _ bytes: [UInt8] = Array("test".utf8), ends: Bool = true) -> [UInt8] {
    frame(0, flags: ends ? 1 : 0, stream: stream, bytes)
  }

  /// A request's HEADERS, ready-made: `GET /`, or other fields.
  static func headers(
    _ stream: Int32, _ fields: [(String, String)] = get, ends: Bool = true, endsHeaders: Bool = true
  ) -> [UInt8] {
    frame(1, flags: (ends ? 1 : 0) | (endsHeaders ? 4 : 0), stream: stream, block(fields))
  }

  static func continuation(_ stream: Int32, _ fields: [(String, String)] = [], endsHeaders: Bool = true)
    -> [UInt8]
  {
    frame(9, flags: endsHeaders ? 4 : 0, stream: stream, block(fields))
  }

  static func priority(_ stream: Int32, on parent: Int32 = 0, weight: UInt8 = 15, exclusive: Bool = false)
    -> [UInt8]
  {
    frame(2, stream: stream, dependency(on: parent, weight: weight, exclusive: exclusive))
  }

  static func dependency(on parent: Int32, weight: UInt8 = 15, exclusive: Bool = false) -> [UInt8] {
    number(UInt32(bitPattern: parent) | (exclusive ? 0x8000_0000 : 0)) + [weight]
  }

  static func reset(_ stream: Int32, _ code: UInt32 = HTTP2Code.cancel) -> [UInt8] {
    frame(3, stream: stream, number(code))
  }

  static func settings(_ values: [(UInt16, UInt32)] = []) -> [UInt8] {
    let payload = values.flatMap { [UInt8($0.0 >> 8), UInt8($0.0 & 0xff)] + number($0.1) }
    return frame(4, stream: 0, payload)
  }

  static func ping(_ text: String = "12345678", acknowledges: Bool = false) -> [UInt8] {
    frame(6, flags: acknowledges ? 1 : 0, stream: 0, Array(text.utf8))
  }

  static func windowUpdate(_ stream: Int32, _ count: UInt32) -> [UInt8] {
    frame(8, stream: stream, number(count))
  }

  static let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)

  // MARK: HPACK

  static let get = [(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "localhost")]
  static let post = [(":method", "POST"), (":scheme", "http"), (":path", "/"), (":authority", "localhost")]

  static func call(_ path: String) -> [(String, String)] {
    [
      (":method", "POST"), (":scheme", "http"), (":path", path), (":authority", "localhost"),
      ("te", "trailers"), ("content-type", "application/grpc"),
    ]
  }

  /// Literals without indexing, as they are.
  static func block(_ fields: [(String, String)]) -> [UInt8] {
    fields.flatMap { [0] + literal($0.0) + literal($0.1) }
  }

  static func literal(_ text: String) -> [UInt8] { literal(Array(text.utf8)) }
  static func literal(_ bytes: [UInt8]) -> [UInt8] { integer(bytes.count, bits: 7) + bytes }

  static func integer(_ value: Int, bits: Int, lead: UInt8 = 0) -> [UInt8] {
    let top = (1 << bits) - 1
    guard value >= top else { return [lead | UInt8(value)] }
    var bytes = [lead | UInt8(top)]
    var rest = value - top
    while rest >= 128 {
      bytes.append(UInt8(rest & 127) | 128)
      rest >>= 7
    }
    return bytes + [UInt8(rest)]
  }
}

/// A client that sends bytes and reads frames: nothing in it minds what the server, or it itself, does wrong.
final class FramePeer {
  struct Frame: Equatable {
    var kind: UInt8
    var flags: UInt8
    var stream: Int32
    var payload: [UInt8]

    var endsStream: Bool { (kind == 0 || kind == 1) && flags & 1 != 0 }

    /// The error code of RST_STREAM and GOAWAY.
    var code: UInt32 {
      let bytes = kind == 7 ? payload.dropFirst(4).prefix(4) : payload.prefix(4)
      return bytes.reduce(0) { $0 << 8 | UInt32($1) }
    }
    /// A GOAWAY's debug data.
    var text: String { String(decoding: payload.dropFirst(8), as: UTF8.self) }
  }

  private let descriptor: Int32
  private let engine: TLSEngine?
  private var buffer: [UInt8] = []
  private var head = 0
  private(set) var isEnded = false
  private var isClosed = false
  private(set) var lastGoAway: Frame?
  private var resets: [Int32: UInt32] = [:]

  init(port: Int, tls: TLSConfiguration? = nil) async throws {
    descriptor = try connectLoopback(port)
    engine = try tls.map { try TLSContext($0, side: .client).makeEngine(host: "localhost") }
    while try engine?.shakeHands() == false {
      try sendSealed()
      guard try await receiveSome() else { throw RawPeer.Trouble(message: "no handshake") }
    }
    try sendSealed()
  }

  deinit { close() }

  func close() {
    if !isClosed { Glibc.close(descriptor) }
    isClosed = true
  }

  /// Preface and SETTINGS both ways.
  func shakeHands(_ settings: [(UInt16, UInt32)] = []) async throws {
    send(Raw.preface + Raw.settings(settings))
    var seen = 0
    while seen < 2 {
      guard let frame = try await next() else { throw RawPeer.Trouble(message: "no SETTINGS") }
      guard frame.kind == 4 else { continue }
      seen += 1
      if frame.flags & 1 == 0 { send(Raw.frame(4, flags: 1, stream: 0)) }
    }
  }

  func send(_ bytes: [UInt8]) {
    guard let engine else { return write(bytes) }
    try? bytes.withUnsafeBytes { try engine.write($0) }
    try? sendSealed()
  }

  private func sendSealed() throws {
    guard let engine else { return }
    var buffer = ByteBufferAllocator().buffer(capacity: 1024)
    engine.takeOutput(into: &buffer)
    write(Array(buffer.readableBytesView))
  }

  private func write(_ bytes: [UInt8]) {
    var done = 0
    while done < bytes.count {
      let count = bytes.withUnsafeBytes {
        Glibc.send(descriptor, $0.baseAddress! + done, bytes.count - done, Int32(MSG_NOSIGNAL))
      }
      guard count > 0 else { return }
      done += count
    }
  }

  /// The next frame; `nil` once the server has closed the connection.
  func next() async throws -> Frame? {
    while true {
      if let frame = take() { return frame }
      guard try await receiveSome() else { return nil }
    }
  }

  private func take() -> Frame? {
    guard buffer.count - head >= 9 else { return nil }
    let bytes = buffer[head...]
    let length = bytes.prefix(3).reduce(0) { $0 << 8 | Int($1) }
    guard bytes.count >= 9 + length else { return nil }
    let stream = bytes[(head + 5)..<(head + 9)].reduce(0) { $0 << 8 | UInt32($1) } & 0x7fff_ffff
    let frame = Frame(
      kind: buffer[head + 3], flags: buffer[head + 4], stream: Int32(stream),
      payload: Array(bytes[(head + 9)..<(head + 9 + length)]))
    head += 9 + length
    if frame.kind == 7 { lastGoAway = frame }
    if frame.kind == 3 { resets[frame.stream] = frame.code }
    if head == buffer.count || head > 1 << 20 {
      buffer.removeFirst(head)
      head = 0
    }
    return frame
  }

  /// False at the end of the connection. Throws when nothing comes for ten seconds.
  private func receiveSome() async throws -> Bool {
    guard !isEnded else { return false }
    var bytes = [UInt8](repeating: 0, count: 65_536)
    var count = recv(descriptor, &bytes, bytes.count, Int32(MSG_DONTWAIT))
    for _ in 0..<5000 where count < 0 && errno == EAGAIN {
      // Tests share few threads with the handlers that they wait for, so none may block.
      try await Task.sleep(for: .milliseconds(2))
      count = recv(descriptor, &bytes, bytes.count, Int32(MSG_DONTWAIT))
    }
    if count < 0, errno != ECONNRESET { throw RawPeer.Trouble(message: "nothing came: \(errnoText())") }
    guard count > 0 else {
      isEnded = true
      return false
    }
    guard let engine else {
      buffer += bytes[..<count]
      return true
    }
    bytes[..<count].withUnsafeBytes { engine.receive($0) }
    guard engine.isEstablished else { return true }
    let goesOn = try engine.read { (clear: UnsafeRawBufferPointer) in buffer += clear }
    try sendSealed()
    if !goesOn { isEnded = true }
    return true
  }

  // MARK: What a test waits for

  /// Reads until the end of the connection; `nil` when no GOAWAY came before it.
  func goAway() async throws -> Frame? {
    while try await next() != nil {}
    return lastGoAway
  }

  /// Reads until a frame of this kind comes; `nil` at the end of the connection.
  func next(kind: UInt8, stream: Int32? = nil) async throws -> Frame? {
    while let frame = try await next() {
      if frame.kind == kind, stream == nil || frame.stream == stream { return frame }
    }
    return nil
  }

  /// Reads until the server has ended this stream by END_STREAM; nil when it resets it or the connection ends.
  func end(stream: Int32) async throws -> Frame? {
    while let frame = try await next() {
      guard frame.stream == stream else { continue }
      if frame.endsStream { return frame }
      if frame.kind == 3 { return nil }
    }
    return nil
  }

  /// Reads until RST_STREAM comes for this stream; its code, or `nil` at the end of the connection. Whatever was read
  /// for others in between counts for them.
  func code(stream: Int32) async throws -> UInt32? {
    while resets[stream] == nil { guard try await next() != nil else { return nil } }
    return resets[stream]
  }
}
