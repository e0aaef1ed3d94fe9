import Base
import Testing

@testable import Catalogue

@Suite struct InteractionFileTests {
  private let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  private func fault(_ line: String) throws -> CatalogueFault? {
    let file = try InteractionFile(path: try directory.write(InteractionFile.header + "\n" + line, to: "i"))
    do {
      _ = try file.next()
      return nil
    } catch { return error }
  }

  @Test("what is written is read back, quotes and commas in ids included")
  func roundTrip() throws {
    let interactions = Event.Kind.allCases.enumerated().map { index, kind in
      Interaction(
        profileID: "p,\"\(index)", titleID: "t\(index)", kind: kind,
        at: Timestamp(milliseconds: Int64(index) << 40),
        progress: Float(index) / 9)
    }
    var bytes = Array((InteractionFile.header + "\n").utf8)
    for interaction in interactions { InteractionFile.append(interaction, to: &bytes) }
    let file = try InteractionFile(path: try directory.write(bytes, to: "i"))
    for interaction in interactions {
      let read = try #require(try file.next())
      #expect(abs(read.progress - interaction.progress) <= 0.0005)
      var same = read
      same.progress = interaction.progress
      #expect(same == interaction)
    }
    #expect(try file.next() == nil)
  }

  @Test(
    "each wrong has its code and line",
    arguments: [
      ("p,t,play,1", CatalogueFault.Code.badCSV), ("p,t,play,1,0,x", .badCSV), ("\"p,t,play,1,0", .badCSV),
      ("\"p\"x,t,play,1,0", .badCSV), (",t,play,1,0", .badID), ("p,,play,1,0", .badID),
      ("p,t,watch,1,0", .badKind), ("p,t,play,yesterday,0", .badDate), ("p,t,play,-1,0", .badDate),
      ("p,t,play,9999999999999999999999,0", .badDate), ("p,t,play,1,1.01", .badValue),
      ("p,t,play,1,2", .badValue),
      ("p,t,play,1,x", .badValue), ("p,t,play,1,.5", .badValue), ("p,t,play,1,1e-1", .badValue),
    ])
  func wrongs(line: String, code: CatalogueFault.Code) throws {
    let fault = try #require(try fault(line))
    #expect(fault.code == code && fault.line == 2)
  }

  @Test("the header is checked, and an empty file has none")
  func header() throws {
    for text in ["", "profile,title\n", "p,t,play,1,0\n"] {
      let path = try directory.write(text, to: "i")
      do {
        _ = try InteractionFile(path: path)
        Issue.record("“\(text)” was taken")
      } catch { #expect(error.code == .badCSV && error.line == 1) }
    }
  }

  @Test("kinds have the names of events in snake case, and rejections are no interest")
  func kinds() {
    for kind in Event.Kind.allCases {
      #expect(Event.Kind(fileName: kind.fileName) == kind)
      #expect((0...1).contains(kind.interest(progress: 0.9)))
      if kind.isRejection { #expect(kind.interest(progress: 1) == 0) }
    }
    #expect(Event.Kind.addToList.fileName == "add_to_list" && Event.Kind.hoverSkip.fileName == "hover_skip")
    #expect(Event.Kind.progress.interest(progress: 7) == 1)
    #expect(Event.Kind.progress.interest(progress: 0.1) == 0)
  }
}
