internal import Base
internal import Yams

/// A value in a YAML file that knows where it stands, so that each error can say file, line and column.
struct YAMLPlace {
  private let file: String
  private let node: Node

  /// Reads a file that must hold one YAML document.
  init(file: String, disk: any Disk, byteCountMax: Int) throws(ConfigurationFault) {
    self.file = file
    let bytes: [UInt8]
    do { bytes = try disk.read(file, limit: byteCountMax) } catch {
      throw ConfigurationFault(file: file, "can't be read: \(error.message)")
    }
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw ConfigurationFault(file: file, "is not UTF-8; save it as UTF-8")
    }
    do {
      guard let node = try compose(yaml: text) else {
        throw ConfigurationFault(file: file, "is empty")
      }
      self.node = node
    } catch let fault as ConfigurationFault {
      throw fault
    } catch let error as YamlError {
      throw Self.fault(file: file, error)
    } catch {
      throw ConfigurationFault(file: file, "is no YAML: \(error)")
    }
  }

  private init(file: String, node: Node) {
    self.file = file
    self.node = node
  }

  var isText: Bool { node.scalar != nil }

  func text() throws(ConfigurationFault) -> String {
    guard let scalar = node.scalar else { throw fault("is a list or a mapping where one value belongs") }
    return scalar.string
  }

  func items() throws(ConfigurationFault) -> [YAMLPlace] {
    guard let sequence = node.sequence else {
      throw fault("is not a list; write `[a, b]` or lines with `- `")
    }
    return sequence.map { YAMLPlace(file: file, node: $0) }
  }

  func fields(known: [String]) throws(ConfigurationFault) -> Fields {
    guard let mapping = node.mapping else { throw fault("is not a mapping; write `key: value` lines") }
    var values: [String: YAMLPlace] = [:]
    for (key, value) in mapping {
      let place = YAMLPlace(file: file, node: key)
      let name = try place.text()
      guard known.contains(name) else {
        throw place.fault("`\(name)` is not known here; known are \(known.joined(separator: ", "))")
      }
      values[name] = YAMLPlace(file: file, node: value)
    }
    return Fields(place: self, values: values)
  }

  func fault(_ message: String) -> ConfigurationFault {
    ConfigurationFault(file: file, line: node.mark?.line ?? 0, column: node.mark?.column ?? 0, message)
  }

  struct Fields {
    fileprivate let place: YAMLPlace
    fileprivate let values: [String: YAMLPlace]

    func optional(_ name: String) -> YAMLPlace? { values[name] }

    func required(_ name: String) throws(ConfigurationFault) -> YAMLPlace {
      guard let value = values[name] else { throw place.fault("has no `\(name)`; add it") }
      return value
    }
  }

  private static func fault(file: String, _ error: YamlError) -> ConfigurationFault {
    switch error {
    case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
      .composer(_, let problem, let mark, _):
      ConfigurationFault(
        file: file, line: mark.line, column: mark.column, "\(problem); mend the YAML here")
    case .duplicatedKeysInMapping(let duplicates, let context):
      ConfigurationFault(
        file: file, line: context.mark.line, column: context.mark.column,
        "has \(duplicates.joined(separator: ", ")) twice; keep one")
    case .reader(let problem, _, _, _):
      ConfigurationFault(file: file, "has a character that YAML does not allow: \(problem)")
    default:
      ConfigurationFault(file: file, "is no YAML: \(error)")
    }
  }
}
