import Base
import Testing

@testable import Wire

@Suite struct ReflectionTests {
  @Test("reflection finds files by name and by symbol, with what they import", arguments: ["v1", "v1alpha"])
  func reflection(_ version: String) async throws {
    let reflection = ReflectionService(listing: HealthService(services: []).methods)
    let (server, client) = try await serve(reflection.methods)
    let call = try await client.open("/grpc.reflection.\(version).ServerReflection/ServerReflectionInfo")
    var responses = call.responses.makeAsyncIterator()
    func ask(_ field: Int, _ text: String) async throws -> [UInt8] {
      var writer = ProtoWriter()
      writer.textElement(field, text)
      try await call.send(writer.bytes)
      return try await responses.next() ?? []
    }
    let file = try await ask(3, "grpc/health/v1/health.proto")
    #expect(contains(file, "HealthCheckRequest"))
    for symbol in [
      "grpc.health.v1.Health", "grpc.health.v1.Health.Check", "grpc.health.v1.HealthCheckResponse",
      "grpc.health.v1.HealthCheckResponse.ServingStatus", "grpc.health.v1.HealthCheckResponse.SERVING",
      "grpc.health.v1.HealthListResponse.StatusesEntry", "grpc.health.v1.HealthCheckRequest.service",
    ] {
      #expect(contains(try await ask(4, symbol), "health.proto"), "\(symbol)")
    }
    let services = try await ask(7, "")
    #expect(contains(services, "grpc.health.v1.Health"))
    #expect(contains(services, "grpc.reflection.v1alpha.ServerReflection"))
    #expect(contains(try await ask(4, "no.Such"), "no symbol no.Such"))
    #expect(contains(try await ask(3, "no.proto"), "no file no.proto"))
    #expect(contains(try await ask(6, "grpc.health.v1.HealthCheckRequest"), "HealthCheckRequest"))
    #expect(contains(try await ask(6, "no.Such"), "no type"))
    call.finishSending()
    #expect(try await responses.next() == nil)
    await client.close()
    await server.drain()
  }

  @Test("files that are only read, not served, are not described")
  func onlyWhatIsServed() {
    let index = DescriptorIndex.compiledIn
    #expect(index.closure(ofFile: "marquee/v1/ranking.proto") != nil)
    #expect(index.closure(ofFile: "marquee/onnx/model.proto") == nil)
    #expect(!index.has("marquee.onnx.Model"))
  }

  private func contains(_ bytes: [UInt8], _ text: String) -> Bool {
    String(decoding: bytes, as: UTF8.self).contains(text)
  }
}
