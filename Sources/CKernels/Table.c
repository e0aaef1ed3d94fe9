#include <stdatomic.h>
#include <stdlib.h>

#include "Levels.h"

const mk_kernels *mk_at_level(int32_t level) {
  switch (level) {
    case MK_SCALAR:
      return &mk_scalar_kernels;
#if defined(__x86_64__)
    case MK_AVX2:
      __builtin_cpu_init();
      return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c")
                 ? &mk_avx2_kernels
                 : NULL;
    case MK_AVX512:
      // BMI2 is the index's, which goes by the same levels.
      return mk_at_level(MK_AVX2) && __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("avx512f") &&
                     __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
                     __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vnni")
                 ? &mk_avx512_kernels
                 : NULL;
#endif
    default:
      return NULL;
  }
}

static const mk_kernels *choose(void) {
  int32_t highest = MK_AVX512;
  const char *asked = getenv("MARQUEE_KERNELS");
  if (asked && !strcmp(asked, "scalar")) highest = MK_SCALAR;
  if (asked && !strcmp(asked, "avx2")) highest = MK_AVX2;
  for (int32_t level = highest; level > MK_SCALAR; level--) {
    const mk_kernels *table = mk_at_level(level);
    if (table) return table;
  }
  return &mk_scalar_kernels;
}

const mk_kernels *mk_active(void) {
  // Two threads may both choose; they choose the same.
  static _Atomic(const mk_kernels *) chosen;
  const mk_kernels *table = atomic_load_explicit(&chosen, memory_order_acquire);
  if (!table) {
    table = choose();
    atomic_store_explicit(&chosen, table, memory_order_release);
  }
  return table;
}
