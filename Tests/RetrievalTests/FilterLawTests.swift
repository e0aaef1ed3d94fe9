import Testing

@testable import Retrieval

@Suite("Filter law")
struct FilterLawTests {
  private let law = FilterLaw(wholeProbes: 30, sparseProbes: 200)

  private func lists(_ share: Float, likeness: Float = 0, law: FilterLaw, k: Int = 500) -> Double {
    let power = law.power(share: share, likeness: likeness, listCount: 2000, titleCount: 1_000_000, k: k)
    return 2000 * _pow(30.0 / 2000, Double(power))
  }

  /// By halves of the exponent: nothing here needs a library's power.
  private func _pow(_ base: Double, _ exponent: Double) -> Double {
    var (result, factor, rest) = (1.0, base, exponent)
    for _ in 0..<40 {
      if rest >= 1 { (result, rest) = (result * factor, rest - 1) }
      (factor, rest) = (factor.squareRoot(), rest * 2)
    }
    return result
  }

  @Test("all titles take the lists without a filter, and a twentieth those that were measured")
  func measured() {
    #expect(abs(lists(1, law: law) - 30) < 0.1)
    #expect(abs(lists(0.05, law: law) - 200) < 1)
    #expect(lists(0.5, law: law) > 30 && lists(0.5, law: law) < lists(0.2, law: law))
    #expect(lists(0.2, law: law) < 200 && lists(0.0001, law: law) <= 2000)
  }

  @Test("a filter that goes by lists takes those of the square of its share")
  func likeness() {
    #expect(abs(lists(0.2, likeness: 1, law: law) - lists(0.04, law: law)) < 0.5)
  }

  @Test("fewer results lie in fewer lists, with a filter too")
  func fewer() {
    #expect(lists(0.05, law: law, k: 50) < lists(0.05, law: law))
    #expect(lists(0.05, law: law, k: 2000) > lists(0.05, law: law))
  }

  @Test("where nothing was measured, or nothing that can be, the number of titles decides")
  func unmeasured() {
    for other in [(0, 0), (30, 30), (40, 20), (30, 2000)] {
      let law = FilterLaw(wholeProbes: other.0, sparseProbes: other.1)
      #expect(lists(0.05, law: law) > 100 && lists(0.05, law: law) < 400)
    }
    #expect(FilterLaw().power(share: 0.5, likeness: 0, listCount: 20, titleCount: 600, k: 500) == 0)
  }

  @Test("each so-manieth vector is the source's")
  func sparse() {
    let source = VectorRows((0..<14).map { Float($0) }, dimensions: 2)
    let sparse = SparseVectors(source: source, step: 3)
    var rows = [Float](repeating: 0, count: 4)
    rows.withUnsafeMutableBufferPointer { sparse.copy(0..<2, into: $0) }
    #expect(sparse.count == 2 && sparse.dimensions == 2 && rows == [0, 1, 6, 7])
  }

  @Test("the build measures it where there are titles enough, and stores it")
  func stored() throws {
    let few = try Built(clustered(3000, dimensions: 8), dimensions: 8).parts[0].index
    #expect(few.filterLaw == FilterLaw())
    let many = try Built(clustered(42_000, dimensions: 8), dimensions: 8).parts[0].index
    #expect(many.filterLaw.wholeProbes > 0 && many.filterLaw.sparseProbes >= many.filterLaw.wholeProbes)
  }
}
