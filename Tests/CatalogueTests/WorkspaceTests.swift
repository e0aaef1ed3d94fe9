import Base
import Foundation
import Testing

@testable import Catalogue

@Suite struct WorkspaceTests {
  private let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  private func fault(_ body: () throws -> Void) -> CatalogueFault? {
    do {
      try body()
      return nil
    } catch { return error as? CatalogueFault }
  }

  private func lines(_ ids: [String]) -> String {
    ids.map { #"{"id":"\#($0)","name":"n","licences":[]}"# + "\n" }.joined()
  }

  @Test("an import writes a workspace that the builder reads")
  func importing() throws {
    let titles = try directory.write(lines(["a", "b"]), to: "mine.jsonl")
    let interactions = try directory.write(
      InteractionFile.header + "\np,a,play,5,0\nq,b,complete,3,1\np,b,like,4,1\n", to: "mine.csv")
    var counted = 0
    let workspace = try JSONLImport.run(
      titles: titles, interactions: interactions, to: directory.file("ws")
    ) { counted = $0 }
    #expect(counted == 2)
    let manifest = try Workspace(path: workspace.path).manifest
    #expect(manifest.titleCount == 2 && manifest.interactionCount == 3 && manifest.profileCount == 2)
    #expect(manifest.newestMilliseconds == 5 && !manifest.synthetic && manifest.origin == "jsonl mine.jsonl")
    #expect(try workspace.titles().next()?.id == "a")
    #expect(try workspace.interactions().next()?.titleID == "a")
    #expect(!FileManager.default.fileExists(atPath: workspace.path + ".draft"))
  }

  @Test("a duplicate id names both lines, and a refused import leaves nothing behind")
  func duplicate() throws {
    let titles = try directory.write(lines(["a", "b", "a"]), to: "t")
    let fault = try #require(
      fault { _ = try JSONLImport.run(titles: titles, to: directory.file("ws")) })
    #expect(fault.code == .duplicateID && fault.line == 3 && fault.message.contains("line 1"))
    #expect(try FileManager.default.contentsOfDirectory(atPath: directory.path) == ["t"])
  }

  @Test("65 genres are one too many, with the line of the last")
  func genres() throws {
    let text = (0...64).map { #"{"id":"\#($0)","name":"n","genres":["g\#($0)"],"licences":[]}"# + "\n" }
      .joined()
    let titles = try directory.write(text, to: "t")
    let fault = try #require(fault { _ = try JSONLImport.run(titles: titles, to: directory.file("ws")) })
    #expect(fault.code == .tooManyGenres && fault.line == 65)
  }

  @Test("an empty file is no catalogue")
  func empty() throws {
    let titles = try directory.write("\n", to: "t")
    #expect(fault { _ = try JSONLImport.run(titles: titles, to: directory.file("ws")) }?.code == .missingKey)
  }

  @Test("what exists is not written over, and what a crash left is")
  func existing() throws {
    let titles = try directory.write(lines(["a"]), to: "t")
    try FileManager.default.createDirectory(
      atPath: directory.file("ws.draft"), withIntermediateDirectories: true)
    try directory.write("half", to: "ws.draft/titles.jsonl")
    try directory.write("left", to: "ws.draft/other")
    try FileManager.default.createDirectory(atPath: directory.file("ws"), withIntermediateDirectories: true)
    _ = try JSONLImport.run(titles: titles, to: directory.file("ws"))
    #expect(fault { _ = try JSONLImport.run(titles: titles, to: directory.file("ws")) }?.code == .exists)
    #expect(try Workspace(path: directory.file("ws")).manifest.titleCount == 1)
  }

  @Test("a directory without a manifest, a broken one and one of a newer format say what they are")
  func manifests() throws {
    #expect(fault { _ = try Workspace(path: directory.path) }?.code == .notAWorkspace)
    for (text, code) in [
      ("x", CatalogueFault.Code.notAWorkspace), (#"{"format_version":1}"#, .notAWorkspace),
      (#"{"format_version":2}"#, .newerFormat),
    ] {
      try directory.write(text, to: "catalogue.json")
      #expect(fault { _ = try Workspace(path: directory.path) }?.code == code)
    }
  }
}
