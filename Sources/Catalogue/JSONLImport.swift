/// `marquee catalog import jsonl`: a file of titles, and interactions if there are any, made a workspace.
package enum JSONLImport {
  /// Every line is checked before anything has the workspace's name. `progress` gets the titles taken so far.
  package static func run(
    titles titlesPath: String, interactions interactionsPath: String? = nil, to path: String,
    progress: (Int) -> Void = { _ in }
  ) throws(CatalogueFault) -> Workspace {
    let name = titlesPath.split(separator: "/").last.map(String.init) ?? titlesPath
    let draft = try WorkspaceDraft(path: path, origin: "jsonl \(name)", synthetic: false)
    let file = try TitleFile(path: titlesPath)
    while let title = try file.next() {
      try draft.add(title, file: titlesPath, line: file.line)
      if draft.titleCount % 100_000 == 0 { progress(draft.titleCount) }
    }
    if let interactionsPath {
      let interactions = try InteractionFile(path: interactionsPath)
      while let interaction = try interactions.next() { try draft.add(interaction) }
    }
    progress(draft.titleCount)
    return try draft.finish()
  }
}
