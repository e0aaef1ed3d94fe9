/// What a connection keeps of each stream, by the stream's number: as a dictionary, and several times faster, since
/// each call looks here half a dozen times.
///
/// Open addressing with the number's own bits, at most half full. A peer may choose numbers that fall on one place; there
/// are at most as many as it may have open streams, so the worst of its choices makes a look-up a walk over those.
struct StreamTable<Value> {
  /// 0 is a free place: no stream of a call has that number.
  private var numbers: [Int32]
  private var slots: [Value?]
  private(set) var count = 0

  init() {
    numbers = [Int32](repeating: 0, count: 16)
    slots = [Value?](repeating: nil, count: 16)
  }

  var isEmpty: Bool { count == 0 }
  var values: [Value] { slots.compactMap { $0 } }

  subscript(_ number: Int32) -> Value? {
    let place = place(of: number)
    return numbers[place] == number ? slots[place] : nil
  }

  /// Puts `value` at `number`, which takes the place of what was there.
  mutating func set(_ number: Int32, _ value: Value) {
    precondition(number > 0, "stream \(number) is no call's")
    if (count + 1) * 2 > numbers.count { grow() }
    let place = place(of: number)
    if numbers[place] == 0 { count += 1 }
    numbers[place] = number
    slots[place] = value
  }

  @discardableResult
  mutating func remove(_ number: Int32) -> Value? {
    var hole = place(of: number)
    guard number > 0, numbers[hole] == number else { return nil }
    let value = slots[hole]
    count -= 1
    // What had to give way moves back, so that no look-up ends at the hole too early.
    var next = (hole + 1) & mask
    while numbers[next] != 0 {
      let distance = (next &- home(numbers[next])) & mask
      if distance >= (next &- hole) & mask {
        numbers[hole] = numbers[next]
        slots[hole] = slots[next]
        hole = next
      }
      next = (next + 1) & mask
    }
    numbers[hole] = 0
    slots[hole] = nil
    return value
  }

  mutating func removeAll() { self = StreamTable() }

  private var mask: Int { numbers.count - 1 }

  /// A client's numbers are odd and a server's even, one after the other.
  private func home(_ number: Int32) -> Int { Int(number >> 1) & mask }

  /// Where `number` is, or would be.
  private func place(of number: Int32) -> Int {
    var place = home(number)
    while numbers[place] != 0, numbers[place] != number { place = (place + 1) & mask }
    return place
  }

  private mutating func grow() {
    let old = (numbers, slots)
    numbers = [Int32](repeating: 0, count: old.0.count * 2)
    slots = [Value?](repeating: nil, count: old.0.count * 2)
    for (number, value) in zip(old.0, old.1) where number != 0 {
      let place = place(of: number)
      numbers[place] = number
      slots[place] = value
    }
  }
}
