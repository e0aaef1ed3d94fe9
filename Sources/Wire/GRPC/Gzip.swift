internal import Base
internal import CZlib

/// Gzip (RFC 1952) of whole messages.
enum Gzip {
  /// The least room that an inflated message gets at first.
  private static let firstRoom = 1024

  /// `nil` when it would not be shorter than `bytes`.
  static func deflate(_ bytes: [UInt8]) -> [UInt8]? {
    guard bytes.count > 1, let stream = ZStream(.deflating) else { return nil }
    var output = [UInt8](repeating: 0, count: bytes.count - 1)
    let (isWhole, count) = bytes.withUnsafeBytes { source in
      output.withUnsafeMutableBytes { target in stream.deflate(source, into: target) }
    }
    guard isWhole else { return nil }
    output.removeSubrange(count...)
    return output
  }

  /// `resourceExhausted` when there is more than `bytesMax`, which is noticed at the first byte beyond;
  /// `internalError` when it isn't gzip, or not all of it.
  static func inflate(_ bytes: [UInt8], bytesMax: Int) throws(Fault) -> [UInt8] {
    guard let stream = ZStream(.inflating) else { throw Fault(.resourceExhausted, "no memory to inflate") }
    var output: [UInt8] = []
    var room = min(bytesMax, max(firstRoom, bytes.count * 4))
    var taken = 0
    while true {
      let filled = output.count
      output.append(contentsOf: repeatElement(0, count: room - filled))
      let step = bytes.withUnsafeBytes { source in
        output.withUnsafeMutableBytes { target in
          stream.inflate(
            UnsafeRawBufferPointer(rebasing: source[taken...]),
            into: UnsafeMutableRawBufferPointer(rebasing: target[filled...]))
        }
      }
      taken += step.taken
      output.removeSubrange((filled + step.written)...)
      switch step.state {
      case .broken: throw Fault(.internalError, "a compressed message is not gzip")
      case .ended:
        if taken == bytes.count { return output }
        // A gzip file may have several members, one behind the other.
        stream.begin()
      case .goesOn where output.count < room:
        throw Fault(.internalError, "a compressed message is cut off")
      case .goesOn: break
      }
      if output.count == room {
        guard room < bytesMax else { return try finish(output, stream, bytes[taken...], bytesMax) }
        room = min(bytesMax, room * 2)
      }
    }
  }

  /// The message is as long as it may be: nothing may follow but the end.
  private static func finish(
    _ output: [UInt8], _ stream: borrowing ZStream, _ rest: ArraySlice<UInt8>, _ bytesMax: Int
  ) throws(Fault) -> [UInt8] {
    var rest = rest
    while true {
      var beyond: UInt8 = 0
      let step = rest.withUnsafeBytes { source in
        withUnsafeMutableBytes(of: &beyond) { stream.inflate(source, into: $0) }
      }
      guard step.written == 0 else {
        throw Fault(.resourceExhausted, "a compressed message has more than \(bytesMax) bytes inside")
      }
      rest = rest.dropFirst(step.taken)
      switch step.state {
      case .broken: throw Fault(.internalError, "a compressed message is not gzip")
      case .goesOn: throw Fault(.internalError, "a compressed message is cut off")
      case .ended where rest.isEmpty: return output
      case .ended: stream.begin()
      }
    }
  }
}

/// Owns one zlib stream.
///
/// zlib keeps the address of its `z_stream` and compares it, so it lives on the heap and never moves.
private struct ZStream: ~Copyable {
  enum Direction { case deflating, inflating }
  enum State { case goesOn, ended, broken }

  private let stream: UnsafeMutablePointer<z_stream>
  private let direction: Direction

  /// The gzip format with the whole window of 32 KiB, as zlib writes it.
  private static let windowBits = 16 + MAX_WBITS

  /// `nil` without memory.
  init?(_ direction: Direction) {
    let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
    stream.initialize(to: z_stream())
    let size = Int32(MemoryLayout<z_stream>.size)
    let code =
      switch direction {
      case .deflating:
        deflateInit2_(
          stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, Self.windowBits, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION,
          size)
      case .inflating: inflateInit2_(stream, Self.windowBits, ZLIB_VERSION, size)
      }
    guard code == Z_OK else {
      stream.deallocate()
      return nil
    }
    self.stream = stream
    self.direction = direction
  }

  deinit {
    switch direction {
    case .deflating: deflateEnd(stream)
    case .inflating: inflateEnd(stream)
    }
    stream.deallocate()
  }

  /// All of `source`; whether it fitted.
  func deflate(
    _ source: UnsafeRawBufferPointer, into target: UnsafeMutableRawBufferPointer
  ) -> (isWhole: Bool, count: Int) {
    set(source, target)
    let code = CZlib.deflate(stream, Z_FINISH)
    return (code == Z_STREAM_END, target.count - Int(stream.pointee.avail_out))
  }

  func inflate(
    _ source: UnsafeRawBufferPointer, into target: UnsafeMutableRawBufferPointer
  ) -> (state: State, taken: Int, written: Int) {
    set(source, target)
    let code = CZlib.inflate(stream, Z_NO_FLUSH)
    let state: State =
      switch code {
      case Z_OK, Z_BUF_ERROR: .goesOn
      case Z_STREAM_END: .ended
      default: .broken
      }
    return (
      state, source.count - Int(stream.pointee.avail_in), target.count - Int(stream.pointee.avail_out)
    )
  }

  /// Another member begins.
  func begin() { inflateReset(stream) }

  /// zlib asks for a mutable source and doesn't write through it. Messages are shorter than 4 GiB.
  private func set(_ source: UnsafeRawBufferPointer, _ target: UnsafeMutableRawBufferPointer) {
    stream.pointee.next_in = source.baseAddress.map {
      UnsafeMutablePointer(mutating: $0.assumingMemoryBound(to: Bytef.self))
    }
    stream.pointee.avail_in = uInt(source.count)
    stream.pointee.next_out = target.baseAddress?.assumingMemoryBound(to: Bytef.self)
    stream.pointee.avail_out = uInt(target.count)
  }
}
