import Base
import Testing

@testable import Wire

@Suite struct GzipTests {
  private static let text = Array("what is held for a peer is what the peer sent, and nothing more. ".utf8)

  /// Compressible, of any length.
  private func sample(_ count: Int) -> [UInt8] { (0..<count).map { Self.text[$0 % Self.text.count] } }

  private func code(_ bytes: [UInt8], max: Int = 1 << 20) -> Fault.Code? {
    do { _ = try Gzip.inflate(bytes, bytesMax: max) } catch { return error.code }
    return nil
  }

  @Test("what was gzipped is inflated again, whatever its length")
  func roundTrip() throws {
    for count in [100, 1023, 1024, 1025, 4096, 65_536, 1_000_000] {
      let sent = sample(count)
      let packed = try #require(Gzip.deflate(sent))
      #expect(packed.count < sent.count)
      #expect(packed.starts(with: [0x1f, 0x8b]))
      #expect(try Gzip.inflate(packed, bytesMax: 1 << 20) == sent)
    }
  }

  @Test("what gzip doesn't make smaller goes as it is")
  func incompressible() {
    var random = SystemRandomNumberGenerator()
    for count in [0, 1, 20, 5000] {
      let message = (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) }
      #expect(WireMessage(gzipping: message) == WireMessage(message))
    }
  }

  @Test("a message may be as long as the limit and no byte longer")
  func limit() throws {
    for count in [1, 100, 1024, 5000, 100_000] {
      let packed = try #require(Gzip.deflate(sample(max(count, 100))))
      let size = max(count, 100)
      #expect(try Gzip.inflate(packed, bytesMax: size).count == size)
      #expect(code(packed, max: size - 1) == .resourceExhausted)
    }
  }

  @Test("a message cut off anywhere, or with a byte changed in its checksum or length, is refused")
  func damaged() throws {
    let packed = try #require(Gzip.deflate(sample(500)))
    for cut in 0..<packed.count { #expect(code(Array(packed[..<cut])) == .internalError, "\(cut)") }
    for index in (packed.count - 8)..<packed.count {
      var damaged = packed
      damaged[index] ^= 1
      #expect(code(damaged) == .internalError, "\(index)")
    }
    #expect(code(packed + [0]) == .internalError)
    #expect(code(sample(500)) == .internalError)
    // The limit reached exactly: the end is checked all the same.
    #expect(code(Array(packed.dropLast()), max: 500) == .internalError)
    var wrong = packed
    wrong[packed.count - 1] ^= 1
    #expect(code(wrong, max: 500) == .internalError)
  }

  @Test("random bytes and damaged gzip end in a fault or a message within the limit")
  func noise() throws {
    let seed = UInt64.random(in: 0...UInt64.max)
    var random = SplitMix(seed: seed)
    let packed = try #require(Gzip.deflate(sample(3000)))
    for _ in 0..<2000 {
      var bytes = packed
      for _ in 0..<Int.random(in: 1...4, using: &random) {
        bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
      }
      if let message = try? Gzip.inflate(bytes, bytesMax: 4000) {
        #expect(message.count <= 4000, "seed \(seed)")
      }
    }
  }

  @Test("several members in one message are read as one")
  func members() throws {
    let one = try #require(Gzip.deflate(sample(300)))
    #expect(try Gzip.inflate(one + one, bytesMax: 1 << 20) == sample(300) + sample(300))
    #expect(try Gzip.inflate(one + one, bytesMax: 600).count == 600)
    #expect(code(one + one, max: 599) == .resourceExhausted)
    #expect(code(one + one, max: 300) == .resourceExhausted)
  }
}
