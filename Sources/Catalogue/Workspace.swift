internal import Base

/// A directory with a catalogue as the builder reads it: `catalogue.json`, `titles.jsonl`, `interactions.csv`.
package struct Workspace: Sendable {
  package let path: String
  package let manifest: WorkspaceManifest

  package var titlesPath: String { path + "/" + WorkspaceDraft.titlesName }
  package var interactionsPath: String { path + "/" + WorkspaceDraft.interactionsName }

  package init(path: String) throws(CatalogueFault) {
    let file = path + "/" + WorkspaceDraft.manifestName
    let disk = SystemDisk()
    do {
      guard try disk.size(file) != nil else {
        throw CatalogueFault(
          .notAWorkspace, file: path,
          "is no catalogue workspace; make one with `marquee catalog import` or `marquee catalog generate`")
      }
      let bytes = try disk.read(file, limit: 1 << 20)
      manifest = try WorkspaceManifest(decoding: bytes, file: file)
    } catch let fault as CatalogueFault {
      throw fault
    } catch {
      throw CatalogueFault(.diskFault, file: file, "\(error)")
    }
    self.path = path
  }

  package func titles() throws(CatalogueFault) -> TitleFile { try TitleFile(path: titlesPath) }
  package func interactions() throws(CatalogueFault) -> InteractionFile {
    try InteractionFile(path: interactionsPath)
  }
}
