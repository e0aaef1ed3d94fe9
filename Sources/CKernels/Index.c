#include "Index.h"

#include <math.h>

const mk_index_kernels *mk_index_at_level(int32_t level) {
  if (!mk_at_level(level)) return NULL;
  switch (level) {
    case MK_SCALAR:
      return &mk_scalar_index;
#if defined(__x86_64__)
    case MK_AVX2:
      return &mk_avx2_index;
    case MK_AVX512:
      return &mk_avx512_index;
#endif
    default:
      return NULL;
  }
}

const mk_index_kernels *mk_index_active(void) {
  const mk_index_kernels *kernels = mk_index_at_level(mk_active()->level);
  return kernels ? kernels : &mk_scalar_index;
}

void mk_fetch_lists(const mk_middles *middles, const mk_list *lists, size_t count) {
  for (size_t i = 0; i < count && i < MK_LISTS_AHEAD; i++) mk_fetch_middles(middles, lists + i);
}

void mk_fetch_blocks(const mk_codes *codes, const uint32_t *ordinals, const mk_blocks *blocks) {
  if (codes) mk_fetch_rest(codes, 0, blocks);
  for (size_t i = 0; i < blocks->count && ordinals; i++)
    mk_fetch_bytes(ordinals + blocks->place[i], MK_BLOCK * sizeof *ordinals);
}

float mk_quantise_query(const float *query, size_t dims, size_t stride, int8_t *high, int8_t *low) {
  const float reach = 127 * 128;
  float largest = 0;
  for (size_t d = 0; d < dims; d++) {
    float magnitude = fabsf(query[d]);
    if (magnitude > largest) largest = magnitude;
  }
  float unit = largest / reach;
  float inverse = unit > 0 ? 1.0f / unit : 0;
  if (!(inverse < __builtin_inff())) unit = inverse = 0;
  for (size_t d = 0; d < stride; d++) {
    float value = d < dims ? rintf(query[d] * inverse) : 0;
    if (value > reach) value = reach;
    if (value < -reach) value = -reach;
    int32_t whole = (int32_t)value;
    int32_t upper = (whole + 64 + 128 * 128) / 128 - 128;
    high[d] = (int8_t)upper;
    low[d] = (int8_t)(whole - upper * 128);
  }
  return unit;
}

void mk_quantise_by(const float *row, size_t dims, size_t stride, float step, uint8_t *out) {
  float inverse = step > 0 ? 1.0f / step : 0;
  if (!(inverse < __builtin_inff())) inverse = 0;
  for (size_t d = 0; d < stride; d++) {
    float value = d < dims ? rintf(row[d] * inverse) : 0;
    if (value > 127) value = 127;
    if (value < -127) value = -127;
    out[d] = (uint8_t)((int)value + 128);
  }
}

void mk_add_scaled(const float *row, float factor, size_t dims, float *sum) {
  for (size_t d = 0; d < dims; d++) sum[d] += factor * row[d];
}

void mk_add_weights(const int32_t *dots, const float *weights, float factor, size_t count, int32_t *out) {
  for (size_t i = 0; i < count; i++) {
    float added = weights[i] * factor;
    added = added < 0x1p30f ? added : 0x1p30f;
    out[i] = dots[i] + (int32_t)added;
  }
}

float mk_threshold(const int32_t *dots, const float *scales, size_t count, size_t want, uint64_t *maxima) {
  // The want-th largest of the groups' maxima: so many scores at least are no smaller. Of the largest few are in one group
  // with another.
  size_t size = 8;
  while (size > 1 && want > count / size / 2) size /= 2;
  size_t groups = count / size;
  if (size == 1 || groups == 0) return -__builtin_inff();
  for (size_t g = 0; g < groups; g++) {
    float largest = (float)dots[g] * scales[g];
    for (size_t i = 1; i < size; i++) {
      float score = (float)dots[i * groups + g] * scales[i * groups + g];
      largest = score > largest ? score : largest;
    }
    maxima[g] = mk_key(largest, (uint32_t)g);
  }
  mk_keep_largest(maxima, groups, want);
  uint64_t least = maxima[0];
  for (size_t g = 1; g < want; g++) least = maxima[g] < least ? maxima[g] : least;
  return mk_key_score(least);
}
