#include "Levels.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define TARGET __attribute__((target("popcnt,avx2,fma,f16c")))
#define INLINE static inline __attribute__((always_inline)) TARGET

INLINE int32_t sum_ints(__m256i v) {
  __m128i half = _mm_add_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
  half = _mm_add_epi32(half, _mm_shuffle_epi32(half, 0x4e));
  return _mm_cvtsi128_si32(_mm_add_epi32(half, _mm_shuffle_epi32(half, 0xb1)));
}

// Bytes times bytes in pairs would saturate 16 bits (255 × 127 × 2), so both are widened first.
TARGET static void dot_bytes(const uint8_t *rows, size_t stride, size_t count, const int8_t *query, size_t dims,
                             int32_t *out) {
  int32_t bias = 0;
  for (size_t d = 0; d < dims; d++) bias += query[d];
  bias *= 128;
  size_t whole = dims / 16 * 16;
  for (size_t i = 0; i < count; i += 4) {
    size_t group = count - i < 4 ? count - i : 4;
    const uint8_t *row[4];
    for (size_t j = 0; j < 4; j++) row[j] = rows + (i + (j < group ? j : 0)) * stride;
    __m256i sum[4] = {_mm256_setzero_si256(), _mm256_setzero_si256(), _mm256_setzero_si256(),
                      _mm256_setzero_si256()};
    for (size_t d = 0; d < whole; d += 16) {
      __m256i q = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(query + d)));
      for (size_t j = 0; j < 4; j++) {
        __m256i x = _mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i *)(row[j] + d)));
        sum[j] = _mm256_add_epi32(sum[j], _mm256_madd_epi16(x, q));
      }
    }
    for (size_t j = 0; j < group; j++) {
      int32_t total = sum_ints(sum[j]) - bias;
      for (size_t d = whole; d < dims; d++) total += (int32_t)row[j][d] * query[d];
      out[i + j] = total;
    }
  }
}

// Lanes 0-7 in `low`, 8-15 in `high`.
INLINE float fold(__m256 low, __m256 high) {
  __m256 eight = _mm256_add_ps(low, high);
  __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps(two, two, 1)));
}

INLINE __m256 load_halves(const uint16_t *in) { return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)in)); }

INLINE float dot_half_row(const uint16_t *row, const float *query, size_t dims) {
  __m256 low = _mm256_setzero_ps(), high = _mm256_setzero_ps();
  size_t whole = dims / 16 * 16;
  for (size_t d = 0; d < whole; d += 16) {
    low = _mm256_fmadd_ps(load_halves(row + d), _mm256_loadu_ps(query + d), low);
    high = _mm256_fmadd_ps(load_halves(row + d + 8), _mm256_loadu_ps(query + d + 8), high);
  }
  if (whole < dims) {
    uint16_t x[16] = {0};
    float q[16] = {0};
    memcpy(x, row + whole, (dims - whole) * sizeof *x);
    memcpy(q, query + whole, (dims - whole) * sizeof *q);
    low = _mm256_fmadd_ps(load_halves(x), _mm256_loadu_ps(q), low);
    high = _mm256_fmadd_ps(load_halves(x + 8), _mm256_loadu_ps(q + 8), high);
  }
  return fold(low, high);
}

TARGET static void dot_halves(const uint16_t *rows, size_t stride, size_t count, const float *query, size_t dims,
                              float *out) {
  for (size_t i = 0; i < count; i++) out[i] = dot_half_row(rows + i * stride, query, dims);
}

TARGET static void dot_halves_at(const uint16_t *rows, size_t stride, const uint32_t *indices, size_t count,
                                 const float *query, size_t dims, float *out) {
  const size_t ahead = 12;
  for (size_t i = 0; i < count; i++) {
    if (i + ahead < count) {
      const char *next = (const char *)(rows + indices[i + ahead] * stride);
      for (size_t line = 0; line < dims * 2; line += 64) _mm_prefetch(next + line, _MM_HINT_T0);
    }
    out[i] = dot_half_row(rows + indices[i] * stride, query, dims);
  }
}

TARGET static void dot_floats(const float *rows, size_t stride, size_t count, const float *query, size_t dims,
                              float *out) {
  size_t whole = dims / 16 * 16;
  for (size_t i = 0; i < count; i++) {
    const float *row = rows + i * stride;
    __m256 low = _mm256_setzero_ps(), high = _mm256_setzero_ps();
    for (size_t d = 0; d < whole; d += 16) {
      low = _mm256_fmadd_ps(_mm256_loadu_ps(row + d), _mm256_loadu_ps(query + d), low);
      high = _mm256_fmadd_ps(_mm256_loadu_ps(row + d + 8), _mm256_loadu_ps(query + d + 8), high);
    }
    if (whole < dims) {
      float x[16] = {0}, q[16] = {0};
      memcpy(x, row + whole, (dims - whole) * sizeof *x);
      memcpy(q, query + whole, (dims - whole) * sizeof *q);
      low = _mm256_fmadd_ps(_mm256_loadu_ps(x), _mm256_loadu_ps(q), low);
      high = _mm256_fmadd_ps(_mm256_loadu_ps(x + 8), _mm256_loadu_ps(q + 8), high);
    }
    out[i] = fold(low, high);
  }
}

