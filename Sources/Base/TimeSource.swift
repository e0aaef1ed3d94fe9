#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// A moment of wall-clock time: milliseconds since 1970-01-01 UTC. What events, licences and manifests carry.
package struct Timestamp: Hashable, Comparable, Sendable {
  package var milliseconds: Int64

  package init(milliseconds: Int64) { self.milliseconds = milliseconds }
  package init(seconds: Int64) { milliseconds = seconds * 1000 }

  package static func < (left: Timestamp, right: Timestamp) -> Bool {
    left.milliseconds < right.milliseconds
  }

  package func advanced(bySeconds seconds: Int64) -> Timestamp {
    Timestamp(milliseconds: milliseconds + seconds * 1000)
  }
}

/// A moment on the monotonic clock of this process, in nanoseconds: what deadlines and durations are measured on.
package struct Instant: Hashable, Comparable, Sendable {
  package var nanoseconds: UInt64

  package init(nanoseconds: UInt64) { self.nanoseconds = nanoseconds }

  package static let distantFuture = Instant(nanoseconds: .max)

  package static func < (left: Instant, right: Instant) -> Bool { left.nanoseconds < right.nanoseconds }

  /// Saturates: a deadline too far away is `distantFuture`.
  package func advanced(byNanoseconds count: UInt64) -> Instant {
    let (sum, overflow) = nanoseconds.addingReportingOverflow(count)
    return overflow ? .distantFuture : Instant(nanoseconds: sum)
  }

  package func advanced(byMilliseconds count: UInt64) -> Instant {
    let (product, overflow) = count.multipliedReportingOverflow(by: 1_000_000)
    return overflow ? .distantFuture : advanced(byNanoseconds: product)
  }

  /// Nanoseconds from `earlier` to here; zero when `earlier` is later.
  package func nanoseconds(since earlier: Instant) -> UInt64 {
    nanoseconds > earlier.nanoseconds ? nanoseconds - earlier.nanoseconds : 0
  }
}

/// Where time comes from. A parameter everywhere, so that tests and the simulator own it.
package protocol TimeSource: Sendable {
  var now: Timestamp { get }
  var instant: Instant { get }
}

/// The machine's clocks.
package struct SystemTime: TimeSource {
  package init() {}

  package var now: Timestamp {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return Timestamp(milliseconds: Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000)
  }

  package var instant: Instant {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Instant(nanoseconds: UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec))
  }
}
