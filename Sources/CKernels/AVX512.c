#include "Levels.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define TARGET __attribute__((target("popcnt,avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")))
#define INLINE static inline __attribute__((always_inline)) TARGET

INLINE __mmask16 lanes_below(size_t count) { return count >= 16 ? 0xffff : (__mmask16)((1u << count) - 1); }

// Eight vectors to eight sums: pairs are added and interleaved until one vector is left.
INLINE __m256i sum_eight(const __m512i *v) {
  __m512i pair[4], four[2];
  for (int i = 0; i < 4; i++)
    pair[i] = _mm512_add_epi32(_mm512_unpacklo_epi32(v[2 * i], v[2 * i + 1]),
                               _mm512_unpackhi_epi32(v[2 * i], v[2 * i + 1]));
  for (int i = 0; i < 2; i++)
    four[i] = _mm512_add_epi32(_mm512_unpacklo_epi64(pair[2 * i], pair[2 * i + 1]),
                               _mm512_unpackhi_epi64(pair[2 * i], pair[2 * i + 1]));
  __m512i both = _mm512_add_epi32(_mm512_shuffle_i32x4(four[0], four[1], 0x44),
                                  _mm512_shuffle_i32x4(four[0], four[1], 0xee));
  // Parts 0 and 1 belong to the first four sums, 2 and 3 to the others.
  __m512i turned = _mm512_shuffle_i32x4(both, both, 0xb1);
  __m512i sums = _mm512_add_epi32(both, turned);
  return _mm256_inserti128_si256(_mm512_castsi512_si256(sums), _mm512_extracti32x4_epi32(sums, 2), 1);
}

TARGET static void dot_bytes(const uint8_t *rows, size_t stride, size_t count, const int8_t *query, size_t dims,
                             int32_t *out) {
  int32_t bias = 0;
  for (size_t d = 0; d < dims; d++) bias += query[d];
  const __m256i correction = _mm256_set1_epi32(bias * 128);
  size_t whole = dims / 64 * 64;
  __mmask64 tail = ((uint64_t)1 << (dims - whole)) - 1;
  for (size_t i = 0; i < count; i += 8) {
    size_t group = count - i < 8 ? count - i : 8;
    const uint8_t *row[8];
    for (size_t j = 0; j < 8; j++) row[j] = rows + (i + (j < group ? j : 0)) * stride;
    __m512i sum[8];
    for (int j = 0; j < 8; j++) sum[j] = _mm512_setzero_si512();
    for (size_t d = 0; d < whole; d += 64) {
      __m512i q = _mm512_loadu_si512(query + d);
      for (int j = 0; j < 8; j++) sum[j] = _mm512_dpbusd_epi32(sum[j], _mm512_loadu_si512(row[j] + d), q);
    }
    if (tail) {
      __m512i q = _mm512_maskz_loadu_epi8(tail, query + whole);
      for (int j = 0; j < 8; j++)
        sum[j] = _mm512_dpbusd_epi32(sum[j], _mm512_maskz_loadu_epi8(tail, row[j] + whole), q);
    }
    __m256i result = _mm256_sub_epi32(sum_eight(sum), correction);
    if (group == 8)
      _mm256_storeu_si256((__m256i *)(out + i), result);
    else
      _mm256_mask_storeu_epi32(out + i, (__mmask8)lanes_below(group), result);
  }
}

INLINE float fold(__m512 lanes) {
  __m256 eight = _mm256_add_ps(_mm512_castps512_ps256(lanes), _mm512_extractf32x8_ps(lanes, 1));
  __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps(two, two, 1)));
}

INLINE __m512 load_halves(const uint16_t *in) { return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)in)); }

INLINE __m512 load_some_halves(__mmask16 mask, const uint16_t *in) {
  return _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(mask, in));
}

// Four rows at a time, so that their chains of additions overlap.
INLINE void dot_four_halves(const uint16_t *const *row, const float *query, size_t dims, float *out) {
  __m512 sum[4];
  for (int j = 0; j < 4; j++) sum[j] = _mm512_setzero_ps();
  size_t d = 0;
  for (; d + 16 <= dims; d += 16) {
    __m512 q = _mm512_loadu_ps(query + d);
    for (int j = 0; j < 4; j++) sum[j] = _mm512_fmadd_ps(load_halves(row[j] + d), q, sum[j]);
  }
  if (d < dims) {
    __mmask16 mask = lanes_below(dims - d);
    __m512 q = _mm512_maskz_loadu_ps(mask, query + d);
    for (int j = 0; j < 4; j++) sum[j] = _mm512_fmadd_ps(load_some_halves(mask, row[j] + d), q, sum[j]);
  }
  for (int j = 0; j < 4; j++) out[j] = fold(sum[j]);
}

