package import Base

/// Reads LightGBM's text models: a head of `key=value` lines, then a block for each tree, to `end of trees`.
///
/// What LightGBM does with a row is kept to the bit: comparisons in double precision become comparisons of floats with
/// the threshold rounded down, which decides the same for every float; and sums are doubles in the order of the trees.
package struct LightGBMText {
  private var lines: TextLines
  private var head: [String: TextValue] = [:]
  private var averages = false

  /// - Parameter name: of the file, for refusals.
  package static func read(_ bytes: UnsafeRawBufferPointer, name: String) throws(Refusal) -> Forest {
    var reader = LightGBMText(lines: TextLines(bytes, name: name))
    return try reader.forest()
  }

  private mutating func forest() throws(Refusal) -> Forest {
    guard let first = try lines.next(), first.elementsEqual("tree".utf8) else {
      throw Refusal(
        .malformed, at: "\(lines.name) line 1", "is not \"tree\", as LightGBM's text models begin")
    }
    let firstTree = try readHead()
    let version = try value("version").text
    guard ["v3", "v4"].contains(version) else {
      throw Refusal(
        .newerReader, at: try value("version").place,
        "is of version \(version.excerpt), and v3 and v4 are known: save it with LightGBM 3 or 4")
    }
    let outputCount = try value("num_tree_per_iteration").integer(
      1...Forest.outputCountMax, "trees an iteration")
    let featureCount =
      try value("max_feature_idx").integer(0...Forest.featureCountMax - 1, "as the last feature") + 1
    let names = try value("feature_names").words(featureCount, of: "a feature's name") {
      String(validating: $0, as: UTF8.self)
    }
    let trees = try readTrees(firstTree, featureCount: featureCount, outputCount: outputCount)
    let objective = head["objective"]
    return Forest(
      origin: .lightGBM, features: names, outputCount: outputCount,
      base: [Double](repeating: 0, count: outputCount),
      divisor: averages ? Double(max(1, trees.count / outputCount)) : 1, link: try link(objective),
      trees: trees, objective: objective?.text ?? "none")
  }

  private func value(_ key: String) throws(Refusal) -> TextValue {
    guard let value = head[key] else {
      throw Refusal(.malformed, at: lines.place, "comes after a head without \(key)=")
    }
    return value
  }

  /// Reads up to the first tree, and returns its line.
  private mutating func readHead() throws(Refusal) -> TextValue {
    while let line = try lines.next() {
      if line.isEmpty { continue }
      if line.elementsEqual("average_output".utf8) {
        averages = true
        continue
      }
      let (key, value) = try split(line)
      if key == "Tree" { return value }
      guard head.updateValue(value, forKey: key) == nil else {
        throw Refusal(.malformed, at: lines.place, "says \(key)= again")
      }
    }
    throw Refusal(.truncated, at: lines.place, "is the last line, and no tree came")
  }

  private func split(_ line: UnsafeRawBufferPointer) throws(Refusal) -> (String, TextValue) {
    guard let equals = line.prefix(64).firstIndex(of: UInt8(ascii: "=")) else {
      throw Refusal(.malformed, at: lines.place, "is not of the form key=value")
    }
    let key = String(decoding: line[0..<equals], as: UTF8.self)
    return (
      key, TextValue(bytes: UnsafeRawBufferPointer(rebasing: line[(equals + 1)...]), place: lines.place)
    )
  }

  private mutating func readTrees(
    _ first: TextValue, featureCount: Int, outputCount: Int
  ) throws(Refusal) -> [Forest.Tree] {
    var trees: [Forest.Tree] = []
    var number = first
    var fields: [String: TextValue] = [:]
    func finish() throws(Refusal) {
      guard try number.integer(0...Forest.treeCountMax - 1, "as a tree's number") == trees.count else {
        throw Refusal(.malformed, at: number.place, "is not tree \(trees.count), which comes next")
      }
      let block = LightGBMTree(fields: fields, place: number.place, featureCount: featureCount)
      trees.append(try block.tree(output: trees.count % outputCount))
    }
    while let line = try lines.next() {
      if line.isEmpty { continue }
      if line.elementsEqual("end of trees".utf8) {
        try finish()
        guard trees.count % outputCount == 0 else {
          throw Refusal(
            .malformed, at: lines.place,
            "comes after \(trees.count) trees, and \(outputCount) make an iteration")
        }
        return trees
      }
      let (key, value) = try split(line)
      if key == "Tree" {
        try finish()
        (number, fields) = (value, [:])
      } else if LightGBMTree.keys.contains(key), fields.updateValue(value, forKey: key) != nil {
        throw Refusal(.malformed, at: lines.place, "says \(key)= again")
      }
    }
    throw Refusal(.truncated, at: lines.place, "is the last line, and \"end of trees\" did not come")
  }

  /// What the objective makes of sums, as LightGBM's predictor does.
  private func link(_ objective: TextValue?) throws(Refusal) -> ScoreLink {
    guard let objective else { return ScoreLink(.identity) }
    let words = objective.text.split(separator: " ").map(String.init)
    func factor() throws(Refusal) -> Double {
      guard let word = words.first(where: { $0.hasPrefix("sigmoid:") }) else { return 1 }
      guard let factor = Double(word.dropFirst("sigmoid:".count)), factor.isFinite, factor > 0 else {
        throw Refusal(.malformed, at: objective.place, "has the sigmoid \"\(word.excerpt)\"")
      }
      return factor
    }
    switch words.first ?? "" {
    case "regression", "regression_l1", "huber", "fair", "quantile", "mape":
      return ScoreLink(words.contains("sqrt") ? .signedSquare : .identity)
    case "lambdarank", "rank_xendcg", "custom", "none", "": return ScoreLink(.identity)
    case "poisson", "gamma", "tweedie": return ScoreLink(.exponential)
    case "binary", "multiclassova": return ScoreLink(.sigmoid, factor: try factor())
    case "cross_entropy": return ScoreLink(.sigmoid)
    case "cross_entropy_lambda": return ScoreLink(.softplus)
    case "multiclass": return ScoreLink(.softmax)
    case let name:
      throw Refusal(
        .malformed, at: objective.place,
        "has the objective \(name.excerpt), whose transform is not known: train with one that LightGBM documents"
      )
    }
  }
}