TARGET static void halves_from_floats(const float *in, size_t count, uint16_t *out) {
  size_t i = 0;
  for (; i + 8 <= count; i += 8)
    _mm_storeu_si128((__m128i *)(out + i), _mm256_cvtps_ph(_mm256_loadu_ps(in + i), _MM_FROUND_TO_NEAREST_INT));
  for (; i < count; i++) out[i] = mk_half_from_float(in[i]);
}

TARGET static void floats_from_halves(const uint16_t *in, size_t count, float *out) {
  size_t i = 0;
  for (; i + 8 <= count; i += 8) _mm256_storeu_ps(out + i, load_halves(in + i));
  for (; i < count; i++) out[i] = mk_float_from_half(in[i]);
}

TARGET static void add_halves(const uint16_t *row, float weight, size_t dims, float *sum) {
  __m256 w = _mm256_set1_ps(weight);
  size_t d = 0;
  for (; d + 8 <= dims; d += 8)
    _mm256_storeu_ps(sum + d, _mm256_fmadd_ps(w, load_halves(row + d), _mm256_loadu_ps(sum + d)));
  for (; d < dims; d++) sum[d] = __builtin_fmaf(weight, mk_float_from_half(row[d]), sum[d]);
}

// `rows` × 16 outputs in registers; `rows` is a constant where this is inlined.
INLINE void tile(const float *x, size_t x_stride, size_t rows, size_t inputs, const float *panel,
                 const float *bias, __m256 (*sum)[2]) {
  for (size_t r = 0; r < rows; r++) {
    sum[r][0] = _mm256_loadu_ps(bias);
    sum[r][1] = _mm256_loadu_ps(bias + 8);
  }
  for (size_t k = 0; k < inputs; k++) {
    __m256 low = _mm256_loadu_ps(panel + k * MK_PANEL), high = _mm256_loadu_ps(panel + k * MK_PANEL + 8);
    for (size_t r = 0; r < rows; r++) {
      __m256 value = _mm256_broadcast_ss(x + r * x_stride + k);
      sum[r][0] = _mm256_fmadd_ps(value, low, sum[r][0]);
      sum[r][1] = _mm256_fmadd_ps(value, high, sum[r][1]);
    }
  }
}

INLINE void dense_rows(const float *x, size_t x_stride, size_t rows, size_t inputs, const float *panels,
                       const float *bias, size_t columns, int32_t relu, float *out, size_t out_stride) {
  for (size_t c = 0; c < columns; c += MK_PANEL) {
    __m256 sum[6][2];
    tile(x, x_stride, rows, inputs, panels + c * inputs, bias + c, sum);
    size_t width = columns - c < MK_PANEL ? columns - c : MK_PANEL;
    for (size_t r = 0; r < rows; r++) {
      if (relu) {
        sum[r][0] = _mm256_max_ps(sum[r][0], _mm256_setzero_ps());
        sum[r][1] = _mm256_max_ps(sum[r][1], _mm256_setzero_ps());
      }
      float *to = out + r * out_stride + c;
      if (width == MK_PANEL) {
        _mm256_storeu_ps(to, sum[r][0]);
        _mm256_storeu_ps(to + 8, sum[r][1]);
      } else {
        float held[MK_PANEL];
        _mm256_storeu_ps(held, sum[r][0]);
        _mm256_storeu_ps(held + 8, sum[r][1]);
        memcpy(to, held, width * sizeof *to);
      }
    }
  }
}

TARGET static void dense(const float *x, size_t x_stride, size_t rows, size_t inputs, const float *panels,
                         const float *bias, size_t columns, int32_t relu, float *out, size_t out_stride) {
  size_t r = 0;
  for (; r + 6 <= rows; r += 6)
    dense_rows(x + r * x_stride, x_stride, 6, inputs, panels, bias, columns, relu, out + r * out_stride, out_stride);
  for (; r < rows; r++)
    dense_rows(x + r * x_stride, x_stride, 1, inputs, panels, bias, columns, relu, out + r * out_stride, out_stride);
}

