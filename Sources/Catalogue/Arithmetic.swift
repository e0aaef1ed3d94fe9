#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

// The few functions of the C library that this room needs, under names that don't hide the module's own.

/// One half to the power of `halfLives`.
func halved(_ halfLives: Double) -> Double { exp2(-halfLives) }

/// log(1 + value), exact for small values.
func logOfOnePlus(_ value: Double) -> Double { log1p(value) }

func power(_ base: Double, _ exponent: Double) -> Double { pow(base, exponent) }

func naturalLog(_ value: Double) -> Double { log(value) }
