// The truth of the scan kernels, as plainly as it can be written.
#include <math.h>

#include "Levels.h"
#include "ScanLevels.h"

static int32_t product(const mk_query *query, const uint8_t *codes, size_t i) {
  const uint8_t *group = codes + i / MK_GROUP * MK_GROUP * (size_t)query->dims + i % MK_GROUP * 4;
  int32_t sum = 0;
  for (size_t d = 0; d < (size_t)query->dims; d++)
    sum += ((int32_t)group[d / 4 * 64 + d % 4] - 128) * query->value[d];
  return sum;
}

static void dot_groups(const mk_query *query, const uint8_t *codes, size_t groups, int32_t *out) {
  for (size_t i = 0; i < groups * MK_GROUP; i++) out[i] = product(query, codes, i);
}

static size_t scan(const mk_query *query, const uint8_t *codes, size_t count, int32_t threshold, uint32_t first_slot,
                   mk_scan_filter *filter, const uint8_t *ahead, size_t ahead_bytes, int32_t *scores,
                   uint32_t *slots) {
  (void)ahead, (void)ahead_bytes;
  size_t written = 0;
  for (size_t i = 0; i < count; i++) {
    int32_t score = product(query, codes, i);
    if (score <= threshold) continue;
    if (filter) {
      filter->asked++;
      if (!mk_allows(filter->words, filter->first + filter->ordinals[i])) continue;
      filter->passed++;
    }
    scores[written] = score;
    slots[written++] = first_slot + (uint32_t)i;
  }
  return written;
}

static size_t count_at_least(const int32_t *scores, size_t count, int32_t least) {
  size_t reached = 0;
  for (size_t i = 0; i < count; i++) reached += scores[i] >= least;
  return reached;
}

static size_t keep_at_least(int32_t *scores, uint32_t *slots, size_t count, int32_t least) {
  size_t kept = 0;
  for (size_t i = 0; i < count; i++) {
    if (scores[i] < least) continue;
    scores[kept] = scores[i];
    slots[kept++] = slots[i];
  }
  return kept;
}

static void refine(const mk_query *query, const uint8_t *rows, size_t stride, const uint32_t *slots,
                   const int32_t *scores, size_t count, float unit, float row_unit, float *out) {
  for (size_t i = 0; i < count; i++) {
    const uint8_t *row = rows + slots[i] * stride;
    int32_t sum = 0;
    for (size_t d = 0; d < (size_t)query->dims; d++) sum += ((int32_t)row[d] - 128) * query->value[d];
    out[i] = fmaf((float)scores[i], unit, (float)sum * row_unit);
  }
}

static void yields(const int32_t *scores, const float *titles, const float *steepness, size_t count,
                   int32_t threshold, const float *table, float *out) {
  for (size_t i = 0; i < count; i++) {
    float step = (float)(scores[i] - threshold) * steepness[i];
    const float edge = MK_YIELD_STEPS * MK_YIELD_SPAN;
    // In this order a step that is no number is the lowest.
    step = step > -edge ? step : -edge;
    step = step < edge ? step : edge;
    out[i] = titles[i] * table[(int32_t)(step + edge)];
  }
}

const mk_scan_kernels mk_scan_scalar = {
    .dot_groups = dot_groups,
    .scan = scan,
    .count_at_least = count_at_least,
    .keep_at_least = keep_at_least,
    .refine = refine,
    .yields = yields,
};
