internal import Base
internal import Foundation

/// `marquee catalog import kuairand`: the files of a KuaiRand data set (Gao et al. 2022) made a workspace.
///
/// Videos have no names there: they get their number. Tags are genres, author and music are text. Each impression is one
/// interaction, what was watched before the first is one too, with a time of our own: see ``interaction(_:)`` and
/// ``history(_:line:)``. What the data set doesn't know is a stand-in: videos are licensed everywhere, for every age.
package enum KuaiRandImport {
  /// Below this a video was passed by, as the data set's authors have it.
  private static let passedMilliseconds = 3000
  /// Between two watches of the history, which has no times but the last.
  private static let historyStepMilliseconds: Int64 = 60_000
  private static let videoColumns = ["video_id", "author_id", "video_type", "upload_dt", "music_id", "tag"]
  private static let impressionColumns = [
    "user_id", "video_id", "time_ms", "is_click", "is_like", "is_hate", "long_view", "play_time_ms",
    "duration_ms",
  ]

  /// Reads `videos.csv`, `impressions.csv` and, if it is there, `history.jsonl`, each plain or as `.gz`. `progress` gets
  /// the interactions taken so far. Impressions of one profile, video and millisecond are one.
  package static func run(
    directory: String, to path: String, progress: (Int) -> Void = { _ in }
  ) throws(CatalogueFault) -> Workspace {
    let draft = try WorkspaceDraft(path: path, origin: "kuairand", synthetic: false)
    let videosPath = try existing("videos.csv", in: directory)
    let videos = try CSVTable(path: videosPath, columns: videoColumns)
    var known: Set<[UInt8]> = []
    while try videos.next() {
      known.insert(videos.bytes(0))
      try draft.add(try title(videos), file: videosPath, line: videos.line)
    }
    if let historyPath = try found("history.jsonl", in: directory) {
      let lines = try LineReader(path: historyPath)
      while let line = try lines.next() {
        guard !isBlank(line) else { continue }
        for interaction in try history(line, lines) {
          guard known.contains(Array(interaction.titleID.utf8.dropFirst(3))) else { continue }
          try draft.add(interaction)
        }
      }
    }
    let impressions = try CSVTable(
      path: try existing("impressions.csv", in: directory), columns: impressionColumns)
    var taken: Set<UInt64> = []
    while try impressions.next() {
      guard known.contains(impressions.bytes(1)) else {
        throw impressions.fault(
          .badID, "shows video \(try impressions.text(1)), which \(videosPath) doesn't have")
      }
      let key = impressions.bytes(0) + [0] + impressions.bytes(1) + [0] + impressions.bytes(2)
      guard taken.insert(stableHash64(key)).inserted else { continue }
      try draft.add(try interaction(impressions))
      if draft.interactionCount % 100_000 == 0 { progress(draft.interactionCount) }
    }
    progress(draft.interactionCount)
    return try draft.finish()
  }

  // MARK: Files

  private static func found(_ name: String, in directory: String) throws(CatalogueFault) -> String? {
    for path in ["\(directory)/\(name)", "\(directory)/\(name).gz"] {
      do throws(DiskFault) {
        if try SystemDisk().size(path) != nil { return path }
      } catch { throw CatalogueFault(.unreadableFile, file: error.path, error.message) }
    }
    return nil
  }

  private static func existing(_ name: String, in directory: String) throws(CatalogueFault) -> String {
    guard let path = try found(name, in: directory) else {
      throw CatalogueFault(
        .unreadableFile, file: directory,
        "has neither \(name) nor \(name).gz; is it the directory of a KuaiRand data set?")
    }
    return path
  }

  // MARK: Videos

  private static func title(_ videos: CSVTable) throws(CatalogueFault) -> Title {
    let id = try videos.text(0)
    guard decimal(videos.bytes(0)) != nil else {
      throw videos.fault(.badID, "“\(id.prefix(32))” is no video_id")
    }
    let day = try videos.text(3)
    guard let released = day.isEmpty ? .some(nil) : Day(day).map(Optional.some) else {
      throw videos.fault(.badDate, "has no upload_dt of the form YYYY-MM-DD")
    }
    let genres = try videos.text(5).split(separator: ",").map { "tag \($0)" }
    guard genres.count <= Title.genreCountMax, genres.allSatisfy({ $0.utf8.count <= Title.genreByteCountMax })
    else { throw videos.fault(.tooMany, "has more than \(Title.genreCountMax) tags, or a long one") }
    return Title(
      id: "kr-" + id, name: "Video \(id)", genres: genres, released: released,
      text: [
        "author": "author\(try videos.text(1))", "music": "music\(try videos.text(4))",
        "type": try videos.text(2).lowercased(),
      ])
  }

  // MARK: Interactions

  /// What an impression stands for, the strongest first: a dislike, a like, a video seen long enough to count as seen
  /// (the data set's long view), one left within three seconds, one that was never begun, one seen in part.
  private static func interaction(_ row: CSVTable) throws(CatalogueFault) -> Interaction {
    var numbers: [Int] = []
    for column in 2..<impressionColumns.count {
      guard let number = decimal(row.bytes(column)) else {
        throw row.fault(.badValue, "has no whole number as its \(impressionColumns[column])")
      }
      numbers.append(number)
    }
    guard decimal(row.bytes(0)) != nil else { throw row.fault(.badID, "has no user_id") }
    let (played, duration) = (numbers[5], numbers[6])
    let share = duration > 0 ? min(1, Float(played) / Float(duration)) : 0
    let kind: Event.Kind
    var progress = share
    if numbers[3] == 1 {
      kind = .dislike
    } else if numbers[2] == 1 {
      kind = .like
    } else if numbers[4] == 1 {
      (kind, progress) = (.complete, 1)
    } else if played == 0 {
      kind = numbers[1] == 1 ? .click : .hoverSkip
    } else {
      kind = played < passedMilliseconds ? .abandon : .progress
    }
    return Interaction(
      profileID: "kr-user-" + (try row.text(0)), titleID: "kr-" + (try row.text(1)), kind: kind,
      at: Timestamp(milliseconds: Int64(numbers[0])), progress: progress)
  }

  private struct HistoryLine: Decodable {
    var user_id: Int
    var last_time_ms: Int64
    var watched: [Int]
    var liked: [Int]
    var long_watched: [Int]
  }

  /// Watches before the first impression, the last at its time and a minute between any two: a like, a video seen to the
  /// end, or one that was played.
  private static func history(
    _ line: UnsafeRawBufferPointer, _ lines: LineReader
  ) throws(CatalogueFault) -> [Interaction] {
    let entry: HistoryLine
    do { entry = try JSONDecoder().decode(HistoryLine.self, from: Data(line)) } catch {
      throw CatalogueFault(
        .badJSON, file: lines.file, line: lines.line,
        "is no history: user_id, last_time_ms, watched, liked and long_watched belong there")
    }
    guard (0...1 << 50).contains(entry.last_time_ms), entry.watched.count <= 10_000 else {
      throw CatalogueFault(
        .badDate, file: lines.file, line: lines.line, "has no last_time_ms in milliseconds since 1970")
    }
    let (liked, seen) = (Set(entry.liked), Set(entry.long_watched))
    return entry.watched.enumerated().map { place, video in
      let kind: Event.Kind = liked.contains(video) ? .like : seen.contains(video) ? .complete : .play
      let back = Int64(entry.watched.count - 1 - place) * historyStepMilliseconds
      return Interaction(
        profileID: "kr-user-\(entry.user_id)", titleID: "kr-\(video)", kind: kind,
        at: Timestamp(milliseconds: max(0, entry.last_time_ms - back)), progress: kind == .play ? 0 : 1)
    }
  }
}
