internal import Catalogue

/// Cuts what a title says into words, as hashes.
///
/// Letters and digits of ASCII in lower case; other scripts as they are, with Latin-1's capitals folded. Scripts that
/// don't put spaces between words (Chinese, Japanese, Korean syllables) give one word a character.
enum Words {
  /// Words read from one field; the rest of a longer one is left out.
  static let countPerFieldMax = 2000

  /// Calls `body` with each word's hash and the weight of the field that it stands in. Words come as often as they
  /// stand there.
  static func each(of title: Title, _ body: (_ hash: UInt64, _ fieldWeight: Float) -> Void) {
    each(in: title.name) { body($0, 0.5) }
    for genre in title.genres { body(stableHash64("genre " + genre), 1.5) }
    // By name, because a dictionary's own order differs from run to run.
    for field in title.text.keys.sorted() {
      let weight: Float = field == "tags" ? 1.5 : 1
      each(in: title.text[field] ?? "") { body($0, weight) }
    }
  }

  static func each(in text: String, _ body: (UInt64) -> Void) {
    var text = text
    text.withUTF8 { bytes in
      var word: [UInt8] = []
      var count = 0
      func end() {
        defer { word.removeAll(keepingCapacity: true) }
        // One ASCII letter is no word.
        guard word.count > 1, count < countPerFieldMax else { return }
        count += 1
        body(stableHash64(word))
      }
      var position = 0
      while position < bytes.count {
        let byte = bytes[position]
        position += 1
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"): word.append(byte)
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): word.append(byte | 0x20)
        case UInt8(ascii: "'"): break
        case 0..<0x80: end()
        case 0xe3...0xed where position + 2 <= bytes.count:
          end()
          word = [byte, bytes[position], bytes[position + 1]]
          position += 2
          end()
        case 0xc3 where position < bytes.count && (0x80...0x9e).contains(bytes[position]):
          word.append(byte)
          word.append(bytes[position] | 0x20)
          position += 1
        default: word.append(byte)
        }
      }
      end()
    }
  }
}
