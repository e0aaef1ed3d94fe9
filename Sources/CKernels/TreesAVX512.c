#include "Trees.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define TARGET __attribute__((target("popcnt,avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")))
#define INLINE static inline __attribute__((always_inline)) TARGET

// A block of 16 × 16 floats: pairs of rows are interleaved until a vector is a column.
INLINE void turn_block(const float *const *row, __mmask16 mask, size_t features, float *out) {
  __m512 a[16], b[16];
  for (int i = 0; i < 16; i++) a[i] = _mm512_maskz_loadu_ps(mask, row[i]);
  for (int i = 0; i < 16; i += 2) {
    b[i] = _mm512_unpacklo_ps(a[i], a[i + 1]);
    b[i + 1] = _mm512_unpackhi_ps(a[i], a[i + 1]);
  }
  for (int i = 0; i < 16; i += 4) {
    for (int j = 0; j < 2; j++) {
      __m512d low = _mm512_castps_pd(b[i + j]), high = _mm512_castps_pd(b[i + j + 2]);
      a[i + 2 * j] = _mm512_castpd_ps(_mm512_unpacklo_pd(low, high));
      a[i + 2 * j + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(low, high));
    }
  }
  // a[4 * i + j] has, in its quarter q, the rows 4 * i ..< 4 * i + 4 of column 4 * q + j.
  for (int j = 0; j < 4; j++) {
    __m512 even = _mm512_shuffle_f32x4(a[j], a[j + 4], 0x88), odd = _mm512_shuffle_f32x4(a[j], a[j + 4], 0xdd);
    __m512 even2 = _mm512_shuffle_f32x4(a[j + 8], a[j + 12], 0x88);
    __m512 odd2 = _mm512_shuffle_f32x4(a[j + 8], a[j + 12], 0xdd);
    b[j] = _mm512_shuffle_f32x4(even, even2, 0x88);
    b[j + 8] = _mm512_shuffle_f32x4(even, even2, 0xdd);
    b[j + 4] = _mm512_shuffle_f32x4(odd, odd2, 0x88);
    b[j + 12] = _mm512_shuffle_f32x4(odd, odd2, 0xdd);
  }
#pragma clang loop unroll(full)
  for (int f = 0; f < 16; f++)
    if ((size_t)f < features) _mm512_store_ps(out + f * MK_TREE_ROWS, b[f]);
}

TARGET static void turn(const float *rows, size_t stride, size_t count, size_t features, float *out) {
  __mmask16 mask = (__mmask16)((1u << features) - 1);
  for (size_t r = 0; r < count; r += 16) {
    const float *row[16];
    for (size_t i = 0; i < 16; i++) row[i] = rows + (r + i < count ? r + i : count - 1) * stride;
    turn_block(row, mask, features, out + r);
  }
}

TARGET static void settle(const float *values, uint32_t kind, int32_t flat, float *out) {
  const __m512 limit = _mm512_set1_ps(MK_TREE_FLAT), missing = _mm512_set1_ps(__builtin_nanf(""));
  __mmask16 flattens = flat ? 0xffff : 0, fills = kind == MK_TREE_ZERO_FOR_NAN ? 0xffff : 0;
  __mmask16 empties = kind == MK_TREE_ZERO_IS_NAN ? 0xffff : 0;
  for (size_t r = 0; r < MK_TREE_ROWS; r += 16) {
    __m512 value = _mm512_load_ps(values + r);
    __mmask16 is_flat = _mm512_cmp_ps_mask(_mm512_abs_ps(value), limit, _CMP_LE_OQ);
    __mmask16 is_nan = _mm512_cmp_ps_mask(value, value, _CMP_UNORD_Q);
    value = _mm512_maskz_mov_ps((__mmask16) ~((is_flat & flattens) | (is_nan & fills)), value);
    _mm512_store_ps(out + r, _mm512_mask_mov_ps(value, is_flat & empties, missing));
  }
}

// 128 rows at a time stay in registers while all thresholds pass.
#define COMPARE(count, predicate)                                                                \
  for (size_t t = 0; t < (count); t++, threshold++, to += 4 * MK_TREE_WORDS) {                   \
    __m512 limit = _mm512_set1_ps(*threshold);                                                   \
    for (int i = 0; i < 8; i++) {                                                                \
      __mmask16 bits = _mm512_cmp_ps_mask(value[i], limit, predicate);                           \
      memcpy(to + i, &bits, sizeof bits);                                                        \
    }                                                                                            \
  }

