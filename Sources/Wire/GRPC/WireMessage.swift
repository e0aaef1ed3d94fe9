internal import Base

/// One message as it travels behind its 5-byte prefix: plain, or gzipped and marked as such.
///
/// A compressed one stays so while it waits, so that what is held for a peer is what the peer sent; it is inflated
/// where it is taken.
struct WireMessage: Sendable, Equatable {
  var bytes: [UInt8]
  var isCompressed = false

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  init(bytes: [UInt8], isCompressed: Bool) {
    self.bytes = bytes
    self.isCompressed = isCompressed
  }

  /// Gzipped, unless that doesn't make it smaller.
  init(gzipping message: [UInt8]) {
    if let smaller = Gzip.deflate(message) {
      self.init(bytes: smaller, isCompressed: true)
    } else {
      self.init(message)
    }
  }

  /// What was meant. A message longer than `bytesMax` is inflated no further than that.
  func opened(bytesMax: Int) throws(Fault) -> [UInt8] {
    isCompressed ? try Gzip.inflate(bytes, bytesMax: bytesMax) : bytes
  }
}
