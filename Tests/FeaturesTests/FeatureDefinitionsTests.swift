import Base
import Foundation
import Testing

@testable import Features

@Suite("FeatureDefinitions")
struct FeatureDefinitionsTests {
  private func refused(_ text: String) -> Refusal? {
    do { _ = try FeatureDefinitions(bytes: Array(text.utf8)) } catch { return error }
    return nil
  }

  @Test("the defaults are valid, and their bytes are these and no others")
  func goldenBytes() throws {
    let definitions = FeatureDefinitions()
    try definitions.validate()
    let expected = """
      {"because":{"titleCountMax":3},\
      "continueWatching":{"progressMax":0.95,"progressMin":0.03,"titleCountMax":20},\
      "format":1,\
      "kindWeights":{"abandon":-0.6,"addToList":0.6,"click":0.1,"complete":1,"dislike":-2,"hoverSkip":-0.1,\
      "like":1.5,"play":0.3,"progress":0.7},\
      "profile":{"halfLifeDays":14,"titleCountMax":50,"titleWeightMax":3},\
      "trending":{"addToList":0.5,"complete":1,"halfLifeMinutes":180,"like":1,"play":1,"windowMinutes":1440}}
      """
    #expect(String(decoding: definitions.bytes, as: UTF8.self) == expected)
    #expect(definitions.digest == Digest(of: Array(expected.utf8)))
  }

  @Test("what is read back is what was written, for any valid numbers; other numbers have another digest")
  func roundTrip() throws {
    var random = SplitMix(seed: 11)
    for _ in 0..<50 {
      var definitions = FeatureDefinitions()
      for field in FeatureDefinitions.fields {
        let value = Double.random(in: field.range, using: &random)
        field.write(&definitions, field.isWhole ? value.rounded() : value)
      }
      guard definitions.continueWatching.progressMin < definitions.continueWatching.progressMax else {
        continue
      }
      #expect(try FeatureDefinitions(bytes: definitions.bytes) == definitions)
      #expect(definitions.digest != FeatureDefinitions().digest)
    }
  }

  @Test("a missing key means its default")
  func missingKeys() throws {
    #expect(try FeatureDefinitions(bytes: Array(#"{"format":1}"#.utf8)) == FeatureDefinitions())
    var expected = FeatureDefinitions()
    expected.profile.halfLifeDays = 7
    #expect(
      try FeatureDefinitions(bytes: Array(#"{"format":1,"profile":{"halfLifeDays":7}}"#.utf8)) == expected)
  }

  @Test(
    "each number out of its range is refused with its key, read or made",
    arguments: FeatureDefinitions.fields.indices)
  func ranges(_ index: Int) throws {
    let field = FeatureDefinitions.fields[index]
    let place = "features.\(field.group).\(field.key)"
    for value in [field.range.lowerBound - 1, field.range.upperBound + 1] {
      let refusal = try #require(refused(#"{"format":1,"\#(field.group)":{"\#(field.key)":\#(value)}}"#))
      #expect(refusal.code == .unreadable)
      #expect(refusal.place == place)
      #expect(refusal.message.contains("it must be from"))
      var definitions = FeatureDefinitions()
      field.write(&definitions, value)
      #expect(throws: Refusal.self) { try definitions.validate() }
    }
    if field.isWhole {
      #expect(refused(#"{"format":1,"\#(field.group)":{"\#(field.key)":1.5}}"#)?.place == place)
      #expect(refused(#"{"format":1,"\#(field.group)":{"\#(field.key)":1e300}}"#)?.place == place)
    }
  }

  @Test(
    "what isn't definitions is refused with its place",
    arguments: [
      ("", "features"), ("{", "features"), ("[]", "features"), ("{}", "features.format"),
      (#"{"format":2}"#, "features.format"), (#"{"format":"1"}"#, "features.format"),
      (#"{"format":1,"profil":{}}"#, "features.profil"),
      (#"{"format":1,"profile":3}"#, "features.profile"),
      (#"{"format":1,"profile":{"halfLife":3}}"#, "features.profile.halfLife"),
      (#"{"format":1,"profile":{"halfLifeDays":"3"}}"#, "features.profile.halfLifeDays"),
      (#"{"format":1,"profile":{"halfLifeDays":null}}"#, "features.profile.halfLifeDays"),
      (#"{"format":1,"continueWatching":{"progressMin":0.96}}"#, "features.continueWatching.progressMin"),
    ])
  func nonsense(_ text: String, _ place: String) throws {
    let refusal = try #require(refused(text))
    #expect(refusal.code == .unreadable)
    #expect(refusal.place == place, "\(refusal)")
  }

  @Test("bytes beyond the limit, or cut anywhere, are refused")
  func limits() throws {
    let bytes = FeatureDefinitions().bytes
    #expect(refused(String(repeating: " ", count: 65_537))?.code == .limitExceeded)
    for count in 0..<bytes.count {
      #expect(throws: Refusal.self) { _ = try FeatureDefinitions(bytes: Array(bytes[..<count])) }
    }
  }

  @Test("not a number is refused where it is made")
  func notANumber() {
    var definitions = FeatureDefinitions()
    definitions.profile.halfLifeDays = .nan
    #expect(throws: Refusal.self) { try definitions.validate() }
  }
}