TARGET static void dot_halves(const uint16_t *rows, size_t stride, size_t count, const float *query, size_t dims,
                              float *out) {
  for (size_t i = 0; i < count; i += 4) {
    size_t group = count - i < 4 ? count - i : 4;
    const uint16_t *row[4];
    float result[4];
    for (size_t j = 0; j < 4; j++) row[j] = rows + (i + (j < group ? j : 0)) * stride;
    dot_four_halves(row, query, dims, result);
    memcpy(out + i, result, group * sizeof *out);
  }
}

TARGET static void dot_halves_at(const uint16_t *rows, size_t stride, const uint32_t *indices, size_t count,
                                 const float *query, size_t dims, float *out) {
  const size_t ahead = 16;
  for (size_t i = 0; i < count; i += 4) {
    size_t group = count - i < 4 ? count - i : 4;
    const uint16_t *row[4];
    float result[4];
    for (size_t j = 0; j < 4; j++) {
      row[j] = rows + indices[i + (j < group ? j : 0)] * stride;
      if (i + j + ahead < count) {
        const char *next = (const char *)(rows + indices[i + j + ahead] * stride);
        for (size_t line = 0; line < dims * 2; line += 64) _mm_prefetch(next + line, _MM_HINT_T0);
      }
    }
    dot_four_halves(row, query, dims, result);
    memcpy(out + i, result, group * sizeof *out);
  }
}

TARGET static void dot_floats(const float *rows, size_t stride, size_t count, const float *query, size_t dims,
                              float *out) {
  for (size_t i = 0; i < count; i++) {
    const float *row = rows + i * stride;
    __m512 sum = _mm512_setzero_ps();
    size_t d = 0;
    for (; d + 16 <= dims; d += 16)
      sum = _mm512_fmadd_ps(_mm512_loadu_ps(row + d), _mm512_loadu_ps(query + d), sum);
    if (d < dims) {
      __mmask16 mask = lanes_below(dims - d);
      sum = _mm512_fmadd_ps(_mm512_maskz_loadu_ps(mask, row + d), _mm512_maskz_loadu_ps(mask, query + d), sum);
    }
    out[i] = fold(sum);
  }
}

TARGET static void halves_from_floats(const float *in, size_t count, uint16_t *out) {
  for (size_t i = 0; i < count; i += 16) {
    __mmask16 mask = lanes_below(count - i);
    _mm256_mask_storeu_epi16(out + i, mask,
                             _mm512_cvtps_ph(_mm512_maskz_loadu_ps(mask, in + i), _MM_FROUND_TO_NEAREST_INT));
  }
}

TARGET static void floats_from_halves(const uint16_t *in, size_t count, float *out) {
  for (size_t i = 0; i < count; i += 16) {
    __mmask16 mask = lanes_below(count - i);
    _mm512_mask_storeu_ps(out + i, mask, load_some_halves(mask, in + i));
  }
}

TARGET static void add_halves(const uint16_t *row, float weight, size_t dims, float *sum) {
  __m512 w = _mm512_set1_ps(weight);
  for (size_t d = 0; d < dims; d += 16) {
    __mmask16 mask = lanes_below(dims - d);
    __m512 total = _mm512_fmadd_ps(w, load_some_halves(mask, row + d), _mm512_maskz_loadu_ps(mask, sum + d));
    _mm512_mask_storeu_ps(sum + d, mask, total);
  }
}

// `rows` × `panels` × 16 outputs in registers; both are constants where this is inlined.
INLINE void tile(const float *x, size_t x_stride, size_t rows, size_t panels, size_t inputs, const float *w,
                 const float *bias, __m512 (*sum)[2]) {
  for (size_t r = 0; r < rows; r++)
    for (size_t p = 0; p < panels; p++) sum[r][p] = _mm512_loadu_ps(bias + p * MK_PANEL);
  for (size_t k = 0; k < inputs; k++) {
    __m512 column[2];
    for (size_t p = 0; p < panels; p++) column[p] = _mm512_loadu_ps(w + (p * inputs + k) * MK_PANEL);
    for (size_t r = 0; r < rows; r++) {
      __m512 value = _mm512_set1_ps(x[r * x_stride + k]);
      for (size_t p = 0; p < panels; p++) sum[r][p] = _mm512_fmadd_ps(value, column[p], sum[r][p]);
    }
  }
}

