internal import Base

/// What a catalogue has become since a base was written: which slots of the base still stand, and the tail.
///
/// The tail holds every title that the base lacks or has otherwise, so a child's tail replaces its parent's, and the
/// base travels once.
package struct CatalogueDelta: Sendable {
  /// Over the base and the tail.
  package let live: Bitmap
  /// In the order of their ordinals: the first one's is the base's count.
  package let tailTitles: [Title]
  package let keptCount: Int

  /// Compares the titles of `path` with `base` and writes the tail's segment to `tailPath`.
  ///
  /// Returns `nil`, and writes nothing, when more than `tailCountMax` titles would be in the tail, or when base and
  /// tail together have too many genres: then it is time for a new base.
  package static func write(
    titles path: String, base: CataloguePart, to tailPath: String, tailCountMax: Int
  ) throws -> CatalogueDelta? {
    let file = try TitleFile(path: path)
    var kept = Bitmap(count: base.count)
    var keptCount = 0
    var tailTitles: [Title] = []
    var line: [UInt8] = []
    while let title = try file.next() {
      line.removeAll(keepingCapacity: true)
      TitleLine.append(title, to: &line)
      if let ordinal = base.ordinal(ofID: title.id), base.contentHash(ordinal) == stableHash64(line) {
        kept[ordinal] = true
        keptCount += 1
      } else {
        guard tailTitles.count < tailCountMax else { return nil }
        tailTitles.append(title)
      }
    }
    var writer = CataloguePartWriter(genreNames: base.genreNames)
    for title in tailTitles {
      do { try writer.add(title) } catch {
        guard error.code == .tooManyGenres else { throw error }
        return nil
      }
    }
    try writer.write(to: tailPath)
    var live = Bitmap(count: base.count + tailTitles.count)
    for ordinal in 0..<base.count where kept[ordinal] { live[ordinal] = true }
    for ordinal in base.count..<live.count { live[ordinal] = true }
    return CatalogueDelta(live: live, tailTitles: tailTitles, keptCount: keptCount)
  }
}

extension CataloguePart {
  /// Writes all titles of `path` as a base, in the file's order: the ordinal is the title's place.
  ///
  /// Returns how many there are. `progress` gets the count so far, now and then.
  package static func writeBase(
    titles path: String, to basePath: String, progress: (Int) -> Void = { _ in }
  ) throws -> Int {
    let file = try TitleFile(path: path)
    var writer = CataloguePartWriter()
    while let title = try file.next() {
      try writer.add(title)
      if writer.count % 100_000 == 0 { progress(writer.count) }
    }
    try writer.write(to: basePath)
    return writer.count
  }
}
