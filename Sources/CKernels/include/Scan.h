// The arithmetic of a search in the index: products of a query with codes and rows of bytes, and the choice of the best.
//
// A query's weights are integers of 15 bits, and bytes are biased by 128, so that every product is exact and the same
// at every level. Codes lie in groups: 16 titles × 4 dimensions in each 64 bytes, so that an instruction with one word
// of the query serves 16 titles, and no sum goes across lanes.
#ifndef CKERNELS_SCAN_H
#define CKERNELS_SCAN_H

#include <stddef.h>
#include <stdint.h>

#pragma clang assume_nonnull begin

// Titles in a group of codes.
#define MK_GROUP 16
// Dimensions that a code may have: 512 × 127 × MK_WEIGHT_MAX is half of what 32 bits hold, so differences fit too.
#define MK_CODE_MAX 512
// Bytes that a row may have.
#define MK_ROW_MAX 1024
// Largest weight of a query: 127 × 128, high byte and low byte.
#define MK_WEIGHT_MAX 16256
// Candidates that may be written beyond those that are reported.
#define MK_SCAN_SLACK 16
// Steps of a yield table for each standard deviation, and the standard deviations to each side of its middle.
#define MK_YIELD_STEPS 32
#define MK_YIELD_SPAN 8
#define MK_YIELD_COUNT 513

typedef struct mk_query {
  int32_t dims;
  // 128 × the sum of the values: what the bias of the bytes adds.
  int32_t bias;
  // value = 128 × high + low; zero from `dims` on.
  int16_t value[MK_ROW_MAX];
  int8_t high[MK_ROW_MAX];
  int8_t low[MK_ROW_MAX];
} mk_query;

// Which titles may be found. `ordinals` belongs to the codes that are scanned.
typedef struct mk_scan_filter {
  const uint64_t *words;
  const uint32_t *ordinals;
  // Added to an ordinal to get its bit.
  uint32_t first;
  // Titles that were good enough to be asked for, and those of them that may be found: counted up.
  uint64_t asked;
  uint64_t passed;
} mk_scan_filter;

typedef struct mk_scan_kernels {
  // out[i] = product of code i with the query, for whole groups. `query->dims` is a multiple of 4.
  void (*dot_groups)(const mk_query *query, const uint8_t *codes, size_t groups, int32_t *out);
  // Writes product and slot (`first_slot` + i) of each title i < count whose product is above `threshold` and that the
  // filter allows; returns how many. Both outputs have room for count + MK_SCAN_SLACK. `ahead` is fetched meanwhile.
  size_t (*scan)(const mk_query *query, const uint8_t *codes, size_t count, int32_t threshold, uint32_t first_slot,
                 mk_scan_filter *_Nullable filter, const uint8_t *_Nullable ahead, size_t ahead_bytes,
                 int32_t *scores, uint32_t *slots);
  // How many scores are at least `least`.
  size_t (*count_at_least)(const int32_t *scores, size_t count, int32_t least);
  // Moves the scores that are at least `least`, and what lies beside them, to the front; returns how many.
  size_t (*keep_at_least)(int32_t *scores, uint32_t *slots, size_t count, int32_t least);
  // out[i] = scores[i] × unit + product of row slots[i] with the query × row_unit, the last two rounded once.
  // Rows have `stride` bytes, a multiple of 64, of which the query has weights for `dims`.
  void (*refine)(const mk_query *query, const uint8_t *rows, size_t stride, const uint32_t *slots,
                 const int32_t *scores, size_t count, float unit, float row_unit, float *out);
  // out[i] = titles[i] × table at (scores[i] - threshold) × steepness[i] steps from its middle.
  void (*yields)(const int32_t *scores, const float *titles, const float *steepness, size_t count,
                 int32_t threshold, const float *table, float *out);
} mk_scan_kernels;

// The scan kernels of a level of mk_at_level, which this processor must be able to run.
const mk_scan_kernels *mk_scan_at_level(int32_t level);
const mk_scan_kernels *mk_scan_active(void);

// Asks for bytes that will be read soon.
static inline void mk_fetch(const void *bytes, size_t count) {
  for (size_t byte = 0; byte < count; byte += 64) __builtin_prefetch((const char *)bytes + byte, 0, 2);
}

// out = vector times the axes in panels (see mk_kernels.dense), `dims` of both; writes whole panels.
void mk_turn(const float *vector, const float *panels, size_t dims, float *out);

// Ranks lists by products[i] + radii[i] * reach, and leaves those below `below` with their numbers, in their order.
// Returns how many; `least` and `most` get their bounds, or stay. Ranks are cut off where 32 bits end.
size_t mk_rank_lists(const int32_t *products, const float *radii, size_t count, float reach, int32_t below,
                     int32_t *ranks, uint32_t *numbers, int32_t *least, int32_t *most);

// Makes a query of finite weights: value[i] = weights[i] / unit rounded. Returns the unit, or 1 when all weights are 0.
// `dims` ≤ MK_ROW_MAX.
float mk_query_prepare(mk_query *query, const float *weights, size_t dims);

// Largest t, up to `high`, that at least `keep` of the scores reach, or a lower one that at most keep + tolerance reach.
// No score is below `low` or above `high`, and there are at least `keep`.
int32_t mk_threshold(const int32_t *scores, size_t count, size_t keep, size_t tolerance, int32_t low, int32_t high);
// Keeps the `keep` best, or a few more by `tolerance`, in their order; of equals the first. Returns how many, and by
// `threshold` a score that `keep` of them reach.
size_t mk_trim(int32_t *scores, uint32_t *slots, size_t count, size_t keep, size_t tolerance, int32_t low,
               int32_t high, int32_t *threshold);

// Sorts keys (see mk_key) by their upper halves, then their lower: largest first. `spare` has room for as many.
void mk_sort_keys(uint64_t *keys, size_t count, uint64_t *spare);

// One title's code into its lane of a group, and its row. The first `head` of the rotated dimensions make the code, in
// steps of 1 / inverse, and what is left of them in 254ths of a step the row; the other dimensions the row alone.
// `head` is a multiple of 4 and may go beyond `dims`. Beyond ± 127 steps values are cut off.
void mk_encode(const float *rotated, size_t dims, size_t head, const float *inverse, uint8_t *group, size_t lane,
               uint8_t *row);

#pragma clang assume_nonnull end

#endif
