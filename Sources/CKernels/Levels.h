// What the files of this folder share: the table of each level.
#ifndef LEVELS_H
#define LEVELS_H

#include "include/CKernels.h"

extern const mk_kernels mk_scalar_kernels;

#if defined(__x86_64__)
extern const mk_kernels mk_avx2_kernels;
extern const mk_kernels mk_avx512_kernels;
#endif

// One value each way, as the scalar level has them; the others use them for tails.
uint16_t mk_half_from_float(float value);
float mk_float_from_half(uint16_t half);

static inline int mk_allows(const uint64_t *allowed, uint32_t bit) {
  return (int)(allowed[bit >> 6] >> (bit & 63) & 1);
}

#endif
