import Base
import Snapshots
import Testing

@Suite("Chunker")
struct ChunkerTests {
  private func cuts(_ bytes: [UInt8], _ chunker: Chunker = Chunker()) -> [Int] {
    bytes.withUnsafeBytes { chunker.cuts(of: $0) }
  }

  private func pieces(_ bytes: [UInt8]) -> [Digest] {
    var start = 0
    return cuts(bytes).map { end in
      defer { start = end }
      return Digest(of: Array(bytes[start..<end]))
    }
  }

  @Test("the cuts of known bytes are those that were published with the first version")
  func knownCuts() {
    #expect(Chunker.gearSeed == 0x6d61_7271_7565_6531)
    #expect(cuts(noise(400_000, seed: 42)) == [106_780, 187_692, 273_167, 349_349, 385_557, 400_000])
    #expect(cuts([UInt8](repeating: 0, count: 600_000)) == [262_144, 524_288, 600_000])
  }

  @Test("the fast loop cuts where the plain definition does")
  func plainDefinition() {
    let (least, target, most) = (64, 256, 1024)
    let chunker = Chunker(byteCountMin: least, byteCountTarget: target, byteCountMax: most)
    var words = SplitMix(seed: Chunker.gearSeed)
    let gear = (0..<256).map { _ in words.next() }
    for count in [0, 1, 63, 64, 65, 255, 256, 257, 1023, 1024, 1025, 20_000] {
      let bytes = noise(count, seed: UInt64(count))
      var expected: [Int] = []
      var start = 0
      while start < count {
        var hash: UInt64 = 0
        var end = start + least
        while end < min(start + most, count) {
          hash = hash &* 2 &+ gear[Int(bytes[end])]
          end += 1
          // 8 bits of target: 10 leading zeros before it, 6 after it.
          if hash.leadingZeroBitCount >= (end - start <= target ? 10 : 6) { break }
        }
        start = min(end, count)
        expected.append(start)
      }
      #expect(cuts(bytes, chunker) == expected, "\(count) bytes")
    }
  }

  @Test("chunks keep to their bounds, cover everything, and are near the target")
  func bounds() {
    let bytes = noise(4 << 20, seed: 7)
    let ends = cuts(bytes)
    let sizes = zip(ends, [0] + ends).map(-)
    #expect(ends.last == bytes.count)
    #expect(
      sizes.dropLast().allSatisfy { (Limits.chunkByteCountMin...Limits.chunkByteCountMax).contains($0) })
    #expect((56 << 10...96 << 10).contains(bytes.count / sizes.count))
    #expect(cuts([]) == [])
    #expect(cuts([1]) == [1])
  }

  @Test("an insertion in the middle changes only the chunks near it")
  func insertion() {
    let bytes = noise(3 << 20, seed: 8)
    var changed = bytes
    changed.insert(contentsOf: noise(100, seed: 9), at: bytes.count / 2)
    let (before, after) = (pieces(bytes), pieces(changed))
    #expect(before.count > 30)
    #expect(Set(after).subtracting(before).count <= 3)
    #expect(before.first == after.first && before.last == after.last)
  }
}
