// What the files of the index kernels share.
#ifndef INDEX_H
#define INDEX_H

#include "Levels.h"
#include "include/CKernels.h"

extern const mk_index_kernels mk_scalar_index;

#if defined(__x86_64__)
extern const mk_index_kernels mk_avx2_index;
extern const mk_index_kernels mk_avx512_index;
#endif

// Gathering where there are no masks is no faster: AVX2 has it too.
void mk_place_allowed_scalar(const uint32_t *ordinals, size_t count, const uint64_t *allowed, uint64_t *words);

// The sum that a title needs: none can have it when it is more than 16 bits hold.
static inline int32_t mk_needed(int32_t floor, int32_t offset) {
  int64_t needed = (int64_t)floor - offset;
  return needed < 0 ? 0 : needed > 65536 ? 65536 : (int32_t)needed;
}

// Writes the titles whose bits are set; `sums` has one for each bit.
static inline size_t mk_emit(uint64_t bits, const uint16_t *sums, int32_t offset, uint32_t first, uint32_t *places,
                             int32_t *scores) {
  size_t written = 0;
  for (; bits; bits &= bits - 1) {
    unsigned lane = (unsigned)__builtin_ctzll(bits);
    places[written] = first + lane;
    scores[written++] = (int32_t)sums[lane] + offset;
  }
  return written;
}

// Of the titles whose bits are set, those whose ordinals are allowed.
static inline uint64_t mk_ask(uint64_t bits, const uint32_t *ordinals, const uint64_t *allowed) {
  uint64_t open = 0;
  for (; bits; bits &= bits - 1) {
    unsigned lane = (unsigned)__builtin_ctzll(bits);
    open |= (uint64_t)mk_allows(allowed, ordinals[lane]) << lane;
  }
  return open;
}

#endif