TARGET static void compare(const float *values, const float *thresholds, size_t left_count, size_t right_count,
                           uint64_t *planes) {
  for (size_t r = 0; r < MK_TREE_ROWS; r += 128) {
    __m512 value[8];
    for (int i = 0; i < 8; i++) value[i] = _mm512_load_ps(values + r + i * 16);
    const float *threshold = thresholds;
    uint16_t *to = (uint16_t *)planes + r / 16;
    COMPARE(left_count, _CMP_GT_OQ)
    COMPARE(right_count, _CMP_NLE_UQ)
  }
}

// Slots are written and read as halves: a processor that stores 64 bytes in two steps forwards only those.
INLINE __m256i slot(const uint64_t *slots, size_t i, size_t half) {
  return _mm256_load_si256((const __m256i *)(slots + i * MK_TREE_WORDS) + half);
}

INLINE void set_slot(uint64_t *slots, size_t i, size_t half, __m256i rows) {
  _mm256_store_si256((__m256i *)(slots + i * MK_TREE_WORDS) + half, rows);
}

INLINE __m256i or3(__m256i a, __m256i b, __m256i c) { return _mm256_ternarylogic_epi64(a, b, c, 0xfe); }

// The five bits of the numbers of 32 leaves; returns the rows that are at any of them.
INLINE __m256i five_planes(const uint64_t *slots, size_t half, __m256i *plane) {
  __m256i sum[16];
  __m256i low = _mm256_setzero_si256();
  for (size_t i = 0; i < 16; i += 2) {
    __m256i odd = slot(slots, 2 * i + 1, half), odd2 = slot(slots, 2 * i + 3, half);
    low = or3(low, odd, odd2);
    sum[i] = _mm256_or_si256(slot(slots, 2 * i, half), odd);
    sum[i + 1] = _mm256_or_si256(slot(slots, 2 * i + 2, half), odd2);
  }
  plane[0] = low;
  for (int b = 1, count = 16; b < 5; b++, count /= 2) {
    __m256i some = sum[1];
    for (int i = 3; i < count; i += 2) some = _mm256_or_si256(some, sum[i]);
    plane[b] = some;
    for (int i = 0; i < count / 2; i++) sum[i] = _mm256_or_si256(sum[2 * i], sum[2 * i + 1]);
  }
  return sum[0];
}

// The order within 16 rows in which the halves of doubles come to lie in the order of the rows.
INLINE __m512i woven(__m512i codes) {
  return _mm512_shuffle_epi8(
      codes, _mm512_broadcast_i32x4(_mm_setr_epi8(0, 1, 8, 9, 2, 3, 10, 11, 4, 5, 12, 13, 6, 7, 14, 15)));
}

INLINE void encode(const uint64_t *slots, int is_large, int weaves, uint8_t *codes) {
  uint64_t words[6][4] __attribute__((aligned(32)));
  int bits = is_large ? 6 : 5;
  for (size_t half = 0; half < 2; half++, codes += MK_TREE_ROWS / 2) {
    __m256i plane[6], high[5];
    five_planes(slots, half, plane);
    if (is_large) {
      plane[5] = five_planes(slots + 32 * MK_TREE_WORDS, half, high);
      for (int b = 0; b < 5; b++) plane[b] = _mm256_or_si256(plane[b], high[b]);
    }
    for (int b = 0; b < bits; b++) _mm256_store_si256((__m256i *)words[b], plane[b]);
    for (int w = 0; w < 4; w++) {
      __m512i code = _mm512_maskz_set1_epi8(words[0][w], 1);
      for (int b = 1; b < bits; b++)
        code = _mm512_mask_add_epi8(code, words[b][w], code, _mm512_set1_epi8((char)(1 << b)));
      _mm512_store_si512(codes + w * 64, weaves ? woven(code) : code);
    }
  }
}

INLINE __m512i codes_at(const uint8_t *codes) { return _mm512_cvtepu8_epi32(_mm_load_si128((const __m128i *)codes)); }

// The 32 or 64 entries of a table of words.
typedef struct {
  __m512i part[4];
} words_table;

INLINE __m512i look_up(const words_table *table, int is_large, __m512i code, __mmask16 is_high) {
  __m512i value = _mm512_permutex2var_epi32(table->part[0], code, table->part[1]);
  if (!is_large) return value;
  return _mm512_mask_mov_epi32(value, is_high, _mm512_permutex2var_epi32(table->part[2], code, table->part[3]));
}

