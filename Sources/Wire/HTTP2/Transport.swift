internal import Base
internal import NIOCore

/// What a connection of gRPC does with what its transport hears.
protocol TransportOwner: AnyObject, SendableMetatype {
  /// The handshake is over and nothing was received yet. Throws when there shall be no connection.
  func transportDidOpen(_ certificate: PeerCertificate?) throws(Fault)
  /// The handshake failed; the connection is closed next. `certificate` is what the peer showed, not verified.
  func transportDidRefuse(_ certificate: PeerCertificate?, _ fault: Fault)
  /// Events follow, all heard at one time.
  func transportWillReport()
  /// That was all, for now.
  func transportDidReport()
  /// `bytes` is what data events point into.
  func transport(didReceive event: SessionEvent, bytes: [UInt8])
  /// What could leave has left, for now.
  func transportDidFlush()
  /// Exactly once: nothing more is received. The last bytes may still be on their way out.
  func transportDidClose(_ fault: Fault)
  /// Exactly once, after everything else: the socket is closed.
  func transportIsGone()
}

extension TransportOwner {
  func transportDidRefuse(_ certificate: PeerCertificate?, _ fault: Fault) {}
  func transportWillReport() {}
  func transportDidReport() {}
  func transportDidFlush() {}
}

/// Carries one HTTP/2 session over a NIO channel, with TLS or without; lives on the channel's event loop.
///
/// `@exclusivity(unchecked)`, here and in what calls and streams have: on one event loop, and no access to one of these
/// contains another; the checks took longer than the accesses.
final class Transport<Owner: TransportOwner>: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  private enum Phase {
    case waiting, shakingHands, open, closing, closed
  }

  /// Bytes that HTTP/2 sees at once: its inbox is emptied in between, so that it stays small.
  private static var pieceBytes: Int { 16 << 10 }
  /// Bytes of one write. NIO's own mark for "not writable" is as much.
  private static var writeBytes: Int { 64 << 10 }

  let session: Session
  private let tls: TLSEngine?
  private let owner: Owner
  private let lingerMilliseconds: UInt64
  @exclusivity(unchecked) private var phase = Phase.waiting
  @exclusivity(unchecked) private var context: ChannelHandlerContext?
  private var closeFault = Fault(.unavailable, "the connection was closed")
  @exclusivity(unchecked) private var isReading = false
  @exclusivity(unchecked) private var isFlushing = false
  @exclusivity(unchecked) private var flushIsDue = false

  init(session: Session, tls: TLSEngine?, owner: Owner, limits: WireLimits) {
    self.session = session
    self.tls = tls
    self.owner = owner
    lingerMilliseconds = limits.lingerMilliseconds
  }

  func handlerAdded(context: ChannelHandlerContext) {
    self.context = context
    if context.channel.isActive { begin() }
  }

  func channelActive(context: ChannelHandlerContext) { begin() }

  private func begin() {
    guard phase == .waiting else { return }
    phase = .shakingHands
    proceed()
    flush()
  }

  /// Goes on with the handshake, if there is one.
  private func proceed() {
    guard phase == .shakingHands else { return }
    do throws(Fault) {
      do throws(Fault) { guard try tls?.shakeHands() ?? true else { return } } catch {
        owner.transportDidRefuse(tls?.refusedCertificate, error)
        throw error
      }
      phase = .open
      try owner.transportDidOpen(tls?.peerCertificate())
    } catch {
      close(error)
    }
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    guard phase == .shakingHands || phase == .open else { return }
    isReading = true
    unwrapInboundIn(data).withUnsafeReadableBytes { receive($0) }
  }

  func channelReadComplete(context: ChannelHandlerContext) {
    isReading = false
    flush()
  }

  private func receive(_ bytes: UnsafeRawBufferPointer) {
    guard let tls else { return receiveClear(bytes) }
    tls.receive(bytes)
    proceed()
    guard phase == .open else { return }
    do {
      let goesOn = try tls.read { (clear: UnsafeRawBufferPointer) in receiveClear(clear) }
      if !goesOn { close(Fault(.unavailable, "the peer closed the connection")) }
    } catch {
      close(error as? Fault ?? Fault(.unavailable, "TLS failed"))
    }
  }

  private func receiveClear(_ bytes: UnsafeRawBufferPointer) {
    var rest = bytes
    while rest.count > 0, phase == .open {
      let piece = UnsafeRawBufferPointer(rebasing: rest.prefix(Self.pieceBytes))
      rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(piece.count))
      do throws(Session.Broken) {
        try session.receive(piece)
        drain()
      } catch {
        drain()
        // A GOAWAY that says why may be queued.
        flush()
        close(Fault(.unavailable, "HTTP/2 failed: \(error.message)"))
      }
    }
  }

  /// Whether there was anything.
  @discardableResult
  private func drain() -> Bool {
    var hasHeard = false
    while let (events, bytes) = session.takeEvents() {
      owner.transportWillReport()
      // Not by the array's iterator, which would hold each event once more.
      events.withUnsafeBufferPointer { events in
        for index in events.indices { owner.transport(didReceive: events[index], bytes: bytes) }
      }
      owner.transportDidReport()
      session.recycle(events, bytes)
      hasHeard = true
    }
    return hasHeard
  }

  /// Something was queued: it is sent at the end of the current read, or else soon.
  func flushSoon() {
    guard !isReading, !isFlushing, !flushIsDue, phase == .open, let context else { return }
    flushIsDue = true
    let transport = NIOLoopBound(self, eventLoop: context.eventLoop)
    context.eventLoop.execute {
      transport.value.flushIsDue = false
      transport.value.flush()
    }
  }

  var isShakingHands: Bool { phase == .waiting || phase == .shakingHands }

  func isRevoked(by context: TLSContext) -> Bool { tls.map { context.isRevoked($0) } ?? false }

  /// Whether the peer's certificate would still be taken; without TLS it always is.
  func standing(by context: TLSContext) -> TLSContext.Standing {
    tls.map { context.standing(of: $0) } ?? .trusted
  }

  func channelWritabilityChanged(context: ChannelHandlerContext) { flush() }

  func flush() {
    guard !isFlushing, phase == .open || phase == .shakingHands, let context else { return }
    isFlushing = true
    defer { isFlushing = false }
    do {
      try writeAll(context)
    } catch {
      close(error as? Fault ?? Fault(.unavailable, "HTTP/2 failed while sending"))
      return
    }
    owner.transportDidFlush()
    if phase == .open, session.isOver { close(Fault(.unavailable, "the connection has ended")) }
  }

  private func writeAll(_ context: ChannelHandlerContext) throws {
    var goesOn = true
    let room = WriteRoom.current(context.channel.allocator)
    while goesOn {
      goesOn = false
      while context.channel.isWritable {
        var buffer = room.take()
        if phase == .open {
          try session.gather(into: &buffer, limit: Self.writeBytes)
          if drain() { goesOn = true }
        }
        if let tls {
          try buffer.withUnsafeReadableBytes { try tls.write($0) }
          buffer.clear()
          tls.takeOutput(into: &buffer)
        }
        defer { room.giveBack(buffer) }
        guard buffer.readableBytes > 0 else { break }
        // Flushed at once: a write that waits takes the room along, and the next one would have to make another.
        context.writeAndFlush(wrapOutboundOut(buffer), promise: nil)
        goesOn = true
      }
      goesOn = goesOn && context.channel.isWritable && phase == .open && session.wantsWrite
    }
  }

  /// Lets what was written leave, then closes. `fault` is what open calls get.
  func close(_ fault: Fault) {
    guard phase != .closing, phase != .closed, let context else { return }
    closeFault = fault
    let wasOpen = phase == .open || phase == .shakingHands
    phase = .closing
    var buffer = context.channel.allocator.buffer(capacity: 64)
    if wasOpen, let tls {
      tls.close()
      tls.takeOutput(into: &buffer)
    }
    // The end of our side is sent behind the last bytes, and the peer's end awaited: closing with unread bytes
    // would make the kernel reset the connection and drop what the peer has not read.
    let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
    context.writeAndFlush(wrapOutboundOut(buffer)).whenComplete { _ in
      bound.value.close(mode: .output, promise: nil)
    }
    let channel = context.channel
    context.eventLoop.scheduleTask(in: .milliseconds(Int64(lingerMilliseconds))) {
      channel.close(promise: nil)
    }
    finish()
  }

  /// Ends at once: what is queued is lost.
  func abort(_ fault: Fault) {
    guard phase != .closed, let context else { return }
    closeFault = fault
    context.close(promise: nil)
  }

  func channelInactive(context: ChannelHandlerContext) {
    phase = .closed
    finish()
    goAway()
    context.fireChannelInactive()
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    closeFault = Fault(.unavailable, "the connection failed: \(error)")
    context.close(promise: nil)
  }

  func handlerRemoved(context: ChannelHandlerContext) {
    finish()
    goAway()
    self.context = nil
  }

  private var isFinished = false
  private var isGone = false

  private func goAway() {
    guard !isGone else { return }
    isGone = true
    owner.transportIsGone()
  }

  private func finish() {
    guard !isFinished else { return }
    isFinished = true
    owner.transportDidClose(closeFault)
  }
}
