import Base
import Testing

@testable import Embedding

@Suite struct SpaceTests {
  private let directory: TemporaryDirectory
  private let space = Space(
    parameters: SpaceParameters(dimensions: 4, textDimensions: 6), weights: .none,
    textMean: [0.1, -0.1, 0, 1, 0, 0],
    textProjection: [Float](repeating: 0.5, count: 24), strengths: [4, 3, 2, 0], watchScale: 1.5)

  init() throws { directory = try TemporaryDirectory() }

  @Test("cut anywhere it is refused, and no changed byte of its numbers traps")
  func hostile() throws {
    try space.write(to: directory.file("space"))
    let bytes = try directory.read("space")
    for count in stride(from: 0, to: bytes.count, by: 4001) {
      #expect(throws: Refusal.self) {
        try Space(opening: MappedBytes(copying: Array(bytes.prefix(count))), name: "space")
      }
    }
    let interesting =
      Array(0..<64) + Array(64..<256) + Array(2048..<2176) + Array((bytes.count - 512)..<bytes.count)
    for index in interesting {
      var changed = bytes
      changed[index] ^= 0xff
      let opened = try? Space(opening: MappedBytes(copying: changed), name: "space")
      if let opened { #expect(opened.parameters.isValid) }
    }
  }

  @Test("numbers out of bounds are refused with their section")
  func bounds() throws {
    func refusal(
      parameters: [UInt64]? = nil, mean: [Float]? = nil, projection: [Float]? = nil,
      strengths: [Float]? = nil,
      scale: Float = 1
    ) throws -> Refusal? {
      let writer = try SegmentWriter(
        path: directory.file("bad"), kind: Space.kind, formatVersion: Space.formatVersion)
      try writer.add("PARM", parameters ?? space.parameters.words)
      try writer.add("WORD", space.weights.bytes)
      try writer.add("MEAN", mean ?? space.textMean)
      try writer.add("PROJ", projection ?? space.textProjection)
      try writer.add("STRE", strengths ?? space.strengths)
      try writer.add("WSCA", [scale])
      try writer.finish()
      do {
        _ = try Space(opening: MappedBytes(path: directory.file("bad")), name: "space")
        return nil
      } catch { return error }
    }
    #expect(try refusal() == nil)
    for (index, word) in [
      (0, UInt64(0)), (0, 1025), (0, .max), (2, 65), (3, 0), (4, 0x7fc0_0000), (8, 0), (9, 0), (9, 8193),
    ] {
      var words = space.parameters.words
      words[index] = word
      #expect(try refusal(parameters: words)?.place == "space section PARM")
    }
    #expect(
      try refusal(parameters: SpaceParameters(dimensions: 4, textDimensions: 5).words)?.place
        == "space section MEAN")
    #expect(
      try refusal(parameters: SpaceParameters(dimensions: 5, textDimensions: 6).words)?.place
        == "space section PROJ")
    #expect(try refusal(mean: [0, 0, 0, .nan, 0, 0])?.place == "space section MEAN")
    #expect(try refusal(projection: [Float](repeating: .infinity, count: 24))?.place == "space section PROJ")
    #expect(try refusal(strengths: [1, 0, -1, 0])?.place == "space section STRE")
    #expect(try refusal(scale: 0)?.place == "space section WSCA")
  }
}
