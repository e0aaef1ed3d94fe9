#include "Trees.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define TARGET __attribute__((target("popcnt,avx2,fma,f16c")))
#define INLINE static inline __attribute__((always_inline)) TARGET

TARGET static void turn(const float *rows, size_t stride, size_t count, size_t features, float *out) {
  for (size_t r = 0; r < count; r++)
    for (size_t f = 0; f < features; f++) out[f * MK_TREE_ROWS + r] = rows[r * stride + f];
}

TARGET static void settle(const float *values, uint32_t kind, int32_t flat, float *out) {
  const __m256 limit = _mm256_set1_ps(MK_TREE_FLAT), missing = _mm256_set1_ps(__builtin_nanf(""));
  const __m256 all = _mm256_castsi256_ps(_mm256_set1_epi32(-1)), none = _mm256_setzero_ps();
  const __m256 sign = _mm256_set1_ps(-0.0f);
  const __m256 flattens = flat ? all : none, fills = kind == MK_TREE_ZERO_FOR_NAN ? all : none;
  const __m256 empties = kind == MK_TREE_ZERO_IS_NAN ? all : none;
  for (size_t r = 0; r < MK_TREE_ROWS; r += 8) {
    __m256 value = _mm256_load_ps(values + r);
    __m256 is_flat = _mm256_cmp_ps(_mm256_andnot_ps(sign, value), limit, _CMP_LE_OQ);
    __m256 is_nan = _mm256_cmp_ps(value, value, _CMP_UNORD_Q);
    __m256 zeros = _mm256_or_ps(_mm256_and_ps(is_flat, flattens), _mm256_and_ps(is_nan, fills));
    value = _mm256_andnot_ps(zeros, value);
    _mm256_store_ps(out + r, _mm256_blendv_ps(value, missing, _mm256_and_ps(is_flat, empties)));
  }
}

INLINE __m256 two_fours(const float *low, const float *high) {
  return _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_load_ps(low)), _mm_load_ps(high), 1);
}

INLINE __m256i pack_words(__m256 a, __m256 b) {
  return _mm256_packs_epi32(_mm256_castps_si256(a), _mm256_castps_si256(b));
}

// 32 rows at a time stay in registers while all thresholds pass, in the order that packing undoes.
#define COMPARE(count, predicate)                                                                            \
  for (size_t t = 0; t < (count); t++, threshold++, to += 2 * MK_TREE_WORDS) {                               \
    __m256 limit = _mm256_set1_ps(*threshold);                                                               \
    __m256i low = pack_words(_mm256_cmp_ps(a, limit, predicate), _mm256_cmp_ps(b, limit, predicate));        \
    __m256i high = pack_words(_mm256_cmp_ps(c, limit, predicate), _mm256_cmp_ps(d, limit, predicate));       \
    uint32_t bits = (uint32_t)_mm256_movemask_epi8(_mm256_packs_epi16(low, high));                           \
    memcpy(to, &bits, sizeof bits);                                                                          \
  }

TARGET static void compare(const float *values, const float *thresholds, size_t left_count, size_t right_count,
                           uint64_t *planes) {
  for (size_t r = 0; r < MK_TREE_ROWS; r += 32) {
    __m256 a = two_fours(values + r, values + r + 16), b = two_fours(values + r + 4, values + r + 20);
    __m256 c = two_fours(values + r + 8, values + r + 24), d = two_fours(values + r + 12, values + r + 28);
    const float *threshold = thresholds;
    uint32_t *to = (uint32_t *)planes + r / 32;
    COMPARE(left_count, _CMP_GT_OQ)
    COMPARE(right_count, _CMP_NLE_UQ)
  }
}

// A slot is two vectors; `half` says which of them.
INLINE __m256i slot(const uint64_t *slots, size_t i, size_t half) {
  return _mm256_load_si256((const __m256i *)(slots + i * MK_TREE_WORDS) + half);
}

INLINE void set_slot(uint64_t *slots, size_t i, size_t half, __m256i rows) {
  _mm256_store_si256((__m256i *)(slots + i * MK_TREE_WORDS) + half, rows);
}

