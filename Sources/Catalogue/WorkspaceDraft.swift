internal import Base

/// Writes a workspace: everything goes into a draft directory, which `finish` renames. A draft that was not finished
/// is removed in `deinit`, or by the next one for the same path.
package final class WorkspaceDraft {
  static let manifestName = "catalogue.json"
  static let titlesName = "titles.jsonl"
  static let interactionsName = "interactions.csv"

  private let path: String
  private let draftPath: String
  private let disk = SystemDisk()
  private var manifest: WorkspaceManifest
  private let titles: OutputFile
  private let interactions: OutputFile
  private var titleLines: [UInt64: UInt32] = [:]
  private var genres: Set<String> = []
  private var profiles: Set<UInt64> = []
  private var newest: Timestamp?
  private var buffer: [UInt8] = []
  private var isFinished = false

  /// Refuses a path that exists, unless it is an empty directory.
  package init(path: String, origin: String, synthetic: Bool, seed: UInt64? = nil) throws(CatalogueFault) {
    self.path = path
    draftPath = path + ".draft"
    manifest = WorkspaceManifest(origin: origin, synthetic: synthetic, seed: seed)
    do {
      if try disk.size(path) != nil, try !disk.list(path).isEmpty {
        throw CatalogueFault(.exists, file: path, "exists; name a new directory, or remove this one first")
      }
      try Self.remove(draftPath, disk)
      try disk.createDirectory(draftPath)
      titles = try OutputFile(path: draftPath + "/" + Self.titlesName)
      interactions = try OutputFile(path: draftPath + "/" + Self.interactionsName)
      try interactions.append(Array((InteractionFile.header + "\n").utf8))
    } catch let fault as CatalogueFault {
      throw fault
    } catch {
      throw Self.fault(error, path)
    }
  }

  deinit {
    // Best effort: the next draft for the path starts by removing this one.
    if !isFinished { try? Self.remove(draftPath, disk) }
  }

  /// Titles taken so far.
  package var titleCount: Int { manifest.titleCount }
  package var interactionCount: Int { manifest.interactionCount }

  /// `file` and `line` are where the title comes from, for faults.
  package func add(_ title: Title, file: String = "catalogue", line: Int? = nil) throws(CatalogueFault) {
    let hash = stableHash64(title.id)
    if let first = titleLines[hash] {
      throw CatalogueFault(
        .duplicateID, file: file, line: line,
        "title \(title.id) was on line \(first) already; keep one of them")
    }
    guard manifest.titleCount < Limits.titleCountMax else {
      throw CatalogueFault(
        .tooMany, file: file, line: line, "is title \(Limits.titleCountMax + 1), one more than fit")
    }
    for genre in title.genres where genres.insert(genre).inserted {
      guard genres.count <= CataloguePart.genreCountMax else {
        throw CatalogueFault(
          .tooManyGenres, file: file, line: line,
          "“\(genre)” is genre \(genres.count) and \(CataloguePart.genreCountMax) fit; "
            + "fold the rare ones together, or keep them as a text field")
      }
    }
    manifest.titleCount += 1
    titleLines[hash] = UInt32(clamping: line ?? manifest.titleCount)
    buffer.removeAll(keepingCapacity: true)
    TitleLine.append(title, to: &buffer)
    do { try titles.append(buffer) } catch { throw Self.fault(error, draftPath) }
  }

  package func add(_ interaction: Interaction) throws(CatalogueFault) {
    manifest.interactionCount += 1
    profiles.insert(stableHash64(interaction.profileID))
    newest = max(newest ?? interaction.at, interaction.at)
    buffer.removeAll(keepingCapacity: true)
    InteractionFile.append(interaction, to: &buffer)
    do { try interactions.append(buffer) } catch { throw Self.fault(error, draftPath) }
  }

  /// Brings everything to the disk and gives it its name.
  package func finish() throws(CatalogueFault) -> Workspace {
    precondition(!isFinished, "a draft is finished once")
    guard manifest.titleCount > 0 else {
      throw CatalogueFault(.missingKey, file: path, "would have no titles; is the source empty?")
    }
    manifest.profileCount = profiles.count
    manifest.newestMilliseconds = newest?.milliseconds
    do {
      try titles.finish()
      try interactions.finish()
      try disk.writeDurably(try manifest.encoded(), to: draftPath + "/" + Self.manifestName)
      try disk.rename(draftPath, to: path)
      try disk.syncDirectory(directory(of: path))
    } catch { throw Self.fault(error, path) }
    isFinished = true
    return try Workspace(path: path)
  }

  private static func remove(_ draftPath: String, _ disk: SystemDisk) throws(DiskFault) {
    guard try disk.size(draftPath) != nil else { return }
    for name in try disk.list(draftPath) { try disk.remove(draftPath + "/" + name) }
    try removeEmptyDirectory(draftPath)
  }

  private static func fault(_ error: any Error, _ path: String) -> CatalogueFault {
    CatalogueFault(.diskFault, file: path, "\(error)")
  }
}
