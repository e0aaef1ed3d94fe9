import Base
import CMessages
import Testing

@testable import Wire

/// Text is UTF-8 without a NUL, or the message is refused: in every field of every message that comes in.
@Suite struct StringsTests {
  private static let bad: [(bytes: [UInt8], why: String)] = [
    ([0x61, 0xff], "is not UTF-8: byte 1"), ([0xc0, 0x80], "is not UTF-8: byte 0"),
    ([0xed, 0xa0, 0x80], "is not UTF-8: byte 0"), ([0x61, 0x62, 0], "has a NUL at byte 2"),
    ([0, 0x61], "has a NUL at byte 0"),
  ]

  @Test(
    "a string that is not UTF-8, or has a NUL, is refused in every field of every codec",
    arguments: CodecCase.all)
  func everyField(_ codec: CodecCase) {
    for place in StringPlace.all(in: codec.descriptor()) {
      for (bytes, why) in Self.bad {
        do {
          try codec.decode(place.message(with: bytes))
          Issue.record("\(codec.testDescription).\(place.name) takes \(bytes)")
        } catch { #expect(error.message == "\(codec.testDescription): \(place.name) \(why)") }
      }
    }
  }

  @Test("a bad string in a request is INVALID_ARGUMENT at every method of every service")
  func everyMethod() async throws {
    try await withServer(Self.services) { connection in
      var asked = 0
      for (path, descriptor) in RequestShapes.all {
        for place in StringPlace.all(in: descriptor()) {
          for (bytes, why) in Self.bad {
            let failure = await Self.failure(connection, path, place.message(with: bytes))
            #expect(failure?.code == .invalidArgument, "\(path) \(place.name) \(bytes)")
            #expect(failure?.fault.message.hasSuffix("\(place.name) \(why)") == true, "\(path)")
            asked += 1
          }
        }
      }
      // So that a table which lost its rows is noticed.
      #expect(asked > 25 * Self.bad.count)
    }
  }

  @Test("a bad string in a reply or in a directive is an INTERNAL fault of the caller's own making")
  func replies() async throws {
    let bad: [UInt8] = [0x61, 0xff]
    let unary = RPCMethod.Handler.unary { call, _ in call.reply(field(1, bad)) }
    let streaming = RPCMethod.Handler.streaming { _, _, writer in
      // The name of a routing region, and a directive that carries the same table.
      try await writer.send(field(2, field(1, bad)))
    }
    let methods = [
      RPCMethod(MarqueeMethod.rank.path, unary),
      RPCMethod(MarqueeMethod.watchRouting.path, streaming),
      RPCMethod(
        MarqueeMethod.follow.path,
        .streaming { _, _, writer in try await writer.send(field(4, field(2, field(1, bad)))) }),
    ]
    try await withServer(methods) { connection in
      let rank = await Self.fault {
        _ = try await RankingStub(connection).rank(
          RankRequest(requestID: "r", profileID: "p", country: "DE"), deadline: nil)
      }
      #expect(rank == Fault(.internalError, "RankResponse: request_id is not UTF-8: byte 1"))
      let watch = await Self.fault {
        for try await _ in try await RoutingStub(connection).watch() {}
      }
      #expect(watch == Fault(.internalError, "RoutingTable: regions.name is not UTF-8: byte 1"))
      let follow = await Self.fault {
        for try await _ in try await FleetStub(connection).follow().directives {}
      }
      #expect(follow == Fault(.internalError, "Directive: routing.regions.name is not UTF-8: byte 1"))
    }
  }

  // MARK: The server

  private static var services: [RPCMethod] {
    var methods = RankingService.methods { _, _, done in
      done(.failure(Fault(.unknown, "a handler was reached")))
    }
    methods += EventsService.methods { _, _ in throw Fault(.unknown, "a handler was reached") }
    methods += FleetService.methods { reports, _, _ in for try await _ in reports {} }
    methods += OperationsService.methods(Operators())
    methods += HealthService(services: ["a"]).methods
    return methods + ReflectionService(listing: methods).methods
  }

  private static func failure(
    _ connection: ClientConnection, _ path: String, _ message: [UInt8]
  ) async -> CallFailure? {
    do {
      let call = try await connection.open(path)
      try? await call.send(message)
      call.finishSending()
      do { for try await _ in call.responses {} } catch {}
      return call.failure
    } catch { return error }
  }

  private static func fault(_ body: () async throws -> Void) async -> Fault? {
    do { try await body() } catch let fault as Fault { return fault } catch {
      return (error as? CallFailure)?.fault
    }
    return nil
  }

  private func withServer(
    _ methods: [RPCMethod], _ body: (ClientConnection) async throws -> Void
  ) async throws {
    let server = Server(
      configuration: ServerConfiguration(
        host: "127.0.0.1", port: 0, tls: nil, anonymousRoles: Set(Role.allCases)),
      methods: methods, time: SystemTime())
    let (host, port) = try await server.start()
    let connection = try ClientConnection(
      host: host, port: port, tls: nil, time: SystemTime(), loops: sharedLoops)
    let outcome: Result<Void, any Error>
    do { outcome = .success(try await body(connection)) } catch { outcome = .failure(error) }
    await connection.close()
    await server.drain()
    try outcome.get()
  }
}

/// What each method that takes text is sent.
private enum RequestShapes {
  static let all: [(path: String, descriptor: @Sendable () -> UnsafePointer<ProtobufCMessageDescriptor>)] = [
    (MarqueeMethod.rank.path, { descriptor(marquee__v1__rank_request__init) }),
    (MarqueeMethod.record.path, { descriptor(marquee__v1__record_request__init) }),
    (MarqueeMethod.follow.path, { descriptor(marquee__v1__follow_request__init) }),
    (MarqueeMethod.publish.path, { descriptor(marquee__v1__publish_request__init) }),
    (MarqueeMethod.missingChunks.path, { descriptor(marquee__v1__signed__init) }),
    (MarqueeMethod.rollback.path, { descriptor(marquee__v1__rollback_request__init) }),
    (MarqueeMethod.pin.path, { descriptor(marquee__v1__pin_request__init) }),
    (MarqueeMethod.unpin.path, { descriptor(marquee__v1__unpin_request__init) }),
    (MarqueeMethod.route.path, { descriptor(marquee__v1__route_request__init) }),
    ("/grpc.health.v1.Health/Check", { descriptor(grpc__health__v1__health_check_request__init) }),
    ("/grpc.health.v1.Health/Watch", { descriptor(grpc__health__v1__health_check_request__init) }),
    (
      "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
      { descriptor(grpc__reflection__v1__server_reflection_request__init) }
    ),
    (
      "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
      { descriptor(grpc__reflection__v1alpha__server_reflection_request__init) }
    ),
  ]
}

/// The descriptor's own address, which every message has in it.
func descriptor<Message>(
  _ initialize: (UnsafeMutablePointer<Message>?) -> Void
) -> UnsafePointer<ProtobufCMessageDescriptor> {
  let message = UnsafeMutablePointer<Message>.allocate(capacity: 1)
  defer { message.deallocate() }
  initialize(message)
  guard let descriptor = UnsafeRawPointer(message).load(as: ProtobufCMessage.self).descriptor else {
    preconditionFailure("a generated message names its descriptor")
  }
  return descriptor
}

/// Where a message, or one inside it, has a string.
private struct StringPlace {
  let name: String
  let numbers: [UInt8]

  static func all(
    in message: UnsafePointer<ProtobufCMessageDescriptor>, _ name: String = "", _ numbers: [UInt8] = []
  ) -> [StringPlace] {
    (0..<Int(message.pointee.n_fields)).flatMap { index -> [StringPlace] in
      let field = message.pointee.fields[index]
      let (name, numbers) = (name + String(cString: field.name), numbers + [UInt8(field.id)])
      switch field.type {
      case PROTOBUF_C_TYPE_STRING: return [StringPlace(name: name, numbers: numbers)]
      case PROTOBUF_C_TYPE_MESSAGE:
        guard let inner = field.descriptor else { return [] }
        return all(in: inner.assumingMemoryBound(to: ProtobufCMessageDescriptor.self), name + ".", numbers)
      default: return []
      }
    }
  }

  /// A message with nothing but this string.
  func message(with text: [UInt8]) -> [UInt8] { numbers.reversed().reduce(text) { field($1, $0) } }
}
