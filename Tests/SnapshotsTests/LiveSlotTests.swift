import Base
import Snapshots
import Testing

@Suite("LiveSlot")
struct LiveSlotTests {
  private final class Generation: Sendable {
    let number: Int
    init(_ number: Int) { self.number = number }
  }

  @Test("an empty slot serves nothing and rolls back to nothing")
  func empty() {
    let slot = LiveSlot<Generation>()
    #expect(slot.current == nil)
    #expect(slot.rollback() == nil)
  }

  @Test("a generation lives as long as its last reader, and no longer")
  func released() {
    let slot = LiveSlot<Generation>(Generation(0))
    weak let first = slot.current
    var reader = slot.current
    for number in 1...Limits.generationCountMax { slot.cutover(to: Generation(number)) }
    #expect(slot.all.map(\.number) == [3, 2, 1])
    #expect(first != nil && reader?.number == 0)
    reader = nil
    #expect(first == nil)
  }

  @Test("a rollback goes to the one before, or to one that is asked for, and drops what is newer")
  func rollback() {
    let slot = LiveSlot<Generation>(Generation(1))
    slot.cutover(to: Generation(2))
    slot.cutover(to: Generation(3))
    #expect(slot.rollback(where: { $0.number == 9 }) == nil)
    #expect(slot.current?.number == 3)
    #expect(slot.rollback(where: { $0.number == 1 })?.number == 1)
    #expect(slot.all.map(\.number) == [1])
    slot.cutover(to: Generation(4))
    #expect(slot.rollback()?.number == 1)
  }
}
