#if canImport(Glibc)
  internal import Glibc
#else
  internal import Darwin
#endif

/// One object for each thread that asks for it, which lives as long as the thread. Owns a key of pthreads for the life of
/// the process.
///
/// NIO has the same, with two boxes and a cast between: this is looked at twice in each call.
struct PerThread<Value: AnyObject>: Sendable {
  private let key: pthread_key_t

  init() {
    var key = pthread_key_t()
    let result = pthread_key_create(&key) { value in
      #if canImport(Glibc)
        guard let value else { return }
      #endif
      Unmanaged<AnyObject>.fromOpaque(value).release()
    }
    precondition(result == 0, "no key for what threads keep: error \(result)")
    self.key = key
  }

  /// This thread's, made by `make` when it has none.
  @inline(__always)
  func callAsFunction<Result>(_ make: () -> Value, _ body: (Value) -> Result) -> Result {
    guard let value = pthread_getspecific(key) else { return body(add(make())) }
    return Unmanaged<Value>.fromOpaque(value)._withUnsafeGuaranteedRef(body)
  }

  @inline(never)
  private func add(_ value: Value) -> Value {
    pthread_setspecific(key, Unmanaged.passRetained(value).toOpaque())
    return value
  }
}
