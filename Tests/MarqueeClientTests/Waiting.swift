import Base
import Glibc
import MarqueeClient
import Testing

/// A port whose connections are accepted and never spoken to, as a stopped process leaves it.
final class SilentPort: Sendable {
  let address: String
  private let descriptor: Int32

  init() throws {
    descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var place = sockaddr_in()
    place.sin_family = sa_family_t(AF_INET)
    place.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let descriptor = descriptor
    let isListening = withUnsafeMutableBytes(of: &place) { bytes -> Bool in
      let pointer = bytes.assumingMemoryBound(to: sockaddr.self).baseAddress
      return bind(descriptor, pointer, size) == 0 && listen(descriptor, 16) == 0
        && getsockname(descriptor, pointer, &size) == 0
    }
    guard isListening else { throw Fault(.internalError, "can't listen: \(errno)") }
    address = "127.0.0.1:\(UInt16(bigEndian: place.sin_port))"
  }

  deinit { close(descriptor) }
}

/// Waits until `condition` holds; gives up after long enough for the slowest machine.
func eventually(_ condition: () async throws -> Bool) async throws {
  let deadline = SystemTime().instant.advanced(byMilliseconds: 30_000)
  while !(try await condition()) {
    guard SystemTime().instant < deadline else { throw Fault(.deadlineExceeded, "it never came to be") }
    try await Task.sleep(for: .milliseconds(2))
  }
}

/// The error of something that should fail; `nil` when it doesn't.
func failure(_ body: () async throws -> Void) async -> MarqueeError? {
  do {
    try await body()
    return nil
  } catch let error as MarqueeError { return error } catch {
    Issue.record("\(error)")
    return nil
  }
}

/// A fleet and a client at `home`, stopped at the end whatever happens.
func withFleet(
  _ regions: [(name: String, count: Int)], home: String,
  _ body: @Sendable (FakeFleet, MarqueeClient) async throws -> Void
) async throws {
  let fleet = try await FakeFleet(regions)
  let client = try MarqueeClient(fleet.configuration(home: home))
  let outcome: Result<Void, any Error>
  do { outcome = .success(try await body(fleet, client)) } catch { outcome = .failure(error) }
  await client.close()
  await fleet.stop()
  try outcome.get()
}
