#include "Levels.h"
#include "ScanLevels.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define TARGET __attribute__((target("popcnt,avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")))
#define INLINE static inline __attribute__((always_inline)) TARGET

INLINE __mmask16 lanes_below(size_t count) { return count >= 16 ? 0xffff : (__mmask16)((1u << count) - 1); }

// One word of the query, four dimensions, for all 16 titles.
INLINE __m512i word(const int8_t *bytes, size_t index) {
  int32_t four;
  memcpy(&four, bytes + index * 4, sizeof four);
  return _mm512_set1_epi32(four);
}

// High and low bytes of the weights are multiplied apart, and put together at the end.
INLINE __m512i joined(__m512i high, __m512i low) { return _mm512_add_epi32(_mm512_slli_epi32(high, 7), low); }

// Two groups side by side: each word of the query is loaded once for both.
INLINE void two_groups(const mk_query *query, const uint8_t *codes, size_t words, __m512i start, __m512i *sums) {
  const uint8_t *other = codes + words * 64;
  __m512i high0 = _mm512_setzero_si512(), high1 = high0, low0 = start, low1 = start;
  for (size_t w = 0; w < words; w++) {
    __m512i high = word(query->high, w), low = word(query->low, w);
    __m512i code0 = _mm512_loadu_si512(codes + w * 64), code1 = _mm512_loadu_si512(other + w * 64);
    high0 = _mm512_dpbusd_epi32(high0, code0, high);
    high1 = _mm512_dpbusd_epi32(high1, code1, high);
    low0 = _mm512_dpbusd_epi32(low0, code0, low);
    low1 = _mm512_dpbusd_epi32(low1, code1, low);
  }
  sums[0] = joined(high0, low0);
  sums[1] = joined(high1, low1);
}

INLINE __m512i one_group(const mk_query *query, const uint8_t *codes, size_t words, __m512i start) {
  __m512i high = _mm512_setzero_si512(), low = start;
  for (size_t w = 0; w < words; w++) {
    __m512i code = _mm512_loadu_si512(codes + w * 64);
    high = _mm512_dpbusd_epi32(high, code, word(query->high, w));
    low = _mm512_dpbusd_epi32(low, code, word(query->low, w));
  }
  return joined(high, low);
}

TARGET static void dot_groups(const mk_query *query, const uint8_t *codes, size_t groups, int32_t *out) {
  size_t words = (size_t)query->dims / 4, g = 0;
  const __m512i start = _mm512_set1_epi32(-query->bias);
  for (; g + 2 <= groups; g += 2) {
    __m512i sums[2];
    two_groups(query, codes + g * words * 64, words, start, sums);
    _mm512_storeu_si512(out + g * 16, sums[0]);
    _mm512_storeu_si512(out + g * 16 + 16, sums[1]);
  }
  if (g < groups) _mm512_storeu_si512(out + g * 16, one_group(query, codes + g * words * 64, words, start));
}

INLINE __mmask16 allowed_lanes(__mmask16 mask, mk_scan_filter *filter, size_t i) {
  __m512i ordinals = _mm512_add_epi32(_mm512_maskz_loadu_epi32(mask, filter->ordinals + i),
                                      _mm512_set1_epi32((int32_t)filter->first));
  // As 32-bit words: the bytes are little-endian, so bit n of the bitmap is bit n % 32 of word n / 32.
  __m512i words = _mm512_mask_i32gather_epi32(_mm512_setzero_si512(), mask, _mm512_srli_epi32(ordinals, 5),
                                              (const int *)filter->words, 4);
  __m512i bits = _mm512_sllv_epi32(_mm512_set1_epi32(1), _mm512_and_si512(ordinals, _mm512_set1_epi32(31)));
  __mmask16 allowed = _mm512_mask_test_epi32_mask(mask, words, bits);
  filter->asked += (uint64_t)__builtin_popcount(mask);
  filter->passed += (uint64_t)__builtin_popcount(allowed);
  return allowed;
}

// Writes the lanes of `sum` that are good enough; returns how many.
INLINE size_t take(__m512i sum, __m512i threshold, __mmask16 lanes, size_t i, uint32_t first_slot,
                   mk_scan_filter *filter, int32_t *scores, uint32_t *slots) {
  const __m512i numbers = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  __mmask16 good = _mm512_mask_cmpgt_epi32_mask(lanes, sum, threshold);
  if (!good) return 0;
  if (filter && !(good = allowed_lanes(good, filter, i))) return 0;
  __m512i slot = _mm512_add_epi32(numbers, _mm512_set1_epi32((int32_t)(first_slot + (uint32_t)i)));
  // Compressed in registers: compressing to memory is slow on some processors.
  _mm512_storeu_si512(scores, _mm512_maskz_compress_epi32(good, sum));
  _mm512_storeu_si512(slots, _mm512_maskz_compress_epi32(good, slot));
  return (size_t)__builtin_popcount(good);
}

