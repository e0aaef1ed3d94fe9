#if canImport(Glibc)
  internal import Glibc
#else
  internal import Darwin
#endif

/// A pass over a whole catalogue beside the ranking threads lets them have the core every now and then: the system would
/// give it to them only after some milliseconds, which are a request's whole time.
package enum LongLoop {
  /// Titles between two turns: a tenth of a millisecond of work.
  package static let stepCount = 4096

  /// Lets whoever waits for this core run first.
  package static func giveWay() { sched_yield() }
}