INLINE void nearest_rows(const float *x, size_t x_stride, size_t rows, size_t inputs, const float *panels,
                         const float *bias, size_t columns, uint32_t *column, float *value) {
  __m256 best[6][2];
  __m256i where[6][2];
  for (size_t r = 0; r < rows; r++) {
    for (size_t h = 0; h < 2; h++) {
      best[r][h] = _mm256_set1_ps(-__builtin_inff());
      where[r][h] = _mm256_setzero_si256();
    }
  }
  const __m256i lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  for (size_t c = 0; c < columns; c += MK_PANEL) {
    __m256 sum[6][2];
    tile(x, x_stride, rows, inputs, panels + c * inputs, bias + c, sum);
    for (size_t r = 0; r < rows; r++) {
      for (size_t h = 0; h < 2; h++) {
        __m256 better = _mm256_cmp_ps(sum[r][h], best[r][h], _CMP_GT_OQ);
        __m256i here = _mm256_add_epi32(_mm256_set1_epi32((int32_t)(c + 8 * h)), lanes);
        best[r][h] = _mm256_blendv_ps(best[r][h], sum[r][h], better);
        where[r][h] = _mm256_blendv_epi8(where[r][h], here, _mm256_castps_si256(better));
      }
    }
  }
  for (size_t r = 0; r < rows; r++) {
    float values[MK_PANEL];
    uint32_t columns_at[MK_PANEL];
    for (size_t h = 0; h < 2; h++) {
      _mm256_storeu_ps(values + 8 * h, best[r][h]);
      _mm256_storeu_si256((__m256i *)(columns_at + 8 * h), where[r][h]);
    }
    value[r] = values[0];
    column[r] = columns_at[0];
    for (size_t j = 1; j < MK_PANEL; j++) {
      if (values[j] > value[r] || (values[j] == value[r] && columns_at[j] < column[r])) {
        value[r] = values[j];
        column[r] = columns_at[j];
      }
    }
  }
}

TARGET static void nearest(const float *x, size_t x_stride, size_t rows, size_t inputs, const float *panels,
                           const float *bias, size_t columns, uint32_t *column, float *value) {
  size_t r = 0;
  for (; r + 6 <= rows; r += 6)
    nearest_rows(x + r * x_stride, x_stride, 6, inputs, panels, bias, columns, column + r, value + r);
  for (; r < rows; r++)
    nearest_rows(x + r * x_stride, x_stride, 1, inputs, panels, bias, columns, column + r, value + r);
}

TARGET static void normalise(const float *x, size_t rows, size_t columns, const float *mean, const float *scale,
                             float *out) {
  const __m256 limit = _mm256_set1_ps(MK_FEATURE_LIMIT), floor = _mm256_set1_ps(-MK_FEATURE_LIMIT);
  for (size_t r = 0; r < rows; r++, x += columns, out += columns) {
    size_t c = 0;
    for (; c + 8 <= columns; c += 8) {
      __m256 value = _mm256_mul_ps(_mm256_sub_ps(_mm256_loadu_ps(x + c), _mm256_loadu_ps(mean + c)),
                                   _mm256_loadu_ps(scale + c));
      __m256 number = _mm256_cmp_ps(value, value, _CMP_ORD_Q);
      value = _mm256_max_ps(_mm256_min_ps(value, limit), floor);
      _mm256_storeu_ps(out + c, _mm256_and_ps(value, number));
    }
    if (c < columns)
      mk_scalar_kernels.normalise(x + c, 1, columns - c, mean + c, scale + c, out + c);
  }
}

TARGET static size_t select_keys(const int32_t *dots, const float *scales, const uint32_t *ordinals, uint32_t first,
                                 size_t count, float threshold, const uint64_t *allowed, uint64_t *keys,
                                 size_t *passed) {
  const __m256 least = _mm256_set1_ps(threshold);
  size_t written = 0, open = 0, i = 0;
  for (; i + 8 <= count; i += 8) {
    unsigned pass = 0xff;
    if (allowed) {
      pass = 0;
      for (unsigned j = 0; j < 8; j++) pass |= (unsigned)mk_allows(allowed, first + ordinals[i + j]) << j;
    }
    open += (size_t)__builtin_popcount(pass);
    __m256 score = _mm256_mul_ps(_mm256_cvtepi32_ps(_mm256_loadu_si256((const __m256i *)(dots + i))),
                                 _mm256_loadu_ps(scales + i));
    pass &= (unsigned)_mm256_movemask_ps(_mm256_cmp_ps(score, least, _CMP_GE_OQ));
    if (!pass) continue;
    float scores[8];
    _mm256_storeu_ps(scores, score);
    for (; pass; pass &= pass - 1) {
      unsigned j = (unsigned)__builtin_ctz(pass);
      keys[written++] = mk_key(scores[j], first + ordinals[i + j]);
    }
  }
  size_t rest;
  written += mk_scalar_kernels.select(dots + i, scales + i, ordinals + i, first, count - i, threshold, allowed,
                                      keys + written, &rest);
  *passed = open + rest;
  return written;
}

TARGET static uint64_t count_bits(const uint64_t *words, size_t count) {
  uint64_t bits = 0;
  for (size_t i = 0; i < count; i++) bits += (uint64_t)__builtin_popcountll(words[i]);
  return bits;
}

const mk_kernels mk_avx2_kernels = {
    .name = "avx2",
    .level = MK_AVX2,
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