// The five bits of the numbers of 32 leaves; returns the rows that are at any of them.
INLINE __m256i five_planes(const uint64_t *slots, size_t half, __m256i *plane) {
  __m256i sum[16];
  plane[0] = _mm256_setzero_si256();
  for (size_t i = 0; i < 16; i++) {
    __m256i odd = slot(slots, 2 * i + 1, half);
    plane[0] = _mm256_or_si256(plane[0], odd);
    sum[i] = _mm256_or_si256(slot(slots, 2 * i, half), odd);
  }
  for (int b = 1, count = 16; b < 5; b++, count /= 2) {
    __m256i some = sum[1];
    for (int i = 3; i < count; i += 2) some = _mm256_or_si256(some, sum[i]);
    plane[b] = some;
    for (int i = 0; i < count / 2; i++) sum[i] = _mm256_or_si256(sum[2 * i], sum[2 * i + 1]);
  }
  return sum[0];
}

// Each bit of a word as a byte of all bits or none.
INLINE __m256i spread(uint32_t word) {
  const __m256i byte = _mm256_setr_epi64x(0, 0x0101010101010101, 0x0202020202020202, 0x0303030303030303);
  const __m256i bit = _mm256_set1_epi64x((long long)0x8040201008040201);
  __m256i bytes = _mm256_shuffle_epi8(_mm256_set1_epi32((int32_t)word), byte);
  return _mm256_cmpeq_epi8(_mm256_and_si256(bytes, bit), bit);
}

INLINE void encode(const uint64_t *slots, int is_large, uint8_t *codes) {
  uint32_t words[6][8] __attribute__((aligned(32)));
  int bits = is_large ? 6 : 5;
  for (size_t half = 0; half < 2; half++, codes += MK_TREE_ROWS / 2) {
    __m256i plane[6], high[5];
    five_planes(slots, half, plane);
    if (is_large) {
      plane[5] = five_planes(slots + 32 * MK_TREE_WORDS, half, high);
      for (int b = 0; b < 5; b++) plane[b] = _mm256_or_si256(plane[b], high[b]);
    }
    for (int b = 0; b < bits; b++) _mm256_store_si256((__m256i *)words[b], plane[b]);
    for (int w = 0; w < 8; w++) {
      __m256i code = _mm256_and_si256(spread(words[0][w]), _mm256_set1_epi8(1));
      for (int b = 1; b < bits; b++)
        code = _mm256_or_si256(code, _mm256_and_si256(spread(words[b][w]), _mm256_set1_epi8((char)(1 << b))));
      _mm256_store_si256((__m256i *)(codes + w * 32), code);
    }
  }
}

INLINE void add_doubles(const double *leaves, const uint8_t *codes, double *sums) {
  for (int r = 0; r < MK_TREE_ROWS; r += 4) {
    __m256d value = _mm256_setr_pd(leaves[codes[r]], leaves[codes[r + 1]], leaves[codes[r + 2]], leaves[codes[r + 3]]);
    _mm256_store_pd(sums + r, _mm256_add_pd(_mm256_load_pd(sums + r), value));
  }
}

INLINE void add_floats(const float *leaves, const uint8_t *codes, float *sums) {
  for (int r = 0; r < MK_TREE_ROWS; r += 4) {
    __m128 value = _mm_setr_ps(leaves[codes[r]], leaves[codes[r + 1]], leaves[codes[r + 2]], leaves[codes[r + 3]]);
    _mm_store_ps(sums + r, _mm_add_ps(_mm_load_ps(sums + r), value));
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

TARGET static void walk(const mk_forest *forest, const mk_tree_scratch *scratch, void *sums) {
  for (size_t p = 0; p < forest->part_count; p++) {
    const mk_tree_part *part = forest->parts + p;
    walk_nodes(part, forest->nodes + part->node, scratch->planes, scratch->slots);
    size_t table = mk_tree_table(part->leaf_count);
    memset(scratch->slots + part->leaf_count * MK_TREE_WORDS, 0,
           (table - part->leaf_count) * MK_TREE_WORDS * sizeof(uint64_t));
    if (table > 32)
      encode(scratch->slots, 1, scratch->codes);
    else
      encode(scratch->slots, 0, scratch->codes);
    size_t first = (size_t)part->output * MK_TREE_ROWS;
    if (forest->leaves_are_floats)
      add_floats((const float *)forest->leaves + part->leaf, scratch->codes, (float *)sums + first);
    else
      add_doubles((const double *)forest->leaves + part->leaf, scratch->codes, (double *)sums + first);
  }
}

const mk_tree_kernels mk_avx2_trees = {
    .name = "avx2", .level = MK_AVX2, .turn = turn, .settle = settle, .compare = compare, .walk = walk};
#endif
