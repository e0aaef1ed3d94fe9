// What the files of the index kernels share.
#ifndef INDEX_H
#define INDEX_H

#include "include/CKernels.h"

extern const mk_index_kernels mk_scalar_index;

#if defined(__x86_64__)
extern const mk_index_kernels mk_avx2_index;
extern const mk_index_kernels mk_avx512_index;
#endif

// Gathering where there are no masks is no faster: AVX2 has it too.
void mk_place_allowed_scalar(const uint32_t *ordinals, size_t count, const uint64_t *allowed, uint64_t *words);

// Fetches the block of the list ahead that stands where a block is that isn't summed.
static inline void mk_fetch_block(const mk_ahead *ahead, size_t title, size_t pairs) {
  if (title < ahead->count) mk_fetch_bytes(ahead->codes + title * pairs, MK_BLOCK * pairs);
}

// The sum that a title needs: none can have it when it is more than 16 bits hold.
static inline int32_t mk_needed(int32_t floor, int32_t offset) {
  int64_t needed = (int64_t)floor - offset;
  return needed < 0 ? 0 : needed > 65536 ? 65536 : (int32_t)needed;
}

#endif
