#include "Levels.h"
#include "ScanLevels.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define TARGET __attribute__((target("popcnt,avx2,fma,f16c")))
#define INLINE static inline __attribute__((always_inline)) TARGET

// Weights of a word's first and third dimension in one lane, of its second and fourth in another: bytes are widened by
// a mask and a shift, which leaves them in that order.
typedef struct {
  int32_t even[MK_CODE_MAX / 4], odd[MK_CODE_MAX / 4];
} pairs;

INLINE void pair_up(const mk_query *query, pairs *to) {
  for (int32_t w = 0; w < query->dims / 4; w++) {
    const int16_t *v = query->value + w * 4;
    to->even[w] = (int32_t)((uint32_t)(uint16_t)v[0] | (uint32_t)(uint16_t)v[2] << 16);
    to->odd[w] = (int32_t)((uint32_t)(uint16_t)v[1] | (uint32_t)(uint16_t)v[3] << 16);
  }
}

INLINE void one_group(const pairs *weights, const uint8_t *codes, size_t words, __m256i start, __m256i *sums) {
  const __m256i bytes = _mm256_set1_epi16(255);
  sums[0] = sums[1] = start;
  for (size_t w = 0; w < words; w++) {
    __m256i even = _mm256_set1_epi32(weights->even[w]), odd = _mm256_set1_epi32(weights->odd[w]);
    for (int half = 0; half < 2; half++) {
      __m256i code = _mm256_loadu_si256((const __m256i *)(codes + w * 64 + half * 32));
      __m256i sum = _mm256_add_epi32(_mm256_madd_epi16(_mm256_and_si256(code, bytes), even),
                                     _mm256_madd_epi16(_mm256_srli_epi16(code, 8), odd));
      sums[half] = _mm256_add_epi32(sums[half], sum);
    }
  }
}

TARGET static void dot_groups(const mk_query *query, const uint8_t *codes, size_t groups, int32_t *out) {
  pairs weights;
  pair_up(query, &weights);
  size_t words = (size_t)query->dims / 4;
  for (size_t g = 0; g < groups; g++) {
    __m256i sums[2];
    one_group(&weights, codes + g * words * 64, words, _mm256_set1_epi32(-query->bias), sums);
    _mm256_storeu_si256((__m256i *)(out + g * 16), sums[0]);
    _mm256_storeu_si256((__m256i *)(out + g * 16 + 8), sums[1]);
  }
}

TARGET static size_t scan(const mk_query *query, const uint8_t *codes, size_t count, int32_t threshold,
                          uint32_t first_slot, mk_scan_filter *filter, const uint8_t *ahead, size_t ahead_bytes,
                          int32_t *scores, uint32_t *slots) {
  pairs weights;
  pair_up(query, &weights);
  const __m256i least = _mm256_set1_epi32(threshold);
  size_t words = (size_t)query->dims / 4, written = 0;
  for (size_t i = 0; i < count; i += 16) {
    size_t place = i / 16 * words * 64;
    for (size_t byte = place; byte < place + words * 64 && byte < ahead_bytes; byte += 64)
      _mm_prefetch((const char *)ahead + byte, _MM_HINT_T1);
    __m256i sums[2];
    one_group(&weights, codes + place, words, _mm256_set1_epi32(-query->bias), sums);
    unsigned good = 0;
    for (int half = 0; half < 2; half++)
      good |= (unsigned)_mm256_movemask_ps(_mm256_castsi256_ps(_mm256_cmpgt_epi32(sums[half], least))) << half * 8;
    if (count - i < 16) good &= (1u << (count - i)) - 1;
    if (!good) continue;
    int32_t lane[16];
    _mm256_storeu_si256((__m256i *)lane, sums[0]);
    _mm256_storeu_si256((__m256i *)(lane + 8), sums[1]);
    for (; good; good &= good - 1) {
      unsigned j = (unsigned)__builtin_ctz(good);
      if (filter) {
        filter->asked++;
        if (!mk_allows(filter->words, filter->first + filter->ordinals[i + j])) continue;
        filter->passed++;
      }
      scores[written] = lane[j];
      slots[written++] = first_slot + (uint32_t)i + j;
    }
  }
  return written;
}

