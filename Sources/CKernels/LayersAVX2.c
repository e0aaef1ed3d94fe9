#include "Layers.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define TARGET __attribute__((target("popcnt,avx2,fma,f16c")))
#define INLINE static inline __attribute__((always_inline)) TARGET

INLINE uint8_t byte_of(float x, float factor, float offset, float fill) {
  __m128 value = _mm_set_ss(__builtin_fmaf(x == x ? x : fill, factor, offset));
  value = _mm_min_ss(_mm_max_ss(value, _mm_setzero_ps()), _mm_set_ss(255));
  return (uint8_t)_mm_cvtss_si32(value);
}

TARGET static void quantise(const float *x, size_t rows, size_t columns, const float *factor, const float *offset,
                            const float *fill, uint8_t *out, size_t out_stride) {
  const __m256 top = _mm256_set1_ps(255);
  for (size_t r = 0; r < rows; r++, x += columns, out += out_stride) {
    size_t c = 0;
    for (; c + 8 <= columns; c += 8) {
      __m256 value = _mm256_loadu_ps(x + c);
      value = _mm256_blendv_ps(value, _mm256_loadu_ps(fill + c), _mm256_cmp_ps(value, value, _CMP_UNORD_Q));
      value = _mm256_fmadd_ps(value, _mm256_loadu_ps(factor + c), _mm256_loadu_ps(offset + c));
      __m256i whole = _mm256_cvtps_epi32(_mm256_min_ps(_mm256_max_ps(value, _mm256_setzero_ps()), top));
      __m128i words = _mm_packs_epi32(_mm256_castsi256_si128(whole), _mm256_extracti128_si256(whole, 1));
      _mm_storel_epi64((__m128i *)(out + c), _mm_packus_epi16(words, words));
    }
    for (; c < columns; c++) out[c] = byte_of(x[c], factor[c], offset[c], fill[c]);
    memset(out + columns, 0, out_stride - columns);
  }
}

// Four bytes of a row as 16-bit numbers, four times: pairs of bytes would saturate.
INLINE __m256i word(const uint8_t *x) {
  int32_t four;
  memcpy(&four, x, sizeof four);
  return _mm256_cvtepu8_epi16(_mm_set1_epi32(four));
}

INLINE void dense_row(const uint8_t *x, size_t inputs, const int8_t *weights, const float *factor, const float *offset,
                      uint8_t *out) {
  // Four columns each, with two sums a column.
  __m256i pair[4];
  for (int i = 0; i < 4; i++) pair[i] = _mm256_setzero_si256();
  for (size_t k = 0; k < inputs; k += 4, weights += 4 * MK_PANEL) {
    __m256i four = word(x + k);
    for (int i = 0; i < 4; i++) {
      __m256i w = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(weights + i * 16)));
      pair[i] = _mm256_add_epi32(pair[i], _mm256_madd_epi16(four, w));
    }
  }
  for (int i = 0; i < 4; i += 2) {
    // Columns 0, 1, 4, 5 and 2, 3, 6, 7 come together; the middle parts change places.
    __m256i sum = _mm256_permute4x64_epi64(_mm256_hadd_epi32(pair[i], pair[i + 1]), 0xd8);
    __m256 value = _mm256_fmadd_ps(_mm256_cvtepi32_ps(sum), _mm256_loadu_ps(factor + i * 4), _mm256_loadu_ps(offset + i * 4));
    __m256i whole = _mm256_cvtps_epi32(value);
    __m128i words = _mm_packs_epi32(_mm256_castsi256_si128(whole), _mm256_extracti128_si256(whole, 1));
    _mm_storel_epi64((__m128i *)(out + i * 4), _mm_packus_epi16(words, words));
  }
}

TARGET static void dense(const uint8_t *x, size_t x_stride, size_t rows, size_t inputs, const int8_t *weights,
                         size_t columns, const float *factor, const float *offset, uint8_t *out, size_t out_stride) {
  for (size_t c = 0; c < columns; c += MK_PANEL)
    for (size_t r = 0; r < rows; r++)
      dense_row(x + r * x_stride, inputs, weights + c * inputs, factor + c, offset + c, out + r * out_stride + c);
}

TARGET static void last(const uint8_t *x, size_t x_stride, size_t rows, size_t inputs, const int8_t *weights,
                        float factor, float offset, float *out) {
  for (size_t r = 0; r < rows; r++, x += x_stride) {
    __m256i sums = _mm256_setzero_si256();
    for (size_t k = 0; k < inputs; k += 16) {
      __m256i bytes = _mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i *)(x + k)));
      __m256i w = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(weights + k)));
      sums = _mm256_add_epi32(sums, _mm256_madd_epi16(bytes, w));
    }
    __m128i four = _mm_add_epi32(_mm256_castsi256_si128(sums), _mm256_extracti128_si256(sums, 1));
    four = _mm_add_epi32(four, _mm_shuffle_epi32(four, 0x4e));
    four = _mm_add_epi32(four, _mm_shuffle_epi32(four, 0xb1));
    out[r] = __builtin_fmaf((float)_mm_cvtsi128_si32(four), factor, offset);
  }
}

const mk_layer_kernels mk_avx2_layers = {
    .name = "avx2", .level = MK_AVX2, .quantise = quantise, .dense = dense, .last = last};
#endif