INLINE void dense_tile(const float *x, size_t x_stride, size_t rows, size_t panels, size_t inputs, const float *w,
                       const float *bias, size_t columns, int32_t relu, float *out, size_t out_stride) {
  __m512 sum[8][2];
  tile(x, x_stride, rows, panels, inputs, w, bias, sum);
  for (size_t p = 0; p < panels; p++) {
    __mmask16 mask = lanes_below(columns - p * MK_PANEL);
    for (size_t r = 0; r < rows; r++) {
      __m512 value = relu ? _mm512_max_ps(sum[r][p], _mm512_setzero_ps()) : sum[r][p];
      _mm512_mask_storeu_ps(out + r * out_stride + p * MK_PANEL, mask, value);
    }
  }
}

INLINE void dense_rows(const float *x, size_t x_stride, size_t rows, size_t inputs, const float *panels,
                       const float *bias, size_t columns, int32_t relu, float *out, size_t out_stride) {
  size_t c = 0;
  for (; c + MK_PANEL < columns; c += 2 * MK_PANEL)
    dense_tile(x, x_stride, rows, 2, inputs, panels + c * inputs, bias + c, columns - c, relu, out + c, out_stride);
  if (c < columns)
    dense_tile(x, x_stride, rows, 1, inputs, panels + c * inputs, bias + c, columns - c, relu, out + c, out_stride);
}

TARGET static void dense(const float *x, size_t x_stride, size_t rows, size_t inputs, const float *panels,
                         const float *bias, size_t columns, int32_t relu, float *out, size_t out_stride) {
  size_t r = 0;
  for (; r + 8 <= rows; r += 8)
    dense_rows(x + r * x_stride, x_stride, 8, inputs, panels, bias, columns, relu, out + r * out_stride, out_stride);
  for (; r < rows; r++)
    dense_rows(x + r * x_stride, x_stride, 1, inputs, panels, bias, columns, relu, out + r * out_stride, out_stride);
}

INLINE void nearest_panels(const float *x, size_t x_stride, size_t rows, size_t panels, size_t inputs,
                           const float *w, const float *bias, size_t c, __m512 *best, __m512i *where) {
  const __m512i lanes = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  __m512 sum[8][2];
  tile(x, x_stride, rows, panels, inputs, w + c * inputs, bias + c, sum);
  for (size_t p = 0; p < panels; p++) {
    __m512i here = _mm512_add_epi32(_mm512_set1_epi32((int32_t)(c + p * MK_PANEL)), lanes);
    for (size_t r = 0; r < rows; r++) {
      __mmask16 better = _mm512_cmp_ps_mask(sum[r][p], best[r], _CMP_GT_OQ);
      best[r] = _mm512_mask_mov_ps(best[r], better, sum[r][p]);
      where[r] = _mm512_mask_mov_epi32(where[r], better, here);
    }
  }
}

INLINE void nearest_rows(const float *x, size_t x_stride, size_t rows, size_t inputs, const float *panels,
                         const float *bias, size_t columns, uint32_t *column, float *value) {
  __m512 best[8];
  __m512i where[8];
  for (size_t r = 0; r < rows; r++) {
    best[r] = _mm512_set1_ps(-__builtin_inff());
    where[r] = _mm512_setzero_si512();
  }
  size_t c = 0;
  for (; c + MK_PANEL < columns; c += 2 * MK_PANEL)
    nearest_panels(x, x_stride, rows, 2, inputs, panels, bias, c, best, where);
  if (c < columns) nearest_panels(x, x_stride, rows, 1, inputs, panels, bias, c, best, where);
  for (size_t r = 0; r < rows; r++) {
    float highest = _mm512_reduce_max_ps(best[r]);
    __mmask16 equal = _mm512_cmp_ps_mask(best[r], _mm512_set1_ps(highest), _CMP_EQ_OQ);
    value[r] = highest;
    column[r] = _mm512_mask_reduce_min_epu32(equal, where[r]);
  }
}

TARGET static void nearest(const float *x, size_t x_stride, size_t rows, size_t inputs, const float *panels,
                           const float *bias, size_t columns, uint32_t *column, float *value) {
  size_t r = 0;
  for (; r + 8 <= rows; r += 8)
    nearest_rows(x + r * x_stride, x_stride, 8, inputs, panels, bias, columns, column + r, value + r);
  for (; r < rows; r++)
    nearest_rows(x + r * x_stride, x_stride, 1, inputs, panels, bias, columns, column + r, value + r);
}

