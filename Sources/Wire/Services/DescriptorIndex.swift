internal import CMessages

/// The .proto files that are compiled in: their serialized descriptors by name and by the symbols that they define.
///
/// What it reads is our own build's, not a peer's: a descriptor that can't be read is our mistake.
struct DescriptorIndex: Sendable {
  private struct File: Sendable {
    var bytes: [UInt8]
    var dependencies: [String]
  }

  private var files: [String: File] = [:]
  private var fileOfSymbol: [String: String] = [:]

  /// Of the descriptor set that `Scripts/generate` leaves in `CMessages`.
  static let compiledIn = DescriptorIndex(descriptorSet: compiledInBytes())

  init(descriptorSet: [UInt8]) {
    for field in ProtoFields(descriptorSet[...]) where field.number == 1 { add(field.bytes) }
  }

  private static func compiledInBytes() -> [UInt8] {
    [UInt8](UnsafeBufferPointer(start: marquee_descriptor_set_start, count: marquee_descriptor_set_size))
  }

  /// The file and all that it imports, each once, imports first.
  func closure(ofFile name: String) -> [[UInt8]]? {
    guard files[name] != nil else { return nil }
    var taken: Set<String> = []
    var order: [[UInt8]] = []
    collect(name, &taken, &order)
    return order
  }

  func closure(ofSymbol symbol: String) -> [[UInt8]]? {
    fileOfSymbol[symbol].flatMap { closure(ofFile: $0) }
  }

  /// Whether a message of this full name is known, for questions about its extensions (proto3 has none).
  func has(_ symbol: String) -> Bool { fileOfSymbol[symbol] != nil }

  private func collect(_ name: String, _ taken: inout Set<String>, _ order: inout [[UInt8]]) {
    guard taken.insert(name).inserted, let file = files[name] else { return }
    for dependency in file.dependencies { collect(dependency, &taken, &order) }
    order.append(file.bytes)
  }

  // Field numbers are those of google/protobuf/descriptor.proto.
  private mutating func add(_ bytes: ArraySlice<UInt8>) {
    var name = ""
    var package = ""
    var dependencies: [String] = []
    for field in ProtoFields(bytes) {
      switch field.number {
      case 1: name = field.text
      case 2: package = field.text
      case 3: dependencies.append(field.text)
      default: break
      }
    }
    files[name] = File(bytes: Array(bytes), dependencies: dependencies)
    let prefix = package.isEmpty ? "" : package + "."
    for field in ProtoFields(bytes) {
      switch field.number {
      case 4: addMessage(field.bytes, prefix, file: name)
      case 5: addEnum(field.bytes, prefix, file: name)
      case 6: addService(field.bytes, prefix, file: name)
      default: break
      }
    }
  }

  private mutating func addMessage(_ bytes: ArraySlice<UInt8>, _ prefix: String, file: String) {
    let full = prefix + Self.name(bytes)
    fileOfSymbol[full] = file
    for field in ProtoFields(bytes) {
      switch field.number {
      case 2, 8: fileOfSymbol["\(full).\(Self.name(field.bytes))"] = file
      case 3: addMessage(field.bytes, full + ".", file: file)
      case 4: addEnum(field.bytes, full + ".", file: file)
      default: break
      }
    }
  }

  /// An enum's values are named beside it, as in C++.
  private mutating func addEnum(_ bytes: ArraySlice<UInt8>, _ prefix: String, file: String) {
    fileOfSymbol[prefix + Self.name(bytes)] = file
    for field in ProtoFields(bytes) where field.number == 2 {
      fileOfSymbol[prefix + Self.name(field.bytes)] = file
    }
  }

  private mutating func addService(_ bytes: ArraySlice<UInt8>, _ prefix: String, file: String) {
    let full = prefix + Self.name(bytes)
    fileOfSymbol[full] = file
    for field in ProtoFields(bytes) where field.number == 2 {
      fileOfSymbol["\(full).\(Self.name(field.bytes))"] = file
    }
  }

  private static func name(_ bytes: ArraySlice<UInt8>) -> String {
    for field in ProtoFields(bytes) where field.number == 1 { return field.text }
    preconditionFailure("a descriptor without a name")
  }
}

/// The length-delimited fields of a message that our own build made; numbers are passed over.
private struct ProtoFields: Sequence, IteratorProtocol {
  struct Field {
    var number: Int
    var bytes: ArraySlice<UInt8>
    var text: String { String(decoding: bytes, as: UTF8.self) }
  }

  private var rest: ArraySlice<UInt8>

  init(_ bytes: ArraySlice<UInt8>) { rest = bytes }

  mutating func next() -> Field? {
    while !rest.isEmpty {
      let tag = varint()
      switch tag & 7 {
      case 0: _ = varint()
      case 1: rest = rest.dropFirst(8)
      case 5: rest = rest.dropFirst(4)
      case 2:
        let count = varint()
        let bytes = rest.prefix(count)
        precondition(bytes.count == count, "a descriptor that is cut off")
        rest = rest.dropFirst(count)
        return Field(number: tag >> 3, bytes: bytes)
      default: preconditionFailure("a descriptor with groups")
      }
    }
    return nil
  }

  private mutating func varint() -> Int {
    var value = 0
    var shift = 0
    while let byte = rest.popFirst() {
      value |= Int(byte & 0x7f) << shift
      if byte < 0x80 { return value }
      shift += 7
    }
    preconditionFailure("a descriptor that is cut off")
  }
}
