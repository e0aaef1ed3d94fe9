import Base
import Glibc
import Retrieval

/// Builds an index as the control node does, and prints what it cost.
struct BuildOrder {
  private let source: NumpyFile
  private let out: String
  private var options = IndexOptions()

  init(_ arguments: [String]) throws {
    guard arguments.count >= 2, arguments.count % 2 == 0 else {
      throw Fault(.invalidArgument, "build BASE.npy OUT [--option value]")
    }
    source = try NumpyFile(path: arguments[0])
    out = arguments[1]
    for place in stride(from: 2, to: arguments.count, by: 2) {
      let (name, value) = (arguments[place], arguments[place + 1])
      switch (name, Int(value)) {
      case ("--tune", _):
        let queries = try NumpyFile(path: value)
        guard queries.dimensions == source.dimensions else {
          throw Fault(.invalidArgument, "\(value) has other dimensions")
        }
        options.tuningQueries = queries.values
      case ("--threads", .some(let number)): options.threads = number
      case ("--seed", .some(let number)): options.seed = UInt64(max(0, number))
      case ("--head", .some(let number)): options.headCount = number
      case ("--lists", .some(let number)): options.listCount = number
      default: throw Fault(.invalidArgument, "\(name) \(value) is no option")
      }
    }
  }

  func run() throws {
    let writer = try VectorsWriter(path: out + ".vectors", dimensions: source.dimensions)
    var row = [Float](repeating: 0, count: source.dimensions)
    for ordinal in 0..<source.count {
      row.withUnsafeMutableBufferPointer { source.copy(ordinal..<ordinal + 1, into: $0) }
      try writer.append(row)
    }
    try writer.finish()
    let clock = SystemTime()
    let begin = clock.instant
    var stage = (name: IndexProgress.Stage.cluster, begin: begin)
    let summary = try IndexBuilder.build(source, to: out + ".index", options: options) { progress in
      guard progress.stage != stage.name else { return }
      put("\(stage.name.rawValue) \(Self.seconds(since: stage.begin)) s", to: STDERR_FILENO)
      stage = (progress.stage, clock.instant)
    }
    let index = try VectorIndex(opening: MappedBytes(path: out + ".index"), name: "index")
    let curve = index.curve.points.map {
      "{\"k\":\($0.k),\"target\":\($0.target),\"yield\":\($0.setting.yieldShare),\"rescore\":\($0.setting.rescoreShare),"
        + "\"recall\":\($0.recall),\"lists\":\($0.lists),\"titles\":\($0.titles)}"
    }
    put(
      "{\"seconds\":\(Self.seconds(since: begin)),\"bytes\":\(try MappedBytes(path: out + ".index").count),"
        + "\"titles\":\(summary.titleCount),\"lists\":\(summary.listCount),\"curve\":[\(curve.joined(separator: ","))]}"
    )
  }

  private static func seconds(since begin: Instant) -> Double {
    Double(SystemTime().instant.nanoseconds(since: begin)) / 1e9
  }
}
