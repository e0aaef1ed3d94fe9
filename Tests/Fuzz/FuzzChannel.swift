import NIOCore

/// A channel without a socket, which takes at once whatever is written; lives on the one thread that fuzzes, which is the
/// guard for `@unchecked Sendable`.
final class FuzzChannel: Channel, ChannelCore, @unchecked Sendable {
  private let loop: FuzzLoop
  private let closePromise: EventLoopPromise<Void>
  private var itsPipeline: ChannelPipeline?
  private var unflushed: [EventLoopPromise<Void>] = []
  /// Our side has said that it sends no more.
  private(set) var isOutputClosed = false
  private(set) var isActive = false
  private(set) var isWritable = true
  /// All that was written.
  private(set) var output: [UInt8] = []

  init(loop: FuzzLoop) {
    self.loop = loop
    closePromise = loop.makePromise()
    itsPipeline = ChannelPipeline(channel: self)
  }

  var eventLoop: any EventLoop { loop }
  var allocator: ByteBufferAllocator { ByteBufferAllocator() }
  var closeFuture: EventLoopFuture<Void> { closePromise.futureResult }
  var _channelCore: any ChannelCore { self }
  var localAddress: SocketAddress? { nil }
  var remoteAddress: SocketAddress? { nil }
  var parent: (any Channel)? { nil }

  var pipeline: ChannelPipeline {
    guard let itsPipeline else { preconditionFailure("asked for its pipeline while it is made") }
    return itsPipeline
  }

  func begin(_ handler: some ChannelHandler) {
    do { try pipeline.syncOperations.addHandler(handler) } catch { found("no pipeline: \(error)") }
    isActive = true
    pipeline.syncOperations.fireChannelActive()
  }

  /// The peer sends. Nobody may read beyond the bytes, though NIO rounds up what it allocates for them.
  func receive(_ bytes: [UInt8]) {
    var buffer = allocator.buffer(capacity: bytes.count)
    buffer.writeBytes(bytes)
    buffer.withUnsafeMutableWritableBytes { poison($0.baseAddress, $0.count) }
    pipeline.syncOperations.fireChannelRead(NIOAny(buffer))
    pipeline.syncOperations.fireChannelReadComplete()
  }

  func setWritable(_ isWritable: Bool) {
    self.isWritable = isWritable
    pipeline.syncOperations.fireChannelWritabilityChanged()
  }

  /// The peer is gone, and knows nothing of half-closed sockets.
  func end() { close0(error: ChannelError.eof, mode: .all, promise: nil) }

  func write0(_ data: NIOAny, promise: EventLoopPromise<Void>?) {
    guard isActive, !isOutputClosed else {
      promise?.fail(isActive ? ChannelError.outputClosed : ChannelError.ioOnClosedChannel)
      return
    }
    unwrapData(data, as: ByteBuffer.self).withUnsafeReadableBytes { output.append(contentsOf: $0) }
    if let promise { unflushed.append(promise) }
  }

  func flush0() {
    guard !unflushed.isEmpty else { return }
    let written = unflushed
    unflushed = []
    for promise in written { promise.succeed() }
  }

  func close0(error: any Error, mode: CloseMode, promise: EventLoopPromise<Void>?) {
    guard isActive else {
      promise?.fail(ChannelError.alreadyClosed)
      return
    }
    guard mode == .all else {
      isOutputClosed = true
      promise?.succeed()
      return
    }
    isActive = false
    for promise in unflushed { promise.fail(error) }
    unflushed = []
    promise?.succeed()
    pipeline.syncOperations.fireChannelInactive()
    pipeline.syncOperations.fireChannelUnregistered()
    // Later: whoever closes may be inside the pipeline.
    loop.execute {
      self.removeHandlers(pipeline: self.pipeline)
      self.closePromise.succeed()
    }
  }

  // What no connection of ours asks a channel for.

  func localAddress0() throws -> SocketAddress { throw ChannelError.operationUnsupported }
  func remoteAddress0() throws -> SocketAddress { throw ChannelError.operationUnsupported }
  func register0(promise: EventLoopPromise<Void>?) { refuse(promise) }
  func bind0(to: SocketAddress, promise: EventLoopPromise<Void>?) { refuse(promise) }
  func connect0(to: SocketAddress, promise: EventLoopPromise<Void>?) { refuse(promise) }
  func triggerUserOutboundEvent0(_ event: Any, promise: EventLoopPromise<Void>?) { refuse(promise) }
  func read0() {}
  func channelRead0(_ data: NIOAny) { found("bytes that nobody reads") }
  func errorCaught0(error: any Error) { found("an error that nobody catches: \(error)") }

  func setOption<Option: ChannelOption>(_ option: Option, value: Option.Value) -> EventLoopFuture<Void> {
    loop.makeFailedFuture(ChannelError.operationUnsupported)
  }

  func getOption<Option: ChannelOption>(_ option: Option) -> EventLoopFuture<Option.Value> {
    loop.makeFailedFuture(ChannelError.operationUnsupported)
  }

  private func refuse(_ promise: EventLoopPromise<Void>?) { promise?.fail(ChannelError.operationUnsupported) }
}

/// AddressSanitizer's own: reading there is a finding from now on, until the memory is freed.
@_silgen_name("__asan_poison_memory_region")
private func poison(_ start: UnsafeRawPointer?, _ count: Int)
