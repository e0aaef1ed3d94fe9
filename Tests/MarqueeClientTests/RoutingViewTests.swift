import Base
import Testing

@testable import MarqueeClient

@Suite struct RoutingViewTests {
  private let now = Instant(nanoseconds: 1_000_000_000)

  private func table(_ epoch: UInt64, _ regions: [RoutingTable.Region]) -> RoutingTable {
    RoutingTable(epoch: epoch, regions: regions)
  }

  private func region(_ name: String, over: String = "", fallbacks: [String] = []) -> RoutingTable.Region {
    RoutingTable.Region(name: name, failedOverTo: over, replicas: ["\(name):1"], fallbacks: fallbacks)
  }

  private func redirect(_ epoch: String, _ replicas: String = "c:1, c:2", region: String = "c") -> RoutingView
    .Redirect?
  {
    RoutingView.Redirect(
      Fault(
        .unavailable, "",
        metadata: [
          RoutingMetadata.epoch: epoch, RoutingMetadata.region: region, RoutingMetadata.replicas: replicas,
        ]))
  }

  /// The macros of tests take no mutating call.
  private func learn(_ view: inout RoutingView, _ table: RoutingTable, at now: Instant? = nil) -> Bool {
    view.learn(table, now: now ?? self.now)
  }

  private func learn(_ view: inout RoutingView, _ redirect: RoutingView.Redirect) -> Bool {
    view.learn(redirect, now: now)
  }

  @Test("the home region comes first, then its fallbacks, each region once")
  func order() {
    var view = RoutingView()
    #expect(
      learn(&view, table(1, [region("a", fallbacks: ["b", "c", "b", "a"]), region("b"), region("c")])))
    #expect(view.groups(home: "a") == [["a:1"], ["b:1"], ["c:1"]])
  }

  @Test("a region that is failed over is not called, neither at first nor as a fallback")
  func failedOver() {
    var view = RoutingView()
    _ = learn(
      &view,
      table(
        1,
        [
          region("a", over: "b", fallbacks: ["c", "b"]), region("b", fallbacks: ["d"]),
          region("c", over: "d"), region("d"),
        ]))
    #expect(view.groups(home: "a") == [["b:1"], ["d:1"]])
  }

  @Test("failovers in a ring leave the fallbacks, and an unknown home leaves every region that serves")
  func oddities() {
    var view = RoutingView()
    _ = learn(
      &view,
      table(1, [region("a", over: "b", fallbacks: ["c"]), region("b", over: "a"), region("c")]))
    #expect(view.groups(home: "a") == [["c:1"]])
    #expect(view.groups(home: "nowhere") == [["c:1"]])
    #expect(RoutingView().groups(home: "a").isEmpty)
  }

  @Test("epochs only rise")
  func epochs() {
    var view = RoutingView()
    #expect(learn(&view, table(5, [region("a")])))
    #expect(!learn(&view, table(5, [region("b")])))
    #expect(!learn(&view, table(4, [region("b")])))
    #expect(view.groups(home: "a") == [["a:1"]])
    #expect(view.epoch == 5)
  }

  @Test("a redirect holds until a table of its epoch is here")
  func redirects() throws {
    var view = RoutingView()
    _ = learn(&view, table(1, [region("a", fallbacks: ["b"]), region("b"), region("c")]))
    #expect(learn(&view, try #require(redirect("3"))))
    #expect(view.groups(home: "a") == [["c:1", "c:2"], ["b:1"]])
    #expect(!learn(&view, table(2, [region("a")])))
    #expect(!learn(&view, try #require(redirect("3", "d:1"))))
    #expect(learn(&view, table(3, [region("a", over: "b"), region("b")])))
    #expect(view.groups(home: "a") == [["b:1"]])
  }

  @Test("an epoch that somebody made up does not hold for ever")
  func madeUp() throws {
    var view = RoutingView()
    _ = learn(&view, table(1, [region("a")]))
    #expect(learn(&view, try #require(redirect("18446744073709551615"))))
    #expect(!learn(&view, table(2, [region("a")]), at: now.advanced(byMilliseconds: 9_000)))
    #expect(learn(&view, table(2, [region("a")]), at: now.advanced(byMilliseconds: 11_000)))
    #expect(view.groups(home: "a") == [["a:1"]])
  }

  @Test("trailers that don't say where to go are none")
  func badTrailers() {
    #expect(redirect("x") == nil)
    #expect(redirect("-1") == nil)
    #expect(redirect("2", "") == nil)
    #expect(redirect("2", "a:1", region: "") == nil)
    #expect(RoutingView.Redirect(Fault(.unavailable, "")) == nil)
    #expect(redirect("2")?.replicas == ["c:1", "c:2"])
  }
}
