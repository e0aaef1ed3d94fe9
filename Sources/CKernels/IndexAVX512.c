#include "Index.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define TARGET __attribute__((target("popcnt,avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")))
#define INLINE static inline __attribute__((always_inline)) TARGET

TARGET static void products(const float *query, const uint16_t *widths, size_t groups, const float *book, float *out,
                            float *least, float *largest) {
  for (size_t g = 0; g < groups; g++, out += MK_BOOK) {
    __m512 sum = _mm512_setzero_ps();
    for (size_t d = 0; d < widths[g]; d++, query++, book += MK_BOOK)
      sum = _mm512_fmadd_ps(_mm512_set1_ps(*query), _mm512_loadu_ps(book), sum);
    _mm512_storeu_ps(out, sum);
    least[g] = _mm512_reduce_min_ps(sum);
    largest[g] = _mm512_reduce_max_ps(sum);
  }
}

TARGET static void tables(const float *products, const float *least, size_t groups, float factor, uint8_t *out) {
  for (size_t g = 0; g < groups; g++, products += MK_BOOK, out += MK_BOOK) {
    __m512 above = _mm512_sub_ps(_mm512_loadu_ps(products), _mm512_set1_ps(least[g]));
    __m512i whole = _mm512_cvtps_epi32(_mm512_mul_ps(above, _mm512_set1_ps(factor)));
    _mm_storeu_si128((__m128i *)out, _mm512_cvtepi32_epi8(whole));
  }
}

// Bit n goes to bit 2n.
INLINE uint64_t spread(uint32_t bits) {
  uint64_t wide = bits;
  wide = (wide | wide << 16) & 0x0000ffff0000ffff;
  wide = (wide | wide << 8) & 0x00ff00ff00ff00ff;
  wide = (wide | wide << 4) & 0x0f0f0f0f0f0f0f0f;
  wide = (wide | wide << 2) & 0x3333333333333333;
  return (wide | wide << 1) & 0x5555555555555555;
}

// Sums of `blocks` blocks side by side, a constant where this is inlined. Bytes are added in pairs of tables, then as
// words: `all` gets both bytes of a word, the upper one 256-fold, `upper` only that one.
INLINE void sum_blocks(const uint8_t *codes, size_t blocks, size_t pairs, const uint8_t *tables, __m512i *even,
                       __m512i *odd) {
  const __m512i nibble = _mm512_set1_epi8(15);
  __m512i all[2], upper[2];
  for (size_t b = 0; b < blocks; b++) all[b] = upper[b] = _mm512_setzero_si512();
  for (size_t p = 0; p < pairs; p++) {
    __m512i first = _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)(tables + p * 32)));
    __m512i second = _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)(tables + p * 32 + 16)));
    for (size_t b = 0; b < blocks; b++) {
      __m512i both = _mm512_loadu_si512(codes + (b * pairs + p) * MK_BLOCK);
      __m512i low = _mm512_shuffle_epi8(first, _mm512_and_si512(both, nibble));
      __m512i high = _mm512_shuffle_epi8(second, _mm512_and_si512(_mm512_srli_epi16(both, 4), nibble));
      __m512i sum = _mm512_add_epi8(low, high);
      all[b] = _mm512_add_epi16(all[b], sum);
      upper[b] = _mm512_add_epi16(upper[b], _mm512_srli_epi16(sum, 8));
    }
  }
  for (size_t b = 0; b < blocks; b++) {
    even[b] = _mm512_sub_epi16(all[b], _mm512_slli_epi16(upper[b], 8));
    odd[b] = upper[b];
  }
}

INLINE size_t emit(__m512i even, __m512i odd, size_t titles, int32_t needed, int32_t offset, uint32_t first,
                   uint32_t *places, int32_t *scores) {
  __m512i least = _mm512_set1_epi16((int16_t)(uint16_t)needed);
  __mmask32 evens = _mm512_cmpge_epu16_mask(even, least), odds = _mm512_cmpge_epu16_mask(odd, least);
  if (!(evens | odds)) return 0;
  uint64_t bits = spread(evens) | spread(odds) << 1;
  if (titles < MK_BLOCK) bits &= ((uint64_t)1 << titles) - 1;
  __m512i low = _mm512_unpacklo_epi16(even, odd), high = _mm512_unpackhi_epi16(even, odd);
  // Lanes of 128 bits hold 8 titles each of `low` and `high`, in turn.
  uint16_t sums[MK_BLOCK];
  for (int part = 0; part < 4; part++) {
    __m128i a, b;
    switch (part) {
      case 0: a = _mm512_castsi512_si128(low), b = _mm512_castsi512_si128(high); break;
      case 1: a = _mm512_extracti32x4_epi32(low, 1), b = _mm512_extracti32x4_epi32(high, 1); break;
      case 2: a = _mm512_extracti32x4_epi32(low, 2), b = _mm512_extracti32x4_epi32(high, 2); break;
      default: a = _mm512_extracti32x4_epi32(low, 3), b = _mm512_extracti32x4_epi32(high, 3); break;
    }
    _mm_storeu_si128((__m128i *)(sums + part * 16), a);
    _mm_storeu_si128((__m128i *)(sums + part * 16 + 8), b);
  }
  return mk_emit(bits, sums, offset, first, places, scores);
}

