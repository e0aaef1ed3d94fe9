import Testing

@testable import Retrieval

@Suite("Filter law")
struct FilterLawTests {
  @Test("all titles add nothing, a twentieth what was measured, and others by the logarithm of their share")
  func shares() {
    let law = FilterLaw(sparseReach: -0.25)
    #expect(law.reach(share: 1) == 0 && abs(law.reach(share: 0.05) + 0.25) < 1e-6)
    #expect(abs(law.reach(share: 0.0025) - 2 * law.reach(share: 0.05)) < 1e-6)
    let reaches = [1, 0.5, 0.2, 0.05, 0.01].map { law.reach(share: $0) }
    #expect(reaches == reaches.sorted(by: >) && Set(reaches).count == 5)
  }

  @Test("shares of which nothing is known take what the least has that is")
  func unknown() {
    let law = FilterLaw(sparseReach: 0.125)
    #expect(law.reach(share: 0) == law.reach(share: 1 / 400) && law.reach(share: 0).isFinite)
    #expect(law.reach(share: 2) == 0)
    #expect(FilterLaw().reach(share: 0.05) == 0)
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
    #expect(many.filterLaw != FilterLaw() && abs(many.filterLaw.sparseReach) <= 0.25)
  }
}