TARGET static void normalise(const float *x, size_t rows, size_t columns, const float *mean, const float *scale,
                             float *out) {
  const __m512 limit = _mm512_set1_ps(MK_FEATURE_LIMIT), floor = _mm512_set1_ps(-MK_FEATURE_LIMIT);
  for (size_t r = 0; r < rows; r++, x += columns, out += columns) {
    for (size_t c = 0; c < columns; c += 16) {
      __mmask16 mask = lanes_below(columns - c);
      __m512 value = _mm512_mul_ps(
          _mm512_sub_ps(_mm512_maskz_loadu_ps(mask, x + c), _mm512_maskz_loadu_ps(mask, mean + c)),
          _mm512_maskz_loadu_ps(mask, scale + c));
      __mmask16 number = _mm512_cmp_ps_mask(value, value, _CMP_ORD_Q);
      value = _mm512_maskz_max_ps(number, _mm512_min_ps(value, limit), floor);
      _mm512_mask_storeu_ps(out + c, mask, value);
    }
  }
}

INLINE __mmask16 allowed_lanes(__mmask16 mask, const uint64_t *allowed, __m512i ordinals) {
  // As 32-bit words: the bytes are little-endian, so bit n of the bitmap is bit n % 32 of word n / 32.
  __m512i words = _mm512_mask_i32gather_epi32(_mm512_setzero_si512(), mask, _mm512_srli_epi32(ordinals, 5),
                                              (const int *)allowed, 4);
  __m512i bits = _mm512_sllv_epi32(_mm512_set1_epi32(1), _mm512_and_si512(ordinals, _mm512_set1_epi32(31)));
  return _mm512_mask_test_epi32_mask(mask, words, bits);
}

// Score bits in an order that unsigned numbers share; see mk_key.
INLINE __m512i ordered(__m512 score) {
  __m512i bits = _mm512_castps_si512(_mm512_add_ps(score, _mm512_setzero_ps()));
  return _mm512_xor_si512(
      bits, _mm512_or_si512(_mm512_srai_epi32(bits, 31), _mm512_set1_epi32((int32_t)0x80000000)));
}

INLINE __m512i keys_of(__m256i scores, __m256i inverted) {
  return _mm512_or_si512(_mm512_slli_epi64(_mm512_cvtepu32_epi64(scores), 32), _mm512_cvtepu32_epi64(inverted));
}

TARGET static size_t select_keys(const int32_t *dots, const float *scales, const uint32_t *ordinals, uint32_t first,
                                 size_t count, float threshold, const uint64_t *allowed, uint64_t *keys,
                                 size_t *passed) {
  const __m512 least = _mm512_set1_ps(threshold);
  const __m512i offset = _mm512_set1_epi32((int32_t)first);
  size_t written = 0, open = 0;
  for (size_t i = 0; i < count; i += 16) {
    __mmask16 mask = lanes_below(count - i);
    __m512i ordinal = _mm512_add_epi32(_mm512_maskz_loadu_epi32(mask, ordinals + i), offset);
    if (allowed) mask = allowed_lanes(mask, allowed, ordinal);
    open += (size_t)__builtin_popcount(mask);
    __m512 score = _mm512_mul_ps(_mm512_cvtepi32_ps(_mm512_maskz_loadu_epi32(mask, dots + i)),
                                 _mm512_maskz_loadu_ps(mask, scales + i));
    __mmask16 chosen = _mm512_mask_cmp_ps_mask(mask, score, least, _CMP_GE_OQ);
    if (!chosen) continue;
    // Compressed in registers: compressing to memory is slow on some processors.
    __m512i packed = _mm512_maskz_compress_epi32(chosen, ordered(score));
    __m512i inverted =
        _mm512_maskz_compress_epi32(chosen, _mm512_xor_si512(ordinal, _mm512_set1_epi32(-1)));
    _mm512_storeu_si512(keys + written,
                        keys_of(_mm512_castsi512_si256(packed), _mm512_castsi512_si256(inverted)));
    _mm512_storeu_si512(keys + written + 8, keys_of(_mm512_extracti64x4_epi64(packed, 1),
                                                    _mm512_extracti64x4_epi64(inverted, 1)));
    written += (size_t)__builtin_popcount(chosen);
  }
  *passed = open;
  return written;
}

TARGET static uint64_t count_bits(const uint64_t *words, size_t count) {
  uint64_t bits = 0;
  for (size_t i = 0; i < count; i++) bits += (uint64_t)__builtin_popcountll(words[i]);
  return bits;
}

const mk_kernels mk_avx512_kernels = {
    .name = "avx512",
    .level = MK_AVX512,
    .dot_bytes = dot_bytes,
    .dot_halves = dot_halves,
    .dot_halves_at = dot_halves_at,
    .dot_floats = dot_floats,
    .halves_from_floats = halves_from_floats,
    .floats_from_halves = floats_from_halves,
    .add_halves = add_halves,
    .dense = dense,
    .nearest = nearest,
    .normalise = normalise,
    .select = select_keys,
    .count_bits = count_bits,
};
#endif
