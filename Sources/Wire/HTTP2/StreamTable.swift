/// What a connection keeps of each stream, by the stream's number: as a dictionary, and several times faster, since
/// each call looks here half a dozen times.
///
/// Open addressing with the number's own bits, at most half full. A peer may choose numbers that fall on one place; there
/// are at most as many as it may have open streams, so the worst of its choices makes a look-up a walk over those.
struct StreamTable<Value>: ~Copyable {
  private static var capacityLeast: Int { 16 }

  /// 0 is a free place: no stream of a call has that number. Memory of its own, as an array's checks of whom it belongs
  /// to, and its counting of what is moved within it, took longer than the look-ups.
  private var numbers: UnsafeMutablePointer<Int32>
  /// Those of places that aren't free.
  private var slots: UnsafeMutablePointer<Value>
  private var capacity: Int
  private(set) var count = 0

  init() { self.init(capacity: Self.capacityLeast) }

  private init(capacity: Int) {
    self.capacity = capacity
    numbers = .allocate(capacity: capacity)
    numbers.initialize(repeating: 0, count: capacity)
    slots = .allocate(capacity: capacity)
  }

  deinit {
    for place in 0..<capacity where numbers[place] != 0 { (slots + place).deinitialize(count: 1) }
    numbers.deallocate()
    slots.deallocate()
  }

  var isEmpty: Bool { count == 0 }
  var values: [Value] { (0..<capacity).compactMap { numbers[$0] != 0 ? slots[$0] : nil } }

  subscript(_ number: Int32) -> Value? {
    let place = place(of: number)
    return numbers[place] == number && number > 0 ? slots[place] : nil
  }

  /// Puts `value` at `number`, which takes the place of what was there.
  mutating func set(_ number: Int32, _ value: consuming Value) {
    precondition(number > 0, "stream \(number) is no call's")
    if (count + 1) * 2 > capacity { grow() }
    let place = place(of: number)
    if numbers[place] == 0 { count += 1 } else { (slots + place).deinitialize(count: 1) }
    numbers[place] = number
    (slots + place).initialize(to: value)
  }

  @discardableResult
  mutating func remove(_ number: Int32) -> Value? {
    var hole = place(of: number)
    guard number > 0, numbers[hole] == number else { return nil }
    let value = (slots + hole).move()
    count -= 1
    // What had to give way moves back, so that no look-up ends at the hole too early.
    var next = (hole + 1) & mask
    while numbers[next] != 0 {
      let distance = (next &- home(numbers[next])) & mask
      if distance >= (next &- hole) & mask {
        numbers[hole] = numbers[next]
        (slots + hole).moveInitialize(from: slots + next, count: 1)
        hole = next
      }
      next = (next + 1) & mask
    }
    numbers[hole] = 0
    return value
  }

  mutating func removeAll() { self = StreamTable() }

  private var mask: Int { capacity - 1 }

  /// A client's numbers are odd and a server's even, one after the other.
  private func home(_ number: Int32) -> Int { Int(number >> 1) & mask }

  /// Where `number` is, or would be.
  private func place(of number: Int32) -> Int {
    var place = home(number)
    while numbers[place] != 0, numbers[place] != number { place = (place + 1) & mask }
    return place
  }

  private mutating func grow() {
    var larger = StreamTable(capacity: capacity * 2)
    for place in 0..<capacity where numbers[place] != 0 {
      larger.set(numbers[place], (slots + place).move())
      numbers[place] = 0
    }
    self = larger
  }
}
