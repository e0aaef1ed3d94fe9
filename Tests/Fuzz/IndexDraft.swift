import Base
import CKernels

@testable import Retrieval

/// An index and its vectors as a script tells: a shape, contents by chance from a seed, and patches that make them lie.
struct IndexDraft {
  let dimensions: Int
  var index: SegmentDraft
  var vectors: SegmentDraft

  private static let widths = [1, 2, 3, 8, 31, 32, 33, 63, 64, 65, 130]
  private static let odd: [UInt32] = [
    0, 1, 2, 63, 64, 65, 0x7f, 0x80, 0xff, 0xffff, 0x8000_0000, 0xffff_ffff, 0x7fff_ffff,
    Float.nan.bitPattern, Float.infinity.bitPattern, Float(9.9e8).bitPattern, Float(-9.9e8).bitPattern,
    Float(1e-38).bitPattern, 1, Float(-0.0).bitPattern,
  ]

  /// A base, or a tail of `base`'s dimensions and lists.
  init(_ script: inout FuzzBytes, tailOf base: VectorIndex?) {
    let width = Self.widths[Int(script.byte()) % Self.widths.count]
    dimensions = base?.dimensions ?? width
    let count = Int(script.byte())
    let listCount = base?.listCount ?? 1 + Int(script.byte()) % 12
    let pairs = base == nil ? 1 + Int(script.byte()) % 5 : 0
    var random = SplitMix(seed: UInt64(script.byte()))
    let floats = { (count: Int, reach: ClosedRange<Float>) in
      (0..<count).map { _ in Float.random(in: reach, using: &random) }
    }
    let bytes = { (count: Int) in (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) } }
    let offsets = [0] + (1..<listCount).map { _ in UInt32(random.next() % UInt64(count + 1)) }.sorted()
    let ordinals = (0..<UInt32(count)).shuffled(using: &random)
    let turned = pairs == 0 ? 0 : min(dimensions, 7)
    let stride = VectorIndex.rowStride(dimensions: dimensions)
    let head = IndexHead(
      dimensions: dimensions, rowStride: stride, titleCount: count, listCount: listCount, pairCount: pairs,
      turnedCount: turned, effort: SearchEffort(reach: 0, kept: 20, lists: 1), spreadWeight: 0.4,
      filterLaw: FilterLaw(chanceReach: -0.1, listsReach: 0.1), blockStep: 0.01,
      digest: base?.digest ?? 1)
    var sections = [
      Self.section("HEAD", head.words), Self.section("OFFS", offsets + [UInt32(count)]),
      Self.section("ORDN", ordinals), Self.section("ROWS", bytes(count * stride)),
      Self.section("STEP", bytes(count)),
      Self.section("STPS", (0..<256).map { Float($0) / 4096 }),
    ]
    if base == nil {
      let blocks = zip(offsets, offsets.dropFirst() + [UInt32(count)]).reduce(0) {
        $0 + (Int($1.1 - $1.0) + 63) / 64
      }
      let widths = (0..<2 * pairs).map { UInt16((turned + $0) / (2 * pairs)) }
      sections += [
        Self.section("CENT", floats(listCount * dimensions, -1...1)),
        Self.section("CEN8", bytes(listCount * stride)),
        Self.section("CSCL", floats(listCount, 0...0.01)), Self.section("SPRD", floats(listCount, 0...1)),
        Self.section("TURN", floats(turned * dimensions, -1...1)), Self.section("WIDE", widths),
        Self.section("BOOK", floats(turned * Int(MK_BOOK), -1...1)),
        Self.section("CODE", bytes(blocks * Int(MK_BLOCK) * pairs)),
        Self.section("BMID", bytes(blocks * head.blockWidth)), Self.section("BSPR", floats(blocks, 0...1)),
        Self.section("TUNE", [Float](repeating: 0, count: 2 * EffortPoint.wordCount)),
      ]
    }
    let halves = Vectors.rowStride(dimensions: dimensions)
    index = SegmentDraft(
      tag: "IVQ4", formatVersion: VectorIndex.formatVersion, sections: sections, gap: 128)
    vectors = SegmentDraft(
      tag: "EMBD", formatVersion: Vectors.formatVersion,
      sections: [
        Self.section("HEAD", [UInt32(dimensions), UInt32(halves), UInt32(count), 0]),
        // Between -1 and 1, most of them.
        Self.section("ROWS", (0..<count * halves).map { _ in UInt16(random.next() & 0xbbff) }),
      ], gap: 128)
    patch(&script)
  }

  private static func section<Element: BitwiseCopyable>(_ tag: String, _ elements: [Element])
    -> SegmentDraft.Section
  {
    SegmentDraft.Section(
      tag: tag, elementByteCount: MemoryLayout<Element>.stride,
      content: elements.withUnsafeBytes { Array($0) })
  }

  /// Up to 12 patches: a section, a place, and what stands there then; or another length.
  private mutating func patch(_ script: inout FuzzBytes) {
    var left = min(12, Int(script.byte()) % 16)
    while left > 0, !script.isAtEnd {
      left -= 1
      let number = Int(script.byte()) % (index.sections.count + 2)
      let place = Int(script.byte()) | Int(script.byte()) << 8
      let kind = Int(script.byte())
      let isIndex = number < index.sections.count
      var section = isIndex ? index.sections[number] : vectors.sections[number - index.sections.count]
      let size = section.elementByteCount
      if kind == 255 {
        let count = min(place, 2 * section.content.count / size + 2) * size
        section.content = Array(section.content.prefix(count))
        section.content += [UInt8](repeating: 0, count: count - section.content.count)
      } else if !section.content.isEmpty {
        let value =
          kind < Self.odd.count
          ? Self.odd[kind]
          : UInt32(script.byte()) | UInt32(script.byte()) << 8 | UInt32(script.byte()) << 16
        let start = place % (section.content.count / size) * size
        for byte in 0..<min(size, 4) {
          section.content[start + byte] = UInt8(truncatingIfNeeded: value >> (8 * UInt32(byte)))
        }
      }
      if isIndex {
        index.sections[number] = section
      } else {
        vectors.sections[number - index.sections.count] = section
      }
    }
  }
}
