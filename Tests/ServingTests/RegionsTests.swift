import Base
import Features
import Foundation
import Testing

@testable import Serving

/// The files that a deployment starts from, in `Regions/policy`.
@Suite struct RegionsTests {
  private func file(_ name: String) throws -> [UInt8] {
    let root = directory(of: directory(of: directory(of: #filePath)))
    return try SystemDisk().read("\(root)/Regions/policy/\(name)", limit: 1 << 20)
  }

  @Test func `the policy file is the default policy`() throws {
    #expect(try Policy.decode(file("policy.json")) == Policy.default)
  }

  @Test func `the feature definitions file is the default one`() throws {
    #expect(try FeatureDefinitions(bytes: file("features.json")).digest == FeatureDefinitions().digest)
  }
}
