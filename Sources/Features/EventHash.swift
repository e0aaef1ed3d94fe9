import Base

/// A stable 64-bit hash of an id: names events in windows of known ids and profiles in shards.
///
/// Eight bytes at a time, each folded in by multiplication, with SplitMix's finish. Two different ids of a window of a
/// million collide with probability 5 × 10⁻¹⁴ for each event.
func eventHash(_ text: String) -> UInt64 {
  var text = text
  return text.withUTF8 { eventHash(UnsafeRawBufferPointer($0)) }
}

func eventHash(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
  var hash: UInt64 = 0xcbf2_9ce4_8422_2325 ^ UInt64(truncatingIfNeeded: bytes.count)
  var offset = 0
  while offset + 8 <= bytes.count {
    hash = folded(hash, bytes.longWord(at: offset))
    offset += 8
  }
  var rest: UInt64 = 0
  while offset < bytes.count {
    rest = rest << 8 | UInt64(bytes[offset])
    offset += 1
  }
  hash = folded(hash, rest)
  hash = (hash ^ (hash >> 30)) &* 0xbf58_476d_1ce4_e5b9
  hash = (hash ^ (hash >> 27)) &* 0x94d0_49bb_1331_11eb
  return hash ^ (hash >> 31)
}

private func folded(_ hash: UInt64, _ word: UInt64) -> UInt64 {
  let product = (hash ^ word).multipliedFullWidth(by: 0x9e37_79b9_7f4a_7c15)
  return product.high ^ product.low &+ 0x0000_0100_0000_01b3
}
