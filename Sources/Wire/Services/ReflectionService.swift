internal import Base
internal import CMessages

/// `grpc.reflection.v1.ServerReflection` and its twin `v1alpha`, whose messages are the same on the wire: tells tools
/// such as grpcurl what this server speaks.
package struct ReflectionService: Sendable {
  private static let paths = ["grpc.reflection.v1", "grpc.reflection.v1alpha"]
  private static let request = MessageShape.request(
    grpc__reflection__v1__server_reflection_request__init, fieldCountMax: 32)
  private static let nameBytesMax = 1024

  private enum Question {
    case file(String)
    case symbol(String)
    case fileOfExtension(ofType: String, number: Int32)
    case extensionNumbers(ofType: String)
    case services
    case none
  }

  private let services: [String]
  private let index = DescriptorIndex.compiledIn

  /// Lists the services of `methods`, and itself.
  package init(listing methods: [RPCMethod]) {
    services = Set(methods.map(\.service) + Self.paths.map { $0 + ".ServerReflection" }).sorted()
  }

  package var methods: [RPCMethod] {
    Self.paths.map { path in
      RPCMethod(
        "/\(path).ServerReflection/ServerReflectionInfo", holdsDrain: false,
        .streaming { _, requests, writer in
          for try await message in requests { try await writer.send(try answer(message)) }
        })
    }
  }

  private func answer(_ message: [UInt8]) throws(Fault) -> [UInt8] {
    let (host, question) = try Self.request.decode(message, Self.read)
    var writer = ProtoWriter()
    writer.text(1, host)
    writer.dataElement(2, message)
    switch question {
    case .file(let name):
      write(files: index.closure(ofFile: name), or: "no file \(name) is known here", to: &writer)
    case .symbol(let symbol):
      write(files: index.closure(ofSymbol: symbol), or: "no symbol \(symbol) is known here", to: &writer)
    case .fileOfExtension(let type, let number):
      write(files: nil, or: "\(type) has no extension \(number)", to: &writer)
    case .extensionNumbers(let type):
      // A message of proto3 has none, and that is an answer.
      guard index.has(type) else {
        write(files: nil, or: "no type \(type) is known here", to: &writer)
        break
      }
      writer.message(5) { $0.text(1, type) }
    case .services:
      writer.message(6) { list in
        for service in services { list.message(1) { $0.text(1, service) } }
      }
    case .none: Self.write(Fault(.invalidArgument, "the request asks nothing"), to: &writer)
    }
    return writer.bytes
  }

  private func write(files: [[UInt8]]?, or text: String, to writer: inout ProtoWriter) {
    guard let files else { return Self.write(Fault(.notFound, text), to: &writer) }
    writer.message(4) { response in
      for file in files { response.dataElement(1, file) }
    }
  }

  private static func write(_ fault: Fault, to writer: inout ProtoWriter) {
    writer.message(7) { error in
      error.number(1, UInt64(fault.code.rawValue))
      error.text(2, fault.message)
    }
  }

  private static func read(
    _ message: Grpc__Reflection__V1__ServerReflectionRequest
  ) throws(Fault) -> (host: String, question: Question) {
    let host = try Field.text(message.host, "host", max: nameBytesMax)
    let question: Question
    switch message.message_request_case {
    case GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_BY_FILENAME:
      question = .file(try Field.text(message.file_by_filename, "file_by_filename", max: nameBytesMax))
    case GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_CONTAINING_SYMBOL:
      question = .symbol(
        try Field.text(message.file_containing_symbol, "file_containing_symbol", max: nameBytesMax))
    case GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_CONTAINING_EXTENSION:
      let asked = try Field.required(message.file_containing_extension, "file_containing_extension")
      question = .fileOfExtension(
        ofType: try Field.text(asked.containing_type, "containing_type", max: nameBytesMax),
        number: asked.extension_number)
    case GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_ALL_EXTENSION_NUMBERS_OF_TYPE:
      question = .extensionNumbers(
        ofType: try Field.text(
          message.all_extension_numbers_of_type, "all_extension_numbers_of_type", max: nameBytesMax))
    case GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_LIST_SERVICES: question = .services
    default: question = .none
    }
    return (host, question)
  }
}
