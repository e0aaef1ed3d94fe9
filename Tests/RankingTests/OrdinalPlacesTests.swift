import Base
import Testing

@testable import Ranking

@Suite("Ordinal places")
struct OrdinalPlacesTests {
  @Test(
    "each ordinal has its place in their order, and others have none", arguments: [0, 1, 63, 64, 65, 700])
  func places(end: Int) {
    var random = SplitMix(seed: UInt64(end) + 3)
    let ordinals = (0..<UInt32(end)).filter { _ in Int.random(in: 0..<3, using: &random) == 0 }
    ordinals.withUnsafeBufferPointer { ordinals in
      let places = OrdinalPlaces(ordinals, end: end)
      for ordinal in 0..<UInt32(end + 200) {
        #expect(places.place(of: ordinal) == ordinals.firstIndex(of: ordinal))
      }
      #expect(places.place(of: .max) == nil)
    }
  }
}
