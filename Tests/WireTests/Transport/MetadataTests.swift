import Testing

@testable import Wire

@Suite struct MetadataTests {
  @Test func namesAreLowerCaseAndRepeat() {
    var metadata = Metadata()
    metadata.append("X-One", "1")
    metadata.append("x-one", "2")
    #expect(metadata.texts("X-ONE") == ["1", "2"])
  }
}
