import Base
import Catalogue
import Testing

@testable import Embedding

@Suite struct WordsTests {
  private func words(_ text: String) -> [UInt64] {
    var words: [UInt64] = []
    Words.each(in: text) { words.append($0) }
    return words
  }

  private func hashes(_ words: [String]) -> [UInt64] { words.map { stableHash64($0) } }

  @Test("words are cut at what is no letter and no digit, in lower case")
  func ascii() {
    #expect(words("The Thief, 1995: a don't-look") == hashes(["the", "thief", "1995", "dont", "look"]))
    #expect(words("").isEmpty && words(" -- a b c!").isEmpty)
  }

  @Test("Latin capitals are folded, other scripts stay, and those without spaces give a word a character")
  func scripts() {
    #expect(words("ÉTÉ") == words("été"))
    #expect(words("Привет мир") == hashes(["Привет", "мир"]))
    #expect(words("七人の侍") == hashes(["七", "人", "の", "侍"]))
    #expect(words("ab七cd") == hashes(["ab", "七", "cd"]))
  }

  @Test("a field's words are bounded")
  func bounded() {
    #expect(words(String(repeating: "word ", count: 5000)).count == Words.countPerFieldMax)
  }

  @Test("a word of one title says nothing, one of all little, a rare one much, none more than the most")
  func weights() {
    var counts = [UInt32](repeating: 0, count: WordWeights.bucketCount)
    counts[1] = 1
    counts[2] = 1000
    counts[3] = 20
    counts[4] = 2
    let weights = WordWeights(titleCounts: counts, titleCount: 1000).bytes
    #expect(weights[0] == 0 && weights[1] == 0 && weights[2] == 0)
    #expect(weights[3] > 0 && weights[4] > weights[3])
    #expect(WordWeights(titleCounts: counts, titleCount: 1_000_000).bytes[4] == 0)
  }

  @Test("shared words make titles alike, whatever the order, and every dimension is used")
  func projection() {
    let parameters = SpaceParameters(dimensions: 8, textDimensions: 64)
    let text = TextVectors(
      parameters: parameters,
      weights: WordWeights(bytes: [UInt8](repeating: 100, count: WordWeights.bucketCount)))
    func vector(_ name: String) -> [Float] {
      let table = VectorTable(count: 1, dimensions: 64)
      text.write(Title(id: "t", name: name), to: table.row(0))
      return Array(table[0])
    }
    func cosine(_ left: [Float], _ right: [Float]) -> Float { dot(left, right, 64) }
    let first = vector("alpha beta gamma delta")
    #expect(first == vector("delta gamma beta alpha"))
    #expect(abs(cosine(first, first) - 1) < 1e-5)
    #expect(cosine(first, vector("alpha beta gamma epsilon")) > 0.5)
    var used = [Bool](repeating: false, count: 64)
    var far: Float = 0
    for index in 0..<200 {
      let other = vector("w\(index)x y\(index)z")
      for (place, value) in other.enumerated() where value != 0 { used[place] = true }
      far += abs(cosine(first, other))
    }
    #expect(used.allSatisfy { $0 })
    #expect(far / 200 < 0.2)
    #expect(vector("a").allSatisfy { $0 == 0 })
  }
}
