#include "Layers.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define TARGET __attribute__((target("popcnt,avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")))
#define INLINE static inline __attribute__((always_inline)) TARGET

// Four registers of whole numbers as 64 bytes within 0...255, in their order.
INLINE __m512i packed(__m512i first, __m512i second, __m512i third, __m512i fourth) {
  const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  __m512i bytes = _mm512_packus_epi16(_mm512_packs_epi32(first, second), _mm512_packs_epi32(third, fourth));
  return _mm512_permutexvar_epi32(order, bytes);
}

// What is below zero, or no number after all, stays so: it becomes zero where it is packed.
INLINE __m512i whole(__m512 value, const float *fill, __m512 factor, __m512 offset) {
  __mmask16 missing = _mm512_cmp_ps_mask(value, value, _CMP_UNORD_Q);
  value = _mm512_fmadd_ps(_mm512_mask_loadu_ps(value, missing, fill), factor, offset);
  // In this order what is not a number comes out of it as it went in.
  return _mm512_cvtps_epi32(_mm512_min_ps(_mm512_set1_ps(255), value));
}

// Columns in chunks of 64, so that their factors stay in registers while all rows pass.
TARGET static void quantise(const float *x, size_t rows, size_t columns, const float *factor, const float *offset,
                            const float *fill, uint8_t *out, size_t out_stride) {
  size_t c = 0;
  for (; c + 64 <= columns && c + 64 <= out_stride; c += 64) {
    __m512 factors[4], offsets[4];
    for (int i = 0; i < 4; i++) {
      factors[i] = _mm512_loadu_ps(factor + c + 16 * i);
      offsets[i] = _mm512_loadu_ps(offset + c + 16 * i);
    }
    for (size_t r = 0; r < rows; r++) {
      __m512i value[4];
      for (int i = 0; i < 4; i++)
        value[i] = whole(_mm512_loadu_ps(x + r * columns + c + 16 * i), fill + c + 16 * i, factors[i], offsets[i]);
      _mm512_storeu_si512(out + r * out_stride + c, packed(value[0], value[1], value[2], value[3]));
    }
  }
  for (; c < out_stride; c += 16) {
    size_t left = c < columns ? columns - c : 0;
    __mmask16 mask = left >= 16 ? 0xffff : (__mmask16)((1u << left) - 1);
    __m512 factors = _mm512_maskz_loadu_ps(mask, factor + c), offsets = _mm512_maskz_loadu_ps(mask, offset + c);
    for (size_t r = 0; r < rows; r++) {
      __m512i value = whole(_mm512_maskz_loadu_ps(mask, x + r * columns + c), fill + c, factors, offsets);
      _mm_storeu_si128((__m128i *)(out + r * out_stride + c),
                       _mm512_cvtusepi32_epi8(_mm512_max_epi32(value, _mm512_setzero_si512())));
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
  __m512i value[24];
  for (int r = 0; r < tile; r++)
    for (int p = 0; p < panels; p++)
      value[r * panels + p] = rounded(sum[r * panels + p], factor + p * MK_PANEL, offset + p * MK_PANEL);
  if (panels == 4) {
    for (int r = 0; r < tile; r++)
      _mm512_storeu_si512(out + (size_t)r * out_stride,
                          packed(value[4 * r], value[4 * r + 1], value[4 * r + 2], value[4 * r + 3]));
  } else if (panels == 2) {
    // Two rows make a register.
    for (int r = 0; r < tile; r += 2) {
      __m512i bytes = packed(value[2 * r], value[2 * r + 1], value[2 * r + 2], value[2 * r + 3]);
      _mm256_storeu_si256((__m256i *)(out + (size_t)r * out_stride), _mm512_castsi512_si256(bytes));
      _mm256_storeu_si256((__m256i *)(out + (size_t)(r + 1) * out_stride), _mm512_extracti64x4_epi64(bytes, 1));
    }
  } else {
    for (int r = 0; r < tile; r++)
      _mm_storeu_si128((__m128i *)(out + (size_t)r * out_stride),
                       _mm512_cvtusepi32_epi8(_mm512_max_epi32(value[r], _mm512_setzero_si512())));
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

INLINE __m512i pairs32(__m512i a, __m512i b) {
  return _mm512_add_epi32(_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
}

INLINE __m512i pairs64(__m512i a, __m512i b) {
  return _mm512_add_epi32(_mm512_unpacklo_epi64(a, b), _mm512_unpackhi_epi64(a, b));
}

INLINE __m512i pairs128(__m512i a, __m512i b) {
  return _mm512_add_epi32(_mm512_shuffle_i32x4(a, b, 0x88), _mm512_shuffle_i32x4(a, b, 0xdd));
}

// Sixteen rows at a time: their sums are added up across together, which costs a fraction of one row after the other.
TARGET static void last(const uint8_t *x, size_t x_stride, size_t rows, size_t inputs, const int8_t *weights,
                        float factor, float offset, float *out) {
  for (size_t first = 0; first < rows; first += 16) {
    size_t count = rows - first < 16 ? rows - first : 16;
    __m512i sum[16];
    for (int r = 0; r < 16; r++) sum[r] = _mm512_setzero_si512();
    for (size_t k = 0; k < inputs; k += MK_LAYER_WORD) {
      __m512i w = _mm512_loadu_si512(weights + k);
      const uint8_t *from = x + first * x_stride + k;
      if (count == 16) {
        for (int r = 0; r < 16; r++)
          sum[r] = _mm512_dpbusd_epi32(sum[r], _mm512_loadu_si512(from + (size_t)r * x_stride), w);
      } else {
        for (size_t r = 0; r < count; r++)
          sum[r] = _mm512_dpbusd_epi32(sum[r], _mm512_loadu_si512(from + r * x_stride), w);
      }
    }
    for (int r = 0; r < 16; r += 2) sum[r / 2] = pairs32(sum[r], sum[r + 1]);
    for (int r = 0; r < 8; r += 2) sum[r / 2] = pairs64(sum[r], sum[r + 1]);
    __m512i all = pairs128(pairs128(sum[0], sum[1]), pairs128(sum[2], sum[3]));
    __m512 value = _mm512_fmadd_ps(_mm512_cvtepi32_ps(all), _mm512_set1_ps(factor), _mm512_set1_ps(offset));
    _mm512_mask_storeu_ps(out + first, (__mmask16)((1u << count) - 1), value);
  }
}

const mk_layer_kernels mk_avx512_layers = {
    .name = "avx512", .level = MK_AVX512, .quantise = quantise, .dense = dense, .last = last};
#endif
