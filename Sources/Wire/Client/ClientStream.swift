internal import Base

/// One call on its way through a client connection.
///
/// Guard for `@unchecked Sendable`: made by the caller, and from then on touched on the connection's event loop only.
final class ClientStream: @unchecked Sendable {
  enum Shape {
    case unary(request: WireMessage, done: @Sendable (Result<UnaryReply, CallFailure>) -> Void)
    case streaming(StreamingEnds)
  }

  static let moveCountMax = 8

  let path: String
  let metadata: Metadata
  let deadline: Instant?
  let shape: Shape
  /// Whether its headers announce gzip.
  let compresses: Bool
  let messageBytesMax: Int
  /// 0 until it is open.
  var id: Int32 = 0
  weak var session: ClientSession?
  var body: OutboundBody?
  var deframer: MessageDeframer
  var initialHeaders: HeaderBlock?
  /// A unary call's one message.
  var message: WireMessage?
  var queuedCount = 0
  var unconsumedCount = 0
  /// It never left this host.
  var wasNotSent = false
  /// How often it was refused, or not sent, and was on its way again.
  var moveCount = 0
  /// The caller knows how it ended.
  var isEnded = false

  init(
    path: String, metadata: Metadata, deadline: Instant?, messageBytesMax: Int, compresses: Bool, shape: Shape
  ) {
    self.path = path
    self.metadata = metadata
    self.deadline = deadline
    self.shape = shape
    self.compresses = compresses
    self.messageBytesMax = messageBytesMax
    deframer = MessageDeframer(messageBytesMax: messageBytesMax, side: .client, encoding: .identity)
  }

  func headers(host: String, isSecure: Bool, now: Instant) -> HeaderBlock {
    var block = HeaderBlock()
    block.append(":method", "POST")
    block.append(":scheme", isSecure ? "https" : "http")
    block.append(":path", path)
    block.append(":authority", host)
    block.append("te", "trailers")
    block.append("content-type", "application/grpc")
    block.append("user-agent", "grpc-swift-marquee")
    if compresses { block.append("grpc-encoding", "gzip") }
    block.append("grpc-accept-encoding", MessageEncoding.accepted)
    if let deadline {
      block.append("grpc-timeout", CallTimeout.encode(nanoseconds: deadline.nanoseconds(since: now)))
    }
    metadata.encode(into: &block)
    return block
  }

  /// Whether it can go to another connection: nobody has seen it, and we still have all of it. A server that refuses it
  /// gets one more chance; connections that end just as it is their turn say nothing against it.
  var canMove: Bool {
    guard !isEnded, moveCount < (wasNotSent ? Self.moveCountMax : 1) else { return false }
    if case .unary = shape { return true }
    return wasNotSent
  }

  func move() {
    moveCount += 1
    wasNotSent = false
    id = 0
    session = nil
    if case .unary = shape { body = nil }
  }

  // MARK: Ends

  func opened() {
    if case .streaming(let ends) = shape { ends.opened(.success(())) }
  }

  func succeed(trailers: HeaderBlock) {
    guard !isEnded else { return }
    isEnded = true
    let initial = initialHeaders.map(Metadata.init(decoding:)) ?? Metadata()
    switch shape {
    case .unary(_, let done):
      guard let message = message.take() else {
        return done(.failure(CallFailure(Fault(.unimplemented, "\(path) was answered without a message"))))
      }
      let trailers = Metadata(decoding: trailers)
      do throws(Fault) {
        let bytes = try message.opened(bytesMax: messageBytesMax)
        done(
          .success(
            UnaryReply(
              message: bytes, wasCompressed: message.isCompressed, initialMetadata: initial,
              trailers: trailers)))
      } catch {
        done(.failure(CallFailure(error, initialMetadata: initial, trailers: trailers)))
      }
    case .streaming(let ends):
      ends.finish(nil, initial: initial, trailers: Metadata(decoding: trailers), drops: false)
    }
  }

  /// `drops`: messages that the caller has not taken yet are not handed out any more.
  func fail(
    _ fault: Fault, trailers: HeaderBlock? = nil, isSafeToRetry: Bool = false, drops: Bool = false
  ) {
    guard !isEnded else { return }
    isEnded = true
    let failure = CallFailure(
      fault, initialMetadata: initialHeaders.map(Metadata.init(decoding:)) ?? Metadata(),
      trailers: trailers.map(Metadata.init(decoding:)) ?? Metadata(), isSafeToRetry: isSafeToRetry)
    switch shape {
    case .unary(_, let done): done(.failure(failure))
    case .streaming(let ends):
      ends.opened(.failure(failure))
      ends.finish(failure, initial: failure.initialMetadata, trailers: failure.trailers, drops: drops)
    }
  }
}
