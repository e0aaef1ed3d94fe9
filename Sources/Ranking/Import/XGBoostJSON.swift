#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

package import Base

/// Reads XGBoost's JSON models of trees (`gbtree` and `dart`).
///
/// XGBoost compares floats with "less than" and adds floats in the order of the trees; both are kept: less than a float is
/// at most the float before it.
package struct XGBoostJSON {
  private var scanner: JSONScanner
  private var features: [String] = []
  private var featureCount = 0
  private var classCount = 0
  private var targetCount = 1
  private var baseScores: [Double] = [0.5]
  private var objective = ""
  private var booster = ""
  private var trees: [XGBoostTree] = []
  private var outputs: [Int] = []
  private var weights: [Double] = []
  private var hasLearner = false

  /// - Parameter name: of the file, for refusals.
  package static func read(_ bytes: UnsafeRawBufferPointer, name: String) throws(Refusal) -> Forest {
    guard bytes.first == UInt8(ascii: "{"), bytes.count > 1,
      ![0x4c, 0x69, 0x55, 0x49, 0x6c].contains(bytes[1])
    else {
      throw Refusal(
        .malformed, at: "\(name) byte 0", "is no JSON: save the model as .json, not as .ubj or .bin")
    }
    var reader = XGBoostJSON(scanner: JSONScanner(bytes, name: name))
    return try reader.forest(name)
  }

  private init(scanner: JSONScanner) { self.scanner = scanner }

  private mutating func forest(_ name: String) throws(Refusal) -> Forest {
    var scanner = scanner
    try scanner.object { (key, scanner) throws(Refusal) in
      if key == "learner" {
        hasLearner = true
        try readLearner(&scanner)
      } else {
        try scanner.skip()
      }
    }
    try scanner.end()
    guard hasLearner, featureCount > 0 else {
      throw Refusal(
        .malformed, at: name, "has no learner with a number of features: is it a model of XGBoost?")
    }
    guard ["gbtree", "dart"].contains(booster) else {
      throw Refusal(
        .malformed, at: name, "is of the booster \(booster.excerpt): only gbtree and dart have trees")
    }
    let outputCount = max(classCount, targetCount, 1)
    guard outputs.count == trees.count, outputs.allSatisfy({ (0..<outputCount).contains($0) }) else {
      throw Refusal(
        .malformed, at: "\(name) (tree_info)",
        "does not give each of \(trees.count) trees one of \(outputCount) outputs"
      )
    }
    guard weights.isEmpty || weights.count == trees.count else {
      throw Refusal(
        .malformed, at: "\(name) (weight_drop)", "has \(weights.count) weights for \(trees.count) trees")
    }
    let (link, margin) = try link(name)
    guard baseScores.count == 1 || baseScores.count == outputCount else {
      throw Refusal(.malformed, at: "\(name) (base_score)", "has \(baseScores.count) numbers")
    }
    let base = (0..<outputCount).map { margin(Float(baseScores[baseScores.count == 1 ? 0 : $0])) }
    guard base.allSatisfy(\.isFinite) else {
      throw Refusal(.malformed, at: "\(name) (base_score)", "is out of the objective's range")
    }
    var forest: [Forest.Tree] = []
    var setWordsLeft = Forest.setWordCountMax
    for (index, tree) in trees.enumerated() {
      forest.append(
        try tree.tree(
          output: outputs[index], featureCount: featureCount,
          weight: weights.isEmpty ? 1 : Float(weights[index]),
          place: "\(name) (tree \(index))", setWordsLeft: &setWordsLeft))
    }
    return Forest(
      origin: .xgBoost, features: try names(name), outputCount: outputCount, base: base.map { Double($0) },
      divisor: 1, link: link, trees: forest, objective: objective)
  }

  private func names(_ name: String) throws(Refusal) -> [String] {
    guard !features.isEmpty else { return (0..<featureCount).map { "f\($0)" } }
    guard features.count == featureCount else {
      throw Refusal(
        .malformed, at: "\(name) (feature_names)", "names \(features.count) features of \(featureCount)")
    }
    return features
  }

  // MARK: Reading

  private mutating func readLearner(_ scanner: inout JSONScanner) throws(Refusal) {
    try scanner.object { (key, scanner) throws(Refusal) in
      switch key {
      case "feature_names":
        features = []
        try scanner.array { (index, scanner) throws(Refusal) in
          guard index < Forest.featureCountMax else {
            throw scanner.refusal("is one name too many", .limitExceeded)
          }
          features.append(try scanner.string())
        }
      case "learner_model_param": try readParameters(&scanner)
      case "objective":
        try scanner.object { (key, scanner) throws(Refusal) in
          if key == "name" { objective = try scanner.string() } else { try scanner.skip() }
        }
      case "gradient_booster": try readBooster(&scanner)
      default: try scanner.skip()
      }
    }
  }

  private mutating func readParameters(_ scanner: inout JSONScanner) throws(Refusal) {
    try scanner.object { (key, scanner) throws(Refusal) in
      switch key {
      case "num_feature": featureCount = try count(&scanner, 1...Forest.featureCountMax)
      case "num_class": classCount = try count(&scanner, 0...Forest.outputCountMax)
      case "num_target": targetCount = try count(&scanner, 1...Forest.outputCountMax)
      case "base_score":
        // One number, or since version 3.1 a list of them, and both in a string.
        let text = try scanner.string()
        baseScores = []
        for part in text.split(whereSeparator: { "[], ".contains($0) }) {
          guard let value = Double(part), value.isFinite, baseScores.count < Forest.outputCountMax else {
            throw scanner.refusal("comes after \"\(text.excerpt)\", which is no base score")
          }
          baseScores.append(value)
        }
      default: try scanner.skip()
      }
    }
  }

  /// A number that is written as a string.
  private func count(_ scanner: inout JSONScanner, _ range: ClosedRange<Int>) throws(Refusal) -> Int {
    let text = try scanner.string()
    guard let value = Int(text), range.contains(value) else {
      throw scanner.refusal("comes after \"\(text.excerpt)\", which is not in \(range)", .limitExceeded)
    }
    return value
  }

  private mutating func readBooster(_ scanner: inout JSONScanner) throws(Refusal) {
    try scanner.object { (key, scanner) throws(Refusal) in
      switch key {
      case "name": booster = try scanner.string()
      // Of dart: the trees' model is one level further down.
      case "gbtree": try readBooster(&scanner)
      case "weight_drop":
        try scanner.array { (_, scanner) throws(Refusal) in weights.append(try scanner.number()) }
      case "model": try readModel(&scanner)
      default: try scanner.skip()
      }
    }
    if !weights.isEmpty { booster = "dart" }
  }

  private mutating func readModel(_ scanner: inout JSONScanner) throws(Refusal) {
    try scanner.object { (key, scanner) throws(Refusal) in
      switch key {
      case "trees":
        try scanner.array { (index, scanner) throws(Refusal) in
          guard index < Forest.treeCountMax else {
            throw scanner.refusal("is one tree too many", .limitExceeded)
          }
          trees.append(try XGBoostTree(&scanner))
        }
      case "tree_info":
        try scanner.array { (_, scanner) throws(Refusal) in
          outputs.append(try scanner.integer(0...Forest.outputCountMax - 1))
        }
      default: try scanner.skip()
      }
    }
  }

  // MARK: Objective

  /// The objective's transform, and what makes a margin of the base score.
  private func link(_ name: String) throws(Refusal) -> (ScoreLink, (Float) -> Float) {
    let plain: (Float) -> Float = { $0 }
    let logistic: (Float) -> Float = { -logf(1 / $0 - 1) }
    let logarithm: (Float) -> Float = { logf($0) }
    let form: ScoreLink.Form
    let margin: (Float) -> Float
    switch objective {
    case "reg:squarederror", "reg:squaredlogerror", "reg:absoluteerror", "reg:pseudohubererror",
      "reg:quantileerror", "rank:ndcg", "rank:map", "rank:pairwise", "binary:logitraw":
      (form, margin) = (.identity, plain)
    case "reg:logistic", "binary:logistic": (form, margin) = (.sigmoid, logistic)
    case "count:poisson", "reg:gamma", "reg:tweedie", "survival:cox", "survival:aft":
      (form, margin) = (.exponential, logarithm)
    case "multi:softprob", "multi:softmax": (form, margin) = (.softmax, plain)
    case "binary:hinge": (form, margin) = (.step, plain)
    default:
      throw Refusal(
        .malformed, at: "\(name) (objective)",
        "is \"\(objective.excerpt)\", whose transform is not known: train with one that XGBoost documents")
    }
    return (ScoreLink(form, isFloat: true), margin)
  }
}
