package import Base

/// A model's file as other tools write it, told by its first bytes.
package enum ModelFile {
  package enum Format: String, Sendable, CaseIterable {
    case lightGBM = "lightgbm"
    case xgBoost = "xgboost"
    case onnx
    /// A ranker segment of ours.
    case segment = "marquee"
  }

  /// What a file is by its beginning; `nil` for none of these.
  package static func format(_ bytes: UnsafeRawBufferPointer) -> Format? {
    let start = bytes.prefix(8)
    if start.elementsEqual(Segment.magic) { return .segment }
    if start.starts(with: "tree".utf8) { return .lightGBM }
    if start.first == UInt8(ascii: "{") { return .xgBoost }
    // ONNX begins with the number of its format's version, as field 1 of a protobuf message.
    if start.first == 0x08, start.count > 2 { return .onnx }
    return nil
  }

  /// A forest of either of the formats that have one.
  package static func forest(
    _ bytes: UnsafeRawBufferPointer, name: String
  ) throws(Refusal) -> Forest {
    switch format(bytes) {
    case .lightGBM: return try LightGBMText.read(bytes, name: name)
    case .xgBoost: return try XGBoostJSON.read(bytes, name: name)
    default:
      throw Refusal(
        .malformed, at: "\(name) byte 0",
        "begins like no model that is known: LightGBM's text, XGBoost's JSON or ONNX")
    }
  }
}

extension Forest {
  /// The forest with other names for its features, in the same order.
  package func renamed(_ names: [String]) throws(Fault) -> Forest {
    var forest = self
    forest.features = try checked(names, for: features)
    return forest
  }
}

extension LayerNetwork {
  /// The network with other names for its features, in the same order.
  package func renamed(_ names: [String]) throws(Fault) -> LayerNetwork {
    var network = self
    network.features = try checked(names, for: features)
    return network
  }
}

private func checked(_ names: [String], for features: [String]) throws(Fault) -> [String] {
  guard names.count == features.count else {
    throw Fault(
      .invalidArgument, "the model has \(features.count) features, and \(names.count) names were given")
  }
  return names
}
