internal import Catalogue

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Takes watched titles and profiles through their rounds; see ``Embedder``.
struct WatchingRounds {
  let watching: Watching
  let parameters: SpaceParameters
  /// By ordinal: text vectors before, finished vectors after.
  let vectors: VectorTable
  let threadCount: Int

  /// `own` has a row for each watched title, its own random vector, and becomes the restarts. Returns the mean of what
  /// watching gave in the last round. `progress` gets how far it is.
  func run(own restarts: VectorTable, progress: (Double) -> Void) -> [Float] {
    let dimensions = parameters.dimensions
    let watched = watching.watched
    inParallel(watched.count, threadCount: threadCount) { range in
      for place in range {
        let restart = restarts.row(place)
        makeRestart(restart, text: vectors.row(Int(watched[place])), parameters)
        vectors.row(Int(watched[place])).update(from: restart, count: dimensions)
      }
    }
    guard parameters.roundCount > 0, !watched.isEmpty else {
      return [Float](repeating: 0, count: dimensions)
    }
    let damping = (0..<watched.count).map {
      pow(Float(watching.viewerCount(ofWatched: $0)), -parameters.damping)
    }
    let places = PlaceOf(watched, count: vectors.count)
    let profiles = VectorTable(count: watching.profileCount, dimensions: dimensions)
    var common: [Float] = []
    for round in 0..<parameters.roundCount {
      progress(Double(round) / Double(parameters.roundCount))
      inParallel(profiles.count, threadCount: threadCount) { range in
        for profile in range {
          let row = profiles.row(profile)
          row.update(repeating: 0, count: dimensions)
          for edge in watching.edges(ofProfile: profile) {
            guard let place = places[Int(edge.neighbour)] else { continue }
            add(vectors.row(Int(edge.neighbour)), times: edge.weight * damping[place], to: row, dimensions)
          }
          normalise(row, dimensions)
        }
      }
      inParallel(watched.count, threadCount: threadCount) { range in
        for place in range {
          let row = vectors.row(Int(watched[place]))
          row.update(repeating: 0, count: dimensions)
          for edge in watching.edges(ofWatched: place) {
            add(profiles.row(Int(edge.neighbour)), times: edge.weight, to: row, dimensions)
          }
          normalise(row, dimensions)
        }
      }
      common = mean(watched.count, dimensions: dimensions, threadCount: threadCount) {
        UnsafePointer(vectors.row(Int(watched[$0])))
      }
      inParallel(watched.count, threadCount: threadCount) { range in
        for place in range {
          join(
            watch: vectors.row(Int(watched[place])), restart: restarts.row(place),
            viewerCount: watching.viewerCount(ofWatched: place), common: common, parameters)
        }
      }
    }
    return common
  }
}

/// Makes the own vector in `row` the restart: the text with some of the own vector in it.
func makeRestart(
  _ row: UnsafeMutablePointer<Float>, text: UnsafePointer<Float>, _ parameters: SpaceParameters
) {
  let dimensions = parameters.dimensions
  for index in 0..<dimensions { row[index] = row[index] * parameters.ownWeight + text[index] }
  normalise(row, dimensions)
}

/// Makes `watch`, a unit mean of profiles, the title's vector: what is special in it, trusted the more the more
/// viewers it comes from, and the restart.
func join(
  watch: UnsafeMutablePointer<Float>, restart: UnsafePointer<Float>, viewerCount: Int, common: [Float],
  _ parameters: SpaceParameters
) {
  let dimensions = parameters.dimensions
  takeOff(common, from: watch, dimensions)
  let viewers = Float(viewerCount)
  let trust = viewers / (viewers + parameters.viewersAtHalf)
  for index in 0..<dimensions {
    watch[index] = trust * watch[index] + parameters.textWeight * restart[index]
  }
  normalise(watch, dimensions)
}