// Into the second cache: the first has too few misses in flight at a time, and gave a quarter less.
INLINE void fetch(const uint8_t *ahead, size_t bytes) {
  for (size_t byte = 0; byte < bytes; byte += 64) _mm_prefetch((const char *)ahead + byte, _MM_HINT_T1);
}

INLINE void fetch_row(const uint8_t *row, size_t bytes) {
  for (size_t byte = 0; byte < bytes; byte += 64) _mm_prefetch((const char *)row + byte, _MM_HINT_T0);
}

INLINE size_t scan_words(const mk_query *query, const uint8_t *codes, size_t words, size_t count, int32_t threshold,
                         uint32_t first_slot, mk_scan_filter *filter, const uint8_t *ahead, size_t ahead_bytes,
                         int32_t *scores, uint32_t *slots) {
  const __m512i start = _mm512_set1_epi32(-query->bias), least = _mm512_set1_epi32(threshold);
  size_t group_bytes = words * 64, written = 0, i = 0;
  for (; i + 16 < count; i += 32) {
    size_t fetched = i / 16 * group_bytes;
    if (fetched + 2 * group_bytes <= ahead_bytes) fetch(ahead + fetched, 2 * group_bytes);
    __m512i sums[2];
    two_groups(query, codes + fetched, words, start, sums);
    written += take(sums[0], least, 0xffff, i, first_slot, filter, scores + written, slots + written);
    written += take(sums[1], least, lanes_below(count - i - 16), i + 16, first_slot, filter, scores + written,
                    slots + written);
  }
  if (i < count) {
    __m512i sum = one_group(query, codes + i / 16 * group_bytes, words, start);
    written += take(sum, least, lanes_below(count - i), i, first_slot, filter, scores + written, slots + written);
  }
  return written;
}

TARGET static size_t scan(const mk_query *query, const uint8_t *codes, size_t count, int32_t threshold,
                          uint32_t first_slot, mk_scan_filter *filter, const uint8_t *ahead, size_t ahead_bytes,
                          int32_t *scores, uint32_t *slots) {
  size_t words = (size_t)query->dims / 4;
  // With the number of words known the loops over them are laid out flat.
  switch (words) {
#define WORDS(n)                                                                                              \
  case n:                                                                                                     \
    return scan_words(query, codes, n, count, threshold, first_slot, filter, ahead, ahead_bytes, scores, slots);
    WORDS(8)
    WORDS(9)
    WORDS(10)
    WORDS(12)
#undef WORDS
    default:
      return scan_words(query, codes, words, count, threshold, first_slot, filter, ahead, ahead_bytes, scores,
                        slots);
  }
}

TARGET static size_t count_at_least(const int32_t *scores, size_t count, int32_t least) {
  const __m512i limit = _mm512_set1_epi32(least);
  size_t reached = 0, i = 0;
  for (; i + 64 <= count; i += 64) {
    uint64_t a = _mm512_cmpge_epi32_mask(_mm512_loadu_si512(scores + i), limit);
    uint64_t b = _mm512_cmpge_epi32_mask(_mm512_loadu_si512(scores + i + 16), limit);
    uint64_t c = _mm512_cmpge_epi32_mask(_mm512_loadu_si512(scores + i + 32), limit);
    uint64_t d = _mm512_cmpge_epi32_mask(_mm512_loadu_si512(scores + i + 48), limit);
    reached += (size_t)__builtin_popcountll(a | b << 16 | c << 32 | d << 48);
  }
  for (; i < count; i += 16) {
    __mmask16 mask = lanes_below(count - i);
    __m512i some = _mm512_maskz_loadu_epi32(mask, scores + i);
    reached += (size_t)__builtin_popcount(_mm512_mask_cmpge_epi32_mask(mask, some, limit));
  }
  return reached;
}

TARGET static size_t keep_at_least(int32_t *scores, uint32_t *slots, size_t count, int32_t least) {
  const __m512i limit = _mm512_set1_epi32(least);
  size_t kept = 0;
  for (size_t i = 0; i < count; i += 16) {
    __mmask16 mask = lanes_below(count - i);
    __m512i score = _mm512_maskz_loadu_epi32(mask, scores + i), slot = _mm512_maskz_loadu_epi32(mask, slots + i);
    __mmask16 good = _mm512_mask_cmpge_epi32_mask(mask, score, limit);
    // What is written lies before what is still to be read; the last store must not go beyond the end.
    __mmask16 first = lanes_below((size_t)__builtin_popcount(good));
    _mm512_mask_storeu_epi32(scores + kept, first, _mm512_maskz_compress_epi32(good, score));
    _mm512_mask_storeu_epi32(slots + kept, first, _mm512_maskz_compress_epi32(good, slot));
    kept += (size_t)__builtin_popcount(good);
  }
  return kept;
}

