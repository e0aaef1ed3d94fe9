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

  @Test("readers beside a thousand cutovers always have a generation, and never an older one than before")
  func concurrentReaders() async {
    let slot = LiveSlot<Generation>(Generation(0))
    await withTaskGroup(of: Void.self) { group in
      for _ in 0..<3 {
        group.addTask {
          var last = 0
          while last < 1000 {
            guard let generation = slot.current else {
              Issue.record("no generation")
              return
            }
            if generation.number < last { Issue.record("\(generation.number) after \(last)") }
            last = generation.number
            await Task.yield()
          }
        }
      }
      group.addTask {
        for number in 1...1000 {
          slot.cutover(to: Generation(number))
          await Task.yield()
        }
      }
    }
    #expect(slot.all.map(\.number) == [1000, 999, 998])
  }
}
