#include "Layers.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define TARGET __attribute__((target("popcnt,avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")))
#define INLINE static inline __attribute__((always_inline)) TARGET

INLINE __m128i bytes_of(__m512 value) {
  value = _mm512_min_ps(_mm512_max_ps(value, _mm512_setzero_ps()), _mm512_set1_ps(255));
  return _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(value));
}

TARGET static void quantise(const float *x, size_t rows, size_t columns, const float *factor, const float *offset,
                            const float *fill, uint8_t *out, size_t out_stride) {
  for (size_t r = 0; r < rows; r++, x += columns, out += out_stride) {
    for (size_t c = 0; c < out_stride; c += 16) {
      size_t left = c < columns ? columns - c : 0;
      __mmask16 mask = left >= 16 ? 0xffff : (__mmask16)((1u << left) - 1);
      __m512 value = _mm512_maskz_loadu_ps(mask, x + c);
      __mmask16 missing = _mm512_cmp_ps_mask(value, value, _CMP_UNORD_Q);
      value = _mm512_mask_loadu_ps(value, missing, fill + c);
      value = _mm512_fmadd_ps(value, _mm512_maskz_loadu_ps(mask, factor + c), _mm512_maskz_loadu_ps(mask, offset + c));
      _mm_storeu_si128((__m128i *)(out + c), bytes_of(value));
    }
  }
}

INLINE __m512i word(const uint8_t *x) {
  int32_t four;
  memcpy(&four, x, sizeof four);
  return _mm512_set1_epi32(four);
}

INLINE __m512i rounded(__m512i sum, const float *factor, const float *offset) {
  return _mm512_cvtps_epi32(
      _mm512_fmadd_ps(_mm512_cvtepi32_ps(sum), _mm512_loadu_ps(factor), _mm512_loadu_ps(offset)));
}

// `tile` rows times `panels` panels of outputs, their sums in registers.
INLINE void dense_tile(int tile, int panels, const uint8_t *x, size_t x_stride, size_t inputs, const int8_t *weights,
                       const float *factor, const float *offset, uint8_t *out, size_t out_stride) {
  __m512i sum[24];
  for (int i = 0; i < tile * panels; i++) sum[i] = _mm512_setzero_si512();
  for (size_t k = 0; k < inputs; k += 4, weights += 4 * MK_PANEL) {
    __m512i w[4];
    for (int p = 0; p < panels; p++) w[p] = _mm512_loadu_si512(weights + (size_t)p * MK_PANEL * inputs);
    for (int r = 0; r < tile; r++) {
      __m512i four = word(x + (size_t)r * x_stride + k);
      for (int p = 0; p < panels; p++) sum[r * panels + p] = _mm512_dpbusd_epi32(sum[r * panels + p], four, w[p]);
    }
  }
  const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  for (int r = 0; r < tile; r++) {
    uint8_t *to = out + (size_t)r * out_stride;
    __m512i value[4];
    for (int p = 0; p < panels; p++) value[p] = rounded(sum[r * panels + p], factor + p * MK_PANEL, offset + p * MK_PANEL);
    if (panels == 4) {
      __m512i bytes = _mm512_packus_epi16(_mm512_packs_epi32(value[0], value[1]), _mm512_packs_epi32(value[2], value[3]));
      _mm512_storeu_si512(to, _mm512_permutexvar_epi32(order, bytes));
    } else {
      for (int p = 0; p < panels; p++) {
        __m512i low = _mm512_max_epi32(value[p], _mm512_setzero_si512());
        _mm_storeu_si128((__m128i *)(to + p * MK_PANEL), _mm512_cvtusepi32_epi8(low));
      }
    }
  }
}

#define TILES(tile, panels)                                                                                        \
  for (size_t r = 0; r < rows; r += (tile))                                                                        \
    dense_tile(tile, panels, x + r * x_stride, x_stride, inputs, weights + c * inputs, factor + c, offset + c,     \
               out + r * out_stride + c, out_stride);

// A chunk of panels at a time, so that its weights stay in the first cache while all rows pass.
TARGET static void dense(const uint8_t *x, size_t x_stride, size_t rows, size_t inputs, const int8_t *weights,
                         size_t columns, const float *factor, const float *offset, uint8_t *out, size_t out_stride) {
  size_t c = 0;
  for (; c + 4 * MK_PANEL <= columns; c += 4 * MK_PANEL) TILES(6, 4)
  if (c + 2 * MK_PANEL <= columns) {
    TILES(12, 2)
    c += 2 * MK_PANEL;
  }
  if (c < columns) TILES(12, 1)
}

TARGET static void last(const uint8_t *x, size_t x_stride, size_t rows, size_t inputs, const int8_t *weights,
                        float factor, float offset, float *out) {
  for (size_t r = 0; r < rows; r++, x += x_stride) {
    __m512i sum = _mm512_setzero_si512();
    for (size_t k = 0; k < inputs; k += MK_LAYER_WORD)
      sum = _mm512_dpbusd_epi32(sum, _mm512_loadu_si512(x + k), _mm512_loadu_si512(weights + k));
    out[r] = __builtin_fmaf((float)_mm512_reduce_add_epi32(sum), factor, offset);
  }
}

const mk_layer_kernels mk_avx512_layers = {
    .name = "avx512", .level = MK_AVX512, .quantise = quantise, .dense = dense, .last = last};
#endif
