#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// One half to the power of `halfLives`.
func halved(_ halfLives: Double) -> Double { exp2(-halfLives) }

/// log(1 + value), exact for small values.
func log1p(_ value: Double) -> Double {
  #if canImport(Glibc)
    Glibc.log1p(value)
  #else
    Darwin.log1p(value)
  #endif
}
