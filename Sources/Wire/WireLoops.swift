internal import NIOCore
internal import NIOPosix

/// Owns the threads that client connections read and write on.
package final class WireLoops: Sendable {
  let group: MultiThreadedEventLoopGroup

  package init(count: Int = 1) { group = MultiThreadedEventLoopGroup(numberOfThreads: max(1, count)) }

  /// Close the connections first.
  package func shutDown() async { try? await group.shutdownGracefully() }
}
