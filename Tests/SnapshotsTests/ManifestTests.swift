import Base
import Foundation
import Snapshots
import Testing

private let protocPath = "/usr/bin/protoc"

@Suite("Manifest")
struct ManifestTests {
  private let chunk = Manifest.Chunk(byteCount: 300, digest: Digest(of: [1]))

  private var manifest: Manifest {
    Manifest(
      sequence: 300, parentSequence: 299, parentDigest: Digest(of: [9]),
      created: Timestamp(milliseconds: 1_800_000_000_000),
      expires: Timestamp(milliseconds: 1_900_000_000_000), readerVersionMin: 1,
      space: "s", model: "m", features: "f", policy: "p", titleCount: 1_000_000, description: "Müller",
      isSynthetic: true,
      segments: [
        .init(
          kind: "vectors", name: "base", byteCount: 600, digest: Digest(of: [2]), chunks: [chunk, chunk]),
        .init(kind: "policy", name: "all", byteCount: 300, digest: Digest(of: [3]), chunks: [chunk]),
      ])
  }

  private func code(_ bytes: [UInt8]) -> Refusal.Code? { refusal { _ = try Manifest(bytes: bytes) }?.code }

  private func code(_ change: (inout Manifest) -> Void) -> Refusal.Code? {
    var changed = manifest
    change(&changed)
    return code(changed.bytes)
  }

  @Test("decoding gives back what was encoded, and encoding is the same every time")
  func roundTrip() throws {
    #expect(try Manifest(bytes: manifest.bytes) == manifest)
    #expect(manifest.bytes == manifest.bytes)
    #expect(Digest(of: manifest.bytes).short == "cb84dadb643b")
  }

  @Test(
    "protoc reads our bytes and writes the same",
    .enabled(if: FileManager.default.isExecutableFile(atPath: protocPath), "protoc is not installed"))
  func agreesWithProtoc() throws {
    let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().path
    func run(_ verb: String, _ input: [UInt8]) throws -> [UInt8] {
      let process = Process()
      process.executableURL = URL(fileURLWithPath: protocPath)
      process.arguments = [
        "-I", "\(root)/Protos", "\(verb)=marquee.v1.Manifest", "marquee/v1/snapshot.proto",
      ]
      let (stdin, stdout) = (Pipe(), Pipe())
      process.standardInput = stdin
      process.standardOutput = stdout
      try process.run()
      try stdin.fileHandleForWriting.write(contentsOf: input)
      try stdin.fileHandleForWriting.close()
      let output = [UInt8](stdout.fileHandleForReading.readDataToEndOfFile())
      process.waitUntilExit()
      try #require(process.terminationStatus == 0)
      return output
    }
    let text = try run("--decode", manifest.bytes)
    let readable = String(decoding: text, as: UTF8.self)
    #expect(readable.contains("sequence: 300\n") && readable.contains("name: \"base\""))
    #expect(readable.contains("is_synthetic: true"))
    #expect(try run("--encode", text) == manifest.bytes)
  }

  @Test("what is not in the one canonical form is refused as malformed")
  func strictForm() {
    let bytes = manifest.bytes
    #expect(code([]) == .malformed)
    #expect(code(bytes + [0x78, 1]) == .malformed, "an unknown field")
    #expect(code([0x08, 0x81, 0x00] + bytes.dropFirst(3)) == .malformed, "a varint longer than needed")
    #expect(code(bytes.prefix(3) + bytes) == .malformed, "a singular field twice")
    #expect(code([0x10, 0] + bytes) == .malformed, "a default written out")
    #expect(code(bytes + bytes.prefix(3)) == .malformed, "out of order")
    #expect(code([0x09] + [UInt8](repeating: 1, count: 8)) == .malformed, "another wire type")
    #expect(code([UInt8](repeating: 0xff, count: 11)) == .malformed, "a number beyond 64 bits")
    #expect(code([0x08, 1, 0x3a, 0xff, 0xff, 0xff, 0xff, 0x0f]) == .malformed, "a length beyond the end")
    var text = bytes
    let place = text.firstRange(of: Array("Müller".utf8))
    if let place { text[place.lowerBound + 1] = 0xff }
    #expect(place != nil && code(text) == .malformed, "not UTF-8")
    var shorter = manifest
    shorter.segments.removeLast()
    // Between two segments it is a shorter manifest, which nobody signed; anywhere else it is none.
    for count in 0..<bytes.count where count != shorter.bytes.count {
      #expect(code(Array(bytes.prefix(count))) != nil, "cut after \(count) bytes")
    }
  }

  @Test("ten thousand changed manifests are refused with a place, or are another manifest in canonical form")
  func mutations() {
    let bytes = manifest.bytes
    var random = SplitMix(seed: 11)
    for _ in 0..<10_000 {
      var changed = bytes
      for _ in 0..<Int.random(in: 1...3, using: &random) {
        let index = Int.random(in: 0..<changed.count, using: &random)
        switch Int.random(in: 0..<4, using: &random) {
        case 0: changed[index] = UInt8.random(in: 0...255, using: &random)
        case 1: changed[index] ^= 1 << UInt8.random(in: 0..<8, using: &random)
        case 2: changed.remove(at: index)
        default: changed.insert(UInt8.random(in: 0...255, using: &random), at: index)
        }
      }
      do {
        #expect(try Manifest(bytes: changed).bytes == changed)
      } catch {
        #expect(!error.place.isEmpty)
      }
    }
  }