// Doubles are looked up as halves, 32 of which fit into two registers.
INLINE void add_doubles(const double *leaves, int is_large, const uint8_t *codes, double *sums) {
  const __m512i even = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
  const __m512i odd = _mm512_add_epi32(even, _mm512_set1_epi32(1));
  words_table low, high;
  for (int i = 0; i < (is_large ? 4 : 2); i++) {
    __m512i a = _mm512_load_si512(leaves + i * 16), b = _mm512_load_si512(leaves + i * 16 + 8);
    low.part[i] = _mm512_permutex2var_epi32(a, even, b);
    high.part[i] = _mm512_permutex2var_epi32(a, odd, b);
  }
  for (int r = 0; r < MK_TREE_ROWS; r += 16) {
    __m512i code = codes_at(codes + r);
    __mmask16 is_high = is_large ? _mm512_test_epi32_mask(code, _mm512_set1_epi32(32)) : 0;
    __m512i a = look_up(&low, is_large, code, is_high), b = look_up(&high, is_large, code, is_high);
    __m512d first = _mm512_castsi512_pd(_mm512_unpacklo_epi32(a, b));
    __m512d second = _mm512_castsi512_pd(_mm512_unpackhi_epi32(a, b));
    _mm512_store_pd(sums + r, _mm512_add_pd(_mm512_load_pd(sums + r), first));
    _mm512_store_pd(sums + r + 8, _mm512_add_pd(_mm512_load_pd(sums + r + 8), second));
  }
}

INLINE void add_floats(const float *leaves, int is_large, const uint8_t *codes, float *sums) {
  words_table table;
  for (int i = 0; i < (is_large ? 4 : 2); i++) table.part[i] = _mm512_load_si512(leaves + i * 16);
  for (int r = 0; r < MK_TREE_ROWS; r += 16) {
    __m512i code = codes_at(codes + r);
    __mmask16 is_high = is_large ? _mm512_test_epi32_mask(code, _mm512_set1_epi32(32)) : 0;
    __m512 value = _mm512_castsi512_ps(look_up(&table, is_large, code, is_high));
    _mm512_store_ps(sums + r, _mm512_add_ps(_mm512_load_ps(sums + r), value));
  }
}

INLINE void walk_nodes(const mk_tree_part *part, const mk_tree_node *node, const uint64_t *planes, uint64_t *slots) {
  size_t own = MK_TREE_LEAVES, entry = MK_TREE_ENTRY + (size_t)part->entry;
  for (size_t half = 0; half < 2; half++) set_slot(slots, part->node_count ? own : 0, half, slot(slots, entry, half));
  for (size_t i = 0; i < part->node_count; i++, node++, own++) {
    for (size_t half = 0; half < 2; half++) {
      __m256i rows = slot(slots, own, half), plane = slot(planes, node->plane, half);
      set_slot(slots, node->left, half, _mm256_andnot_si256(plane, rows));
      set_slot(slots, node->right, half, _mm256_and_si256(plane, rows));
    }
  }
}

INLINE void walk_part(const mk_forest *forest, const mk_tree_part *part, int is_large, int are_floats,
                      const mk_tree_scratch *scratch, void *sums) {
  walk_nodes(part, forest->nodes + part->node, scratch->planes, scratch->slots);
  for (size_t leaf = part->leaf_count; leaf < (is_large ? 64 : 32); leaf++)
    for (size_t half = 0; half < 2; half++) set_slot(scratch->slots, leaf, half, _mm256_setzero_si256());
  encode(scratch->slots, is_large, !are_floats, scratch->codes);
  size_t first = (size_t)part->output * MK_TREE_ROWS;
  if (are_floats)
    add_floats((const float *)forest->leaves + part->leaf, is_large, scratch->codes, (float *)sums + first);
  else
    add_doubles((const double *)forest->leaves + part->leaf, is_large, scratch->codes, (double *)sums + first);
}

TARGET static void walk(const mk_forest *forest, const mk_tree_scratch *scratch, void *sums) {
  for (size_t p = 0; p < forest->part_count; p++) {
    const mk_tree_part *part = forest->parts + p;
    int is_large = part->leaf_count > 32;
    if (forest->leaves_are_floats) {
      if (is_large)
        walk_part(forest, part, 1, 1, scratch, sums);
      else
        walk_part(forest, part, 0, 1, scratch, sums);
    } else {
      if (is_large)
        walk_part(forest, part, 1, 0, scratch, sums);
      else
        walk_part(forest, part, 0, 0, scratch, sums);
    }
  }
}

const mk_tree_kernels mk_avx512_trees = {
    .name = "avx512", .level = MK_AVX512, .turn = turn, .settle = settle, .compare = compare, .walk = walk};
#endif