TARGET static size_t count_at_least(const int32_t *scores, size_t count, int32_t least) {
  const __m256i limit = _mm256_set1_epi32(least);
  __m256i below = _mm256_setzero_si256();
  size_t i = 0;
  for (; i + 8 <= count; i += 8)
    below = _mm256_sub_epi32(below, _mm256_cmpgt_epi32(limit, _mm256_loadu_si256((const __m256i *)(scores + i))));
  int32_t lane[8];
  _mm256_storeu_si256((__m256i *)lane, below);
  size_t reached = i;
  for (int j = 0; j < 8; j++) reached -= (size_t)lane[j];
  for (; i < count; i++) reached += scores[i] >= least;
  return reached;
}

TARGET static size_t keep_at_least(int32_t *scores, uint32_t *slots, size_t count, int32_t least) {
  size_t kept = 0;
  for (size_t i = 0; i < count; i++) {
    // Without a branch: which are kept can't be foretold.
    int32_t score = scores[i];
    scores[kept] = score;
    slots[kept] = slots[i];
    kept += score >= least;
  }
  return kept;
}

INLINE int32_t sum_ints(__m256i v) {
  __m128i half = _mm_add_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
  half = _mm_add_epi32(half, _mm_shuffle_epi32(half, 0x4e));
  return _mm_cvtsi128_si32(_mm_add_epi32(half, _mm_shuffle_epi32(half, 0xb1)));
}

TARGET static void refine(const mk_query *query, const uint8_t *rows, size_t stride, const uint32_t *slots,
                          const int32_t *scores, size_t count, float unit, float row_unit, float *out) {
  const size_t ahead = 12;
  for (size_t i = 0; i < count; i++) {
    if (i + ahead < count)
      for (size_t byte = 0; byte < stride; byte += 64)
        _mm_prefetch((const char *)rows + slots[i + ahead] * stride + byte, _MM_HINT_T0);
    const uint8_t *row = rows + slots[i] * stride;
    __m256i sum = _mm256_setzero_si256();
    for (size_t d = 0; d < stride; d += 16) {
      __m256i bytes = _mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i *)(row + d)));
      __m256i weights = _mm256_loadu_si256((const __m256i *)(query->value + d));
      sum = _mm256_add_epi32(sum, _mm256_madd_epi16(bytes, weights));
    }
    // The sum may wrap around before the bias is taken off, and then wraps back.
    int32_t total = (int32_t)((uint32_t)sum_ints(sum) - (uint32_t)query->bias);
    out[i] = __builtin_fmaf((float)scores[i], unit, (float)total * row_unit);
  }
}

TARGET static void yields(const int32_t *scores, const float *titles, const float *steepness, size_t count,
                          int32_t threshold, const float *table, float *out) {
  const float span = MK_YIELD_STEPS * MK_YIELD_SPAN;
  const __m256 edge = _mm256_set1_ps(span), bottom = _mm256_set1_ps(-span);
  size_t i = 0;
  for (; i + 8 <= count; i += 8) {
    __m256i above = _mm256_sub_epi32(_mm256_loadu_si256((const __m256i *)(scores + i)), _mm256_set1_epi32(threshold));
    __m256 step = _mm256_mul_ps(_mm256_cvtepi32_ps(above), _mm256_loadu_ps(steepness + i));
    step = _mm256_min_ps(_mm256_max_ps(step, bottom), edge);
    __m256 share = _mm256_i32gather_ps(table, _mm256_cvttps_epi32(_mm256_add_ps(step, edge)), 4);
    _mm256_storeu_ps(out + i, _mm256_mul_ps(_mm256_loadu_ps(titles + i), share));
  }
  mk_scan_scalar.yields(scores + i, titles + i, steepness + i, count - i, threshold, table, out + i);
}

const mk_scan_kernels mk_scan_avx2 = {
    .dot_groups = dot_groups,
    .scan = scan,
    .count_at_least = count_at_least,
    .keep_at_least = keep_at_least,
    .refine = refine,
    .yields = yields,
};
#endif