  @Test("names that could be paths, or that are twice, are refused")
  func names() {
    for name in ["", ".", "..", "../x", "a/b", "A", "ä", "a b", String(repeating: "a", count: 65)] {
      #expect(code { $0.segments[0].name = name } == .malformed, "name \(name)")
      #expect(code { $0.segments[0].kind = name } == .malformed, "kind \(name)")
    }
    #expect(code { $0.segments[0].name = "a_b-c.9" } == nil)
    #expect(
      code {
        $0.segments[1].kind = "vectors"
        $0.segments[1].name = "base"
      } == .malformed)
  }

  @Test("sizes and counts that don't agree, or are beyond a limit, are refused")
  func bounds() {
    #expect(code { $0.segments[0].byteCount = 601 } == .malformed)
    #expect(code { $0.segments[0].byteCount = 0 } == .malformed)
    #expect(code { $0.segments[0].chunks = [] } == .malformed)
    #expect(code { $0.segments[0].byteCount = Limits.segmentByteCountMax + 1 } == .limitExceeded)
    #expect(
      code { $0.segments[1].chunks[0].byteCount = UInt32(Limits.chunkByteCountMax) + 1 } == .limitExceeded)
    #expect(code { $0.segments[1].chunks[0].byteCount = 0 } == .limitExceeded)
    #expect(code { $0.segments = [] } == .malformed)
    #expect(
      code { manifest in
        manifest.segments = (0...Limits.segmentCountMax).map { number in
          .init(kind: "k", name: "n\(number)", byteCount: 300, digest: Digest(of: [3]), chunks: [chunk])
        }
      } == .limitExceeded)
    #expect(code { $0.titleCount = UInt64(Limits.titleCountMax) + 1 } == .limitExceeded)
    #expect(code { $0.description = String(repeating: "x", count: 1025) } == .limitExceeded)
    #expect(code { $0.space = String(repeating: "x", count: 129) } == .limitExceeded)
    #expect(code([UInt8](repeating: 1, count: Limits.manifestByteCountMax + 1)) == .limitExceeded)
  }

  @Test("a digest that stands for two different things is refused")
  func ambiguousDigests() {
    #expect(
      code {
        $0.segments[1].chunks[0].byteCount = 200
        $0.segments[1].byteCount = 200
      } == .malformed, "one chunk digest, two sizes")
    #expect(
      code { $0.segments[1].digest = $0.segments[0].digest } == .malformed, "one segment digest, two contents"
    )
  }

  @Test("sequence, parent and times must make sense")
  func history() {
    #expect(code { $0.sequence = 0 } == .malformed)
    #expect(code { $0.parentSequence = 300 } == .malformed)
    #expect(code { $0.parentDigest = nil } == .malformed)
    #expect(code { $0.parentSequence = 0 } == .malformed)
    #expect(code { $0.expires = $0.created } == .malformed)
    #expect(code { $0.created = Timestamp(milliseconds: -1) } == .malformed)
    #expect(code { $0.readerVersionMin = 0 } == .malformed)
    #expect(
      code {
        $0.parentSequence = 0
        $0.parentDigest = nil
      } == nil)
  }

  @Test("a manifest for a newer reader says so, whatever else is in it that we don't know")
  func newerReader() {
    #expect(code { $0.readerVersionMin = Manifest.readerVersion + 1 } == .newerReader)
    var newer = manifest
    newer.readerVersionMin = Manifest.readerVersion + 1
    #expect(code(newer.bytes + [0x78, 1]) == .newerReader)
  }
}

@Suite("Envelope")
struct EnvelopeTests {
  private let key = PrivateKey.generate()
  private var signed: SignedBytes { SignedBytes(signing: [1, 2, 3], purpose: .manifest, key: key) }

  private func refused(_ bytes: [UInt8]) -> Refusal? {
    refusal { _ = try SignedBytes(fileBytes: bytes, place: "file") }
  }

  @Test("the file form gives back what was signed")
  func roundTrip() throws {
    #expect(try SignedBytes(fileBytes: signed.fileBytes, place: "file") == signed)
    #expect(signed.digest == Digest(of: [1, 2, 3]))
  }

  @Test("cut short anywhere, or longer than it says, is refused with a place")
  func bounds() {
    let bytes = signed.fileBytes
    for count in 0..<bytes.count { #expect(refused(Array(bytes.prefix(count)))?.code == .truncated) }
    #expect(refused(bytes + [0])?.code == .malformed)
    #expect(refused(bytes + [0])?.place == "file offset \(bytes.count)")
    var other = bytes
    other[0] = 0
    #expect(refused(other)?.code == .malformed)
    other = bytes
    other[11] = 0xff
    #expect(refused(other)?.code == .limitExceeded)
    other = bytes
    other[12] = 63
    #expect(refused(other)?.code == .malformed)
    other = bytes
    other[other.count - 1] = 0xff
    #expect(refused(other)?.code == .malformed)
  }
}
