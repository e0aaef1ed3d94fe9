internal import Base

/// Cuts bytes into chunks where the content says so, so that an insertion moves the cuts near it and no others.
///
/// A rolling gear hash with normalised chunking (FastCDC; Xia and others, USENIX ATC 2016): no cut before the least
/// size, a hard condition up to the target, an easy one after it, and always one at the most. Cut points are part of
/// what makes two builds share chunks, so the table's seed and the conditions never change.
package struct Chunker: Sendable {
  /// The seed of the gear table: 256 words of SplitMix64, in the order of the byte values. "marquee1" in ASCII.
  package static let gearSeed: UInt64 = 0x6d61_7271_7565_6531
  /// One bit of the target's 16 more or less, twice: 18 before it, 14 after it.
  private static let normalisation: UInt64 = 2

  package let byteCountMin: Int
  package let byteCountTarget: Int
  package let byteCountMax: Int
  private let gear: [UInt64]
  /// A cut is where the hash is below this. The highest bits depend on the most bytes: a window of 64.
  private let hardBound: UInt64
  private let easyBound: UInt64

  /// The target must be a power of two, with the least below it and the most above it.
  package init(
    byteCountMin: Int = Limits.chunkByteCountMin, byteCountTarget: Int = Limits.chunkByteCountTarget,
    byteCountMax: Int = Limits.chunkByteCountMax
  ) {
    precondition(byteCountTarget.nonzeroBitCount == 1 && byteCountTarget >= 64)
    precondition(byteCountMin > 0 && byteCountMin < byteCountTarget && byteCountTarget < byteCountMax)
    self.byteCountMin = byteCountMin
    self.byteCountTarget = byteCountTarget
    self.byteCountMax = byteCountMax
    var words = SplitMix(seed: Self.gearSeed)
    gear = (0..<256).map { _ in words.next() }
    let bits = UInt64(byteCountTarget.trailingZeroBitCount)
    hardBound = 1 << (64 - bits - Self.normalisation)
    easyBound = 1 << (64 - bits + Self.normalisation)
  }

  /// The ends of all chunks, in order; the last is `bytes.count`. Empty for no bytes.
  package func cuts(of bytes: UnsafeRawBufferPointer) -> [Int] {
    var cuts: [Int] = []
    cuts.reserveCapacity(bytes.count / byteCountTarget + 1)
    var start = 0
    while start < bytes.count {
      start += firstCut(of: UnsafeRawBufferPointer(rebasing: bytes[start...]))
      cuts.append(start)
    }
    return cuts
  }

  /// The size of the first chunk of `bytes`, which has at least one byte.
  package func firstCut(of bytes: UnsafeRawBufferPointer) -> Int {
    guard bytes.count > byteCountMin, let start = bytes.baseAddress?.assumingMemoryBound(to: UInt8.self)
    else {
      return bytes.count
    }
    let end = min(bytes.count, byteCountMax)
    return gear.withUnsafeBufferPointer { gear in
      guard let table = gear.baseAddress else { return end }
      var hash: UInt64 = 0
      var position = byteCountMin
      let middle = min(end, byteCountTarget)
      while position < middle {
        hash = (hash << 1) &+ table[Int(start[position])]
        position += 1
        if hash < hardBound { return position }
      }
      while position < end {
        hash = (hash << 1) &+ table[Int(start[position])]
        position += 1
        if hash < easyBound { return position }
      }
      return end
    }
  }
}