// Four vectors to four sums.
INLINE __m128i sum_four(const __m512i *v) {
  __m512i even = _mm512_add_epi32(_mm512_unpacklo_epi32(v[0], v[1]), _mm512_unpackhi_epi32(v[0], v[1]));
  __m512i odd = _mm512_add_epi32(_mm512_unpacklo_epi32(v[2], v[3]), _mm512_unpackhi_epi32(v[2], v[3]));
  __m512i four = _mm512_add_epi32(_mm512_unpacklo_epi64(even, odd), _mm512_unpackhi_epi64(even, odd));
  __m256i half = _mm256_add_epi32(_mm512_castsi512_si256(four), _mm512_extracti64x4_epi64(four, 1));
  return _mm_add_epi32(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1));
}

TARGET static void refine(const mk_query *query, const uint8_t *rows, size_t stride, const uint32_t *slots,
                          const int32_t *scores, size_t count, float unit, float row_unit, float *out) {
  const size_t ahead = 12;
  const __m128i bias = _mm_set1_epi32(query->bias);
  for (size_t i = 0; i < ahead && i < count; i++) fetch_row(rows + slots[i] * stride, stride);
  for (size_t i = 0; i < count; i += 4) {
    size_t group = count - i < 4 ? count - i : 4;
    const uint8_t *row[4];
    __m512i high[4], low[4];
    for (size_t j = 0; j < 4; j++) {
      row[j] = rows + slots[i + (j < group ? j : 0)] * stride;
      if (i + j + ahead < count) fetch_row(rows + slots[i + j + ahead] * stride, stride);
      high[j] = low[j] = _mm512_setzero_si512();
    }
    for (size_t d = 0; d < stride; d += 64) {
      __m512i h = _mm512_loadu_si512(query->high + d), l = _mm512_loadu_si512(query->low + d);
      for (size_t j = 0; j < 4; j++) {
        __m512i bytes = _mm512_loadu_si512(row[j] + d);
        high[j] = _mm512_dpbusd_epi32(high[j], bytes, h);
        low[j] = _mm512_dpbusd_epi32(low[j], bytes, l);
      }
    }
    for (size_t j = 0; j < 4; j++) high[j] = joined(high[j], low[j]);
    __m128 sums = _mm_cvtepi32_ps(_mm_sub_epi32(sum_four(high), bias));
    __mmask8 lanes = (__mmask8)lanes_below(group);
    __m128 first = _mm_cvtepi32_ps(_mm_maskz_loadu_epi32(lanes, scores + i));
    __m128 total = _mm_fmadd_ps(first, _mm_set1_ps(unit), _mm_mul_ps(sums, _mm_set1_ps(row_unit)));
    _mm_mask_storeu_ps(out + i, lanes, total);
  }
}

TARGET static void yields(const int32_t *scores, const float *titles, const float *steepness, size_t count,
                          int32_t threshold, const float *table, float *out) {
  const __m512i least = _mm512_set1_epi32(threshold);
  const __m512 edge = _mm512_set1_ps(MK_YIELD_STEPS * MK_YIELD_SPAN), bottom = _mm512_set1_ps(-MK_YIELD_STEPS * MK_YIELD_SPAN);
  for (size_t i = 0; i < count; i += 16) {
    __mmask16 mask = lanes_below(count - i);
    __m512 above = _mm512_cvtepi32_ps(_mm512_sub_epi32(_mm512_maskz_loadu_epi32(mask, scores + i), least));
    __m512 step = _mm512_mul_ps(above, _mm512_maskz_loadu_ps(mask, steepness + i));
    // The second operand is what comes out when the first is no number.
    step = _mm512_min_ps(_mm512_max_ps(step, bottom), edge);
    __m512i place = _mm512_cvttps_epi32(_mm512_add_ps(step, edge));
    __m512 share = _mm512_i32gather_ps(place, table, 4);
    _mm512_mask_storeu_ps(out + i, mask, _mm512_mul_ps(_mm512_maskz_loadu_ps(mask, titles + i), share));
  }
}

const mk_scan_kernels mk_scan_avx512 = {
    .dot_groups = dot_groups,
    .scan = scan,
    .count_at_least = count_at_least,
    .keep_at_least = keep_at_least,
    .refine = refine,
    .yields = yields,
};
#endif