TARGET static size_t scan(const uint8_t *codes, size_t count, size_t pairs, const uint8_t *tables, int32_t floor,
                          int32_t offset, uint32_t first, uint32_t *places, int32_t *scores) {
  int32_t needed = mk_needed(floor, offset);
  if (needed > 65535) return 0;
  size_t written = 0, title = 0;
  __m512i even[2], odd[2];
  for (; title + MK_BLOCK < count; title += 2 * MK_BLOCK) {
    sum_blocks(codes + title * pairs, 2, pairs, tables, even, odd);
    written += emit(even[0], odd[0], MK_BLOCK, needed, offset, first + (uint32_t)title, places + written,
                    scores + written);
    size_t rest = count - title - MK_BLOCK;
    written += emit(even[1], odd[1], rest < MK_BLOCK ? rest : MK_BLOCK, needed, offset,
                    first + (uint32_t)title + MK_BLOCK, places + written, scores + written);
  }
  if (title < count) {
    sum_blocks(codes + title * pairs, 1, pairs, tables, even, odd);
    written += emit(even[0], odd[0], count - title, needed, offset, first + (uint32_t)title, places + written,
                    scores + written);
  }
  return written;
}

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
  __m512i turned = _mm512_shuffle_i32x4(both, both, 0xb1);
  __m512i sums = _mm512_add_epi32(both, turned);
  return _mm256_inserti128_si256(_mm512_castsi512_si256(sums), _mm512_extracti32x4_epi32(sums, 2), 1);
}

TARGET static void score_rows(const uint8_t *rows, size_t stride, const uint8_t *step, const float *steps,
                              const uint32_t *places, size_t count, const int8_t *high, const int8_t *low,
                              float *out) {
  const size_t ahead = 24;
  int32_t bias = 0;
  for (size_t d = 0; d < stride; d++) bias += 128 * (128 * (int32_t)high[d] + low[d]);
  const __m256i correction = _mm256_set1_epi32(bias);
  for (size_t i = 0; i < count && i < ahead; i++) {
    mk_prefetch_bytes(rows + places[i] * stride, stride);
    mk_prefetch(step + places[i]);
  }
  for (size_t i = 0; i < count; i += 8) {
    size_t group = count - i < 8 ? count - i : 8;
    const uint8_t *row[8];
    float scale[8];
    for (size_t j = 0; j < 8; j++) {
      uint32_t place = places[i + (j < group ? j : 0)];
      row[j] = rows + place * stride;
      scale[j] = steps[step[place]];
      if (i + j + ahead < count) {
        uint32_t next = places[i + j + ahead];
        mk_prefetch_bytes(rows + next * stride, stride);
        mk_prefetch(step + next);
      }
    }
    __m512i upper[8], lower[8];
    for (int j = 0; j < 8; j++) upper[j] = lower[j] = _mm512_setzero_si512();
    for (size_t d = 0; d < stride; d += 64) {
      __m512i h = _mm512_loadu_si512(high + d), l = _mm512_loadu_si512(low + d);
      for (int j = 0; j < 8; j++) {
        __m512i x = _mm512_loadu_si512(row[j] + d);
        upper[j] = _mm512_dpbusd_epi32(upper[j], x, h);
        lower[j] = _mm512_dpbusd_epi32(lower[j], x, l);
      }
    }
    for (int j = 0; j < 8; j++) lower[j] = _mm512_add_epi32(lower[j], _mm512_slli_epi32(upper[j], 7));
    // Sums wrap on the way, and come out right: the whole fits 32 bits.
    __m256i sum = _mm256_sub_epi32(sum_eight(lower), correction);
    __m256 score = _mm256_mul_ps(_mm256_cvtepi32_ps(sum), _mm256_loadu_ps(scale));
    _mm256_mask_storeu_ps(out + i, (__mmask8)((1u << group) - 1), score);
  }
}

const mk_index_kernels mk_avx512_index = {
    .name = "avx512",
    .level = MK_AVX512,
    .products = products,
    .tables = tables,
    .scan = scan,
    .score_rows = score_rows,
};
#endif
