package import Base

/// Gathers titles, about 100 bytes each in memory, and writes them as one `CTLG` segment.
package struct CataloguePartWriter {
  private var ids = TextColumnDraft()
  private var names = TextColumnDraft()
  private var genreNames: [String]
  private var genreBits: [String: Int] = [:]
  private var factWords: [UInt64] = []
  private var contentHashes: [UInt64] = []
  private var licenceOffsets: [UInt32] = [0]
  private var countries: [UInt16] = []
  private var starts: [Int64] = []
  private var ends: [Int64] = []
  private var line: [UInt8] = []

  /// `genreNames` are those of the base when this is a tail: a bit means the same genre in both.
  package init(genreNames: [String] = []) {
    precondition(genreNames.count <= CataloguePart.genreCountMax)
    self.genreNames = genreNames
    for (bit, name) in genreNames.enumerated() { genreBits[name] = bit }
  }

  package var count: Int { contentHashes.count }

  /// Returns the title's ordinal in this part. The caller keeps ids apart: the second of two equal ids would never
  /// be found.
  @discardableResult
  package mutating func add(_ title: Title) throws(CatalogueFault) -> Int {
    guard count < Limits.titleCountMax else {
      throw CatalogueFault(.tooMany, file: "catalogue", "has more than \(Limits.titleCountMax) titles")
    }
    var genreSet: UInt64 = 0
    for genre in title.genres { genreSet |= 1 << UInt64(try bit(of: genre)) }
    try ids.append(title.id)
    try names.append(title.name)
    let facts = TitleFacts(
      genres: genreSet, maturity: title.maturity, releaseDay: title.released?.number)
    factWords.append(contentsOf: facts.words)
    line.removeAll(keepingCapacity: true)
    TitleLine.append(title, to: &line)
    contentHashes.append(stableHash64(line))
    for licence in Licence.merged(title.licences) {
      countries.append(licence.country.word)
      starts.append(licence.fromSeconds)
      ends.append(licence.toSeconds)
    }
    guard let licenceCount = UInt32(exactly: countries.count) else {
      throw CatalogueFault(.tooMany, file: "catalogue", "has more than \(UInt32.max) licence windows")
    }
    licenceOffsets.append(licenceCount)
    return count - 1
  }

  private mutating func bit(of genre: String) throws(CatalogueFault) -> Int {
    if let bit = genreBits[genre] { return bit }
    guard genreNames.count < CataloguePart.genreCountMax else {
      throw CatalogueFault(
        .tooManyGenres, file: "catalogue",
        "has more than \(CataloguePart.genreCountMax) different genres (“\(genre)” is one more); "
          + "fold the rare ones together, or keep them as a text field")
    }
    genreBits[genre] = genreNames.count
    genreNames.append(genre)
    return genreNames.count - 1
  }

  /// Writes the segment and brings it to the disk.
  package func write(to path: String) throws(DiskFault) {
    var genres = TextColumnDraft()
    for name in genreNames {
      // 64 names of 64 bytes: far below the column's 4 GiB.
      do { try genres.append(name) } catch { throw DiskFault(.failed, path: path, error.message) }
    }
    let writer = try SegmentWriter(
      path: path, kind: CataloguePart.kind, formatVersion: CataloguePart.formatVersion)
    try writer.add("META", [UInt64(count), identity])
    try writer.add("IDOF", ids.offsets)
    try writer.add("IDHP", ids.heap)
    try writer.add("SLOT", slots())
    try writer.add("NMOF", names.offsets)
    try writer.add("NMHP", names.heap)
    try writer.add("FACT", factWords)
    try writer.add("HASH", contentHashes)
    try writer.add("LIOF", licenceOffsets)
    try writer.add("LICC", countries)
    try writer.add("LIFR", starts)
    try writer.add("LITO", ends)
    try writer.add("GNOF", genres.offsets)
    try writer.add("GNHP", genres.heap)
    try writer.finish()
  }

  private var identity: UInt64 {
    contentHashes.withUnsafeBytes { stableHash64($0) }
  }

  /// Open addressing with linear probing, at least a third empty.
  private func slots() -> [UInt32] {
    var capacity = 2
    while capacity * 2 < count * 3 + 2 { capacity *= 2 }
    var slots = [UInt32](repeating: CataloguePart.emptySlot, count: capacity)
    ids.heap.withUnsafeBytes { heap in
      for ordinal in 0..<count {
        let id = UnsafeRawBufferPointer(
          rebasing: heap[Int(ids.offsets[ordinal])..<Int(ids.offsets[ordinal + 1])])
        var slot = Int(truncatingIfNeeded: stableHash64(id)) & (capacity - 1)
        while slots[slot] != CataloguePart.emptySlot { slot = (slot + 1) & (capacity - 1) }
        slots[slot] = UInt32(ordinal)
      }
    }
    return slots
  }
}

struct TextColumnDraft {
  private(set) var offsets: [UInt32] = [0]
  private(set) var heap: [UInt8] = []

  mutating func append(_ text: String) throws(CatalogueFault) {
    heap.append(contentsOf: text.utf8)
    guard let end = UInt32(exactly: heap.count) else {
      throw CatalogueFault(.tooMany, file: "catalogue", "has more than 4 GiB of ids or names")
    }
    offsets.append(end)
  }
}
