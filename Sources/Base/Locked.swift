package import Synchronization

/// A value behind a lock that ThreadSanitizer can follow.
///
/// `Mutex` costs no allocation and next to no time, but a thread that had to wait for it is let in by code of the
/// standard library that ThreadSanitizer doesn't see: it then reports races between sections that never overlapped. So
/// each section begins by reading, and ends by writing, a baton that it does see; on x86-64 that is one ordinary load
/// and one ordinary store.
package struct Locked<Value>: ~Copyable, Sendable {
  @usableFromInline let mutex: Mutex<Value>
  @usableFromInline let baton = Atomic<Bool>(false)

  @inlinable @inline(__always) package init(_ initial: consuming sending Value) { mutex = Mutex(initial) }

  @inlinable @inline(__always) package borrowing func withLock<Result, Failure: Error>(
    _ body: (inout sending Value) throws(Failure) -> sending Result
  ) throws(Failure) -> sending Result {
    try mutex.withLock { value throws(Failure) -> sending Result in
      _ = baton.load(ordering: .acquiring)
      defer { baton.store(true, ordering: .releasing) }
      return try body(&value)
    }
  }
}
