/// The head of a frame, as RFC 9113 4.1 lays it out.
struct FrameHead: Equatable {
  enum Kind {
    static let data: UInt8 = 0
    static let headers: UInt8 = 1
    static let priority: UInt8 = 2
    static let reset: UInt8 = 3
    static let settings: UInt8 = 4
    static let ping: UInt8 = 6
    static let windowUpdate: UInt8 = 8
    static let continuation: UInt8 = 9
  }

  enum Flag {
    static let endStream: UInt8 = 0x1
    static let acknowledges: UInt8 = 0x1
    static let endHeaders: UInt8 = 0x4
    static let padded: UInt8 = 0x8
  }

  var length: Int
  var kind: UInt8
  var flags: UInt8
  var stream: Int32
  /// Bytes of padding behind a DATA frame's content, the byte that counts them not included.
  var paddingCount = 0

  func has(_ flag: UInt8) -> Bool { flags & flag != 0 }

  /// A DATA frame's bytes without its padding.
  var contentCount: Int { has(Flag.padded) ? max(0, length - 1 - paddingCount) : length }
}

/// Follows the frames in a peer's bytes and keeps none of them: which begins where, and how much of it is to come.
struct FrameScanner {
  static let headCount = 9

  /// What is left of a client's connection preface, before the first frame.
  private var prefaceCount: Int
  private var head = (0, 0, 0, 0, 0, 0, 0, 0, 0) as Head
  private var headFilled = 0
  private var payloadCount = 0
  /// Set while a padded DATA frame's first byte is awaited: only then is it known how much of it is content.
  private var padded: FrameHead?
  /// Frames that began.
  private(set) var count: UInt64 = 0
  /// The frame whose payload is being passed over.
  private(set) var current = FrameHead(length: 0, kind: 0, flags: 0, stream: 0)

  private typealias Head = (UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8)

  init(skippingPreface: Bool) { prefaceCount = skippingPreface ? 24 : 0 }

  /// Whether a frame has begun that is not whole yet.
  var isMidway: Bool { headFilled > 0 || payloadCount > 0 || padded != nil }
  var isInPayload: Bool { payloadCount > 0 && headFilled == 0 }

  /// The next frame that begins in `bytes` at or behind `offset`, which moves behind its head; `nil` at the end.
  mutating func next(_ bytes: UnsafeRawBufferPointer, _ offset: inout Int) -> FrameHead? {
    skip(&prefaceCount, bytes, &offset)
    guard prefaceCount == 0 else { return nil }
    if padded == nil {
      skip(&payloadCount, bytes, &offset)
      guard payloadCount == 0 else { return nil }
      guard fillHead(bytes, &offset) else { return nil }
      let frame = parse()
      count += 1
      current = frame
      payloadCount = frame.length
      guard frame.kind == FrameHead.Kind.data, frame.has(FrameHead.Flag.padded), frame.length > 0 else {
        return frame
      }
      padded = frame
    }
    guard offset < bytes.count, var frame = padded else { return nil }
    frame.paddingCount = Int(bytes[offset])
    padded = nil
    current = frame
    return frame
  }

  private func skip(_ rest: inout Int, _ bytes: UnsafeRawBufferPointer, _ offset: inout Int) {
    let count = min(rest, bytes.count - offset)
    rest -= count
    offset += count
  }

  private mutating func fillHead(_ bytes: UnsafeRawBufferPointer, _ offset: inout Int) -> Bool {
    if headFilled == 0, bytes.count - offset >= Self.headCount {
      // The usual case: all of it at once.
      withUnsafeMutableBytes(of: &head) { head in
        head.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + Self.headCount]))
      }
      offset += Self.headCount
      return true
    }
    let count = min(Self.headCount - headFilled, bytes.count - offset)
    let filled = headFilled
    withUnsafeMutableBytes(of: &head) { head in
      for index in 0..<count { head[filled + index] = bytes[offset + index] }
    }
    headFilled += count
    offset += count
    guard headFilled == Self.headCount else { return false }
    headFilled = 0
    return true
  }

  private func parse() -> FrameHead {
    let stream = UInt32(head.5 & 0x7f) << 24 | UInt32(head.6) << 16 | UInt32(head.7) << 8 | UInt32(head.8)
    return FrameHead(
      length: Int(head.0) << 16 | Int(head.1) << 8 | Int(head.2), kind: head.3, flags: head.4,
      stream: Int32(stream))
  }
}
