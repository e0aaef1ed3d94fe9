package import Base

/// The way to one replica that follows: the sending half of its stream.
package protocol FollowerLink: Sendable {
  /// Takes the directive and returns at once: a slow replica must not hold up the others. Few wait at a time: the
  /// control node has at most one `stage`, one `announce` a version and one `routing` on the way to a replica.
  func send(_ directive: Directive)
  /// Ends the stream: a newer one of the same replica has taken its place, and this one will be told nothing more.
  func finish()
}

/// A link as an asynchronous sequence, for a stream's handler to write out.
package struct FollowerChannel: FollowerLink {
  package let directives: AsyncStream<Directive>
  private let continuation: AsyncStream<Directive>.Continuation

  package init() { (directives, continuation) = AsyncStream.makeStream() }

  package func send(_ directive: Directive) { continuation.yield(directive) }
  /// Ends `directives`.
  package func finish() { continuation.finish() }
}

/// Names one stream of one replica, from ``ControlNode/attach(_:)`` to ``ControlNode/detach(_:)``.
package struct FollowerID: Hashable, Sendable {
  let number: UInt64
}

/// What the control node knows of one connected replica.
struct Follower {
  enum Pending: Equatable {
    case stage(UInt64)
    case announce(UInt64)
    case routing(UInt64)
  }

  let link: any FollowerLink
  /// `nil` until it has said hello.
  var name: FleetState.ReplicaName?
  var address = ""
  var status = ReplicaStatus()
  /// Directives that it has not answered yet, by nonce.
  var pending: [UInt64: Pending] = [:]
  /// The newest epoch that was sent on this stream, answered or refused.
  var routingSent: UInt64 = 0

  init(link: any FollowerLink) { self.link = link }

  var isStaging: Bool {
    pending.values.contains {
      if case .stage = $0 { true } else { false }
    }
  }

  func has(_ sequence: UInt64) -> Bool { status.staged.contains(sequence) }
}
