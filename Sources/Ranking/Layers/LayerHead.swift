internal import Base
internal import CKernels

/// The sizes that a segment of layers begins with, each within its bounds.
struct LayerHead {
  static let wordCount = 16

  let featureCount: Int
  let widths: [Int]
  let isQuantised: Bool
  let link: ScoreLink.Form

  init(_ segment: Segment) throws(Refusal) {
    let words = try segment.array("HEAD", of: UInt32.self, count: Self.wordCount)
    let place = "\(segment.name) section HEAD"
    let (features, layers) = (Int(words[0]), Int(words[1]))
    guard (1...LayerNetwork.featureCountMax).contains(features),
      (1...LayerNetwork.layerCountMax).contains(layers)
    else { throw Refusal(.limitExceeded, at: place, "has \(features) features and \(layers) layers") }
    guard words[2] <= 1, let link = ScoreLink.Form(rawValue: words[3]), [.identity, .sigmoid].contains(link)
    else {
      throw Refusal(.unreadable, at: place, "has a form or a link that this reader doesn't know")
    }
    let widths = try segment.array("SIZE", of: UInt32.self, count: layers).map { Int($0) }
    guard widths.allSatisfy({ (1...LayerNetwork.widthMax).contains($0) }), widths.last == 1 else {
      throw Refusal(.unreadable, at: "\(segment.name) section SIZE", "has layers of \(widths)")
    }
    featureCount = features
    self.widths = widths
    isQuantised = words[2] == 1
    self.link = link
  }

  static func words(features: Int, layers: Int, isQuantised: Bool, link: ScoreLink.Form) -> [UInt32] {
    [UInt32(features), UInt32(layers), isQuantised ? 1 : 0, link.rawValue]
      + [UInt32](repeating: 0, count: wordCount - 4)
  }

  /// Inputs and outputs of each layer.
  var shapes: [(inputs: Int, outputs: Int)] {
    zip([featureCount] + widths, widths).map { (inputs: $0, outputs: $1) }
  }

  /// Bytes of weights of each layer: of the last, which has one output, a row.
  var byteCounts: [Int] {
    shapes.enumerated().map { index, shape in
      index == widths.count - 1
        ? LayerPadding.row(shape.inputs)
        : LayerPadding.word(shape.inputs) * LayerPadding.panels(shape.outputs)
    }
  }
}

/// Sizes as the kernels for bytes want them.
enum LayerPadding {
  static func panels(_ outputs: Int) -> Int { padded(outputs, to: Int(MK_PANEL)) }
  /// Bytes of a row of so many values, zeros at its end.
  static func row(_ values: Int) -> Int { padded(values, to: Int(MK_LAYER_WORD)) }
  /// Inputs of a layer of several outputs.
  static func word(_ values: Int) -> Int { padded(values, to: 4) }
  static func rows(_ count: Int) -> Int { padded(count, to: Int(MK_LAYER_ROWS)) }

  private static func padded(_ count: Int, to unit: Int) -> Int { (count + unit - 1) / unit * unit }
}
