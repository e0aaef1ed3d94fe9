import Base
import MarqueeClient
import Testing

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
