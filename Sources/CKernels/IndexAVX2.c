#include "Index.h"
#include "Levels.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define TARGET __attribute__((target("popcnt,avx2,fma,f16c")))
#define INLINE static inline __attribute__((always_inline)) TARGET

TARGET static void products(const float *query, const uint16_t *widths, size_t groups, const float *book, float *out,
                            float *least, float *largest) {
  for (size_t g = 0; g < groups; g++, out += MK_BOOK) {
    __m256 low = _mm256_setzero_ps(), high = low;
    for (size_t d = 0; d < widths[g]; d++, query++, book += MK_BOOK) {
      __m256 value = _mm256_set1_ps(*query);
      low = _mm256_fmadd_ps(value, _mm256_loadu_ps(book), low);
      high = _mm256_fmadd_ps(value, _mm256_loadu_ps(book + 8), high);
    }
    _mm256_storeu_ps(out, low);
    _mm256_storeu_ps(out + 8, high);
    least[g] = largest[g] = out[0];
    for (size_t j = 1; j < MK_BOOK; j++) {
      if (out[j] < least[g]) least[g] = out[j];
      if (out[j] > largest[g]) largest[g] = out[j];
    }
  }
}

TARGET static void tables(const float *products, const float *least, size_t groups, float factor, uint8_t *out) {
  const __m256 scale = _mm256_set1_ps(factor);
  for (size_t g = 0; g < groups; g++, products += MK_BOOK, out += MK_BOOK) {
    __m256 floor = _mm256_set1_ps(least[g]);
    __m256i low = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_sub_ps(_mm256_loadu_ps(products), floor), scale));
    __m256i high = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_sub_ps(_mm256_loadu_ps(products + 8), floor), scale));
    // Packing works in halves of 128 bits: the middle quarters change places.
    __m256i words = _mm256_permute4x64_epi64(_mm256_packs_epi32(low, high), 0xd8);
    __m128i bytes = _mm_packus_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
    _mm_storeu_si128((__m128i *)out, bytes);
  }
}

// One half of a block: 32 titles. The sums come out in order. `ahead` is a block that is fetched line by line, or these
// codes where there is none.
INLINE void sum_half(const uint8_t *codes, size_t pairs, const uint8_t *tables, const uint8_t *ahead, uint16_t *sums) {
  const __m256i nibble = _mm256_set1_epi8(15);
  __m256i all = _mm256_setzero_si256(), upper = all;
  for (size_t p = 0; p < pairs; p++) {
    __m256i both = _mm256_loadu_si256((const __m256i *)(codes + p * MK_BLOCK));
    mk_fetch(ahead + p * MK_BLOCK);
    __m256i first = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(tables + p * 32)));
    __m256i second = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(tables + p * 32 + 16)));
    __m256i low = _mm256_shuffle_epi8(first, _mm256_and_si256(both, nibble));
    __m256i high = _mm256_shuffle_epi8(second, _mm256_and_si256(_mm256_srli_epi16(both, 4), nibble));
    __m256i sum = _mm256_add_epi8(low, high);
    all = _mm256_add_epi16(all, sum);
    upper = _mm256_add_epi16(upper, _mm256_srli_epi16(sum, 8));
  }
  __m256i even = _mm256_sub_epi16(all, _mm256_slli_epi16(upper, 8));
  __m256i low = _mm256_unpacklo_epi16(even, upper), high = _mm256_unpackhi_epi16(even, upper);
  _mm_storeu_si128((__m128i *)sums, _mm256_castsi256_si128(low));
  _mm_storeu_si128((__m128i *)(sums + 8), _mm256_castsi256_si128(high));
  _mm_storeu_si128((__m128i *)(sums + 16), _mm256_extracti128_si256(low, 1));
  _mm_storeu_si128((__m128i *)(sums + 24), _mm256_extracti128_si256(high, 1));
}

INLINE uint32_t half_bits(const uint16_t *sums, __m256i least) {
  uint32_t bits = 0;
  for (int part = 0; part < 2; part++) {
    __m256i sum = _mm256_loadu_si256((const __m256i *)(sums + part * 16));
    __m256i pass = _mm256_cmpeq_epi16(_mm256_max_epu16(sum, least), sum);
    __m128i bytes = _mm_packs_epi16(_mm256_castsi256_si128(pass), _mm256_extracti128_si256(pass, 1));
    bits |= (uint32_t)_mm_movemask_epi8(bytes) << (part * 16);
  }
  return bits;
}

// Products of four blocks from `block` on; of those that are there.
INLINE __m128i products_of(const mk_middles *middles, const uint8_t *row, size_t block, size_t blocks) {
  __m256i sum = _mm256_setzero_si256();
  for (size_t d = 0; d < middles->width; d += 4) {
    const uint8_t *four = row + d * blocks + 4 * block;
    __m128i bytes;
    if (blocks - block >= 4) {
      bytes = _mm_loadu_si128((const __m128i *)four);
    } else {
      uint8_t some[16] = {0};
      memcpy(some, four, 4 * (blocks - block));
      bytes = _mm_loadu_si128((const __m128i *)some);
    }
    int32_t query;
    memcpy(&query, middles->query + d, sizeof query);
    sum = _mm256_add_epi32(
        sum, _mm256_madd_epi16(_mm256_cvtepu8_epi16(bytes), _mm256_cvtepi8_epi16(_mm_set1_epi32(query))));
  }
  return _mm_hadd_epi32(_mm256_castsi256_si128(sum), _mm256_extracti128_si256(sum, 1));
}

INLINE void choose_some(const mk_middles *middles, const mk_list *list, size_t first, size_t some, float least,
                        mk_blocks *out) {
  size_t blocks = (list->titles + MK_BLOCK - 1) / MK_BLOCK;
  const uint8_t *row = middles->rows + list->number * middles->width;
  for (size_t block = first; block < first + some; block += 4) {
    int32_t dots[4];
    _mm_storeu_si128((__m128i *)dots, products_of(middles, row, block, blocks));
    for (size_t b = block; b < block + 4 && b < first + some; b++) {
      float value = fmaf((float)(dots[b - block] - middles->bias), middles->unit, list->score);
      if (fmaf(middles->spreads[list->number + b], middles->weight, value) > least)
        mk_add_block(list, b, mk_whole(value), out);
    }
  }
}

TARGET static void choose(const mk_middles *middles, const mk_list *lists, size_t end, float least, float list_least,
                          size_t wanted, mk_cursor *cursor, mk_blocks *out) {
  mk_choose(choose_some, middles, lists, end, least, list_least, wanted, cursor, out);
}

// Sums a block, and tells which of its titles have what they need.
INLINE uint64_t sum_block(const mk_codes *codes, const mk_blocks *blocks, size_t i, int32_t needed,
                          const mk_blocks *ahead, uint16_t *sums) {
  size_t bytes = codes->pairs * MK_BLOCK;
  const uint8_t *code = codes->codes + blocks->number[i] * bytes;
  const __m256i least = _mm256_set1_epi16((int16_t)(uint16_t)needed);
  sum_half(code, codes->pairs, codes->tables,
           i < ahead->count ? codes->codes + ahead->number[i] * bytes : code, sums);
  sum_half(code + 32, codes->pairs, codes->tables, code, sums + 32);
  return blocks->open[i] & (half_bits(sums, least) | (uint64_t)half_bits(sums + 32, least) << 32);
}

// Writes the titles whose bits are set; `sums` has one for each bit.
INLINE size_t emit(uint64_t bits, const uint16_t *sums, int32_t offset, uint32_t first, uint32_t *places,
                   int32_t *scores) {
  size_t written = 0;
  for (; bits; bits &= bits - 1) {
    unsigned lane = (unsigned)__builtin_ctzll(bits);
    places[written] = first + lane;
    scores[written++] = (int32_t)sums[lane] + offset;
  }
  return written;
}

// Of the titles whose bits are set, those whose ordinals are allowed.
INLINE uint64_t ask(uint64_t bits, const uint32_t *ordinals, const uint64_t *allowed) {
  uint64_t open = 0;
  for (; bits; bits &= bits - 1) {
    unsigned lane = (unsigned)__builtin_ctzll(bits);
    open |= (uint64_t)mk_allows(allowed, ordinals[lane]) << lane;
  }
  return open;
}

TARGET static void ask_first(const uint64_t *placed, const uint32_t *ordinals, const uint64_t *allowed,
                             mk_blocks *blocks, mk_seen *seen) {
  uint64_t open[MK_TOGETHER];
  for (size_t i = 0; i < blocks->count; i++)
    open[i] = placed ? placed[blocks->number[i]] : ask(blocks->open[i], ordinals + blocks->place[i], allowed);
  mk_leave_open(open, blocks, seen);
}

// `ordinals` is NULL where nothing is asked.
INLINE size_t scan_some(const mk_codes *codes, int32_t floor, const mk_blocks *blocks, const mk_blocks *ahead,
                        const uint32_t *ordinals, const uint64_t *allowed, uint32_t *places, int32_t *scores) {
  size_t written = 0;
  for (size_t i = 0; i < blocks->count; i++) {
    if (ordinals && i < ahead->count) mk_fetch_bytes(ordinals + ahead->place[i], MK_BLOCK * sizeof *ordinals);
    int32_t needed = mk_needed(floor, blocks->offset[i]);
    uint16_t sums[MK_BLOCK];
    uint64_t bits = sum_block(codes, blocks, i, needed, ahead, sums);
    if (needed > 65535) continue;
    if (ordinals) bits = ask(bits, ordinals + blocks->place[i], allowed);
    written += emit(bits, sums, blocks->offset[i], blocks->place[i], places + written, scores + written);
  }
  mk_fetch_rest(codes, blocks->count, ahead);
  return written;
}

TARGET static size_t scan(const mk_codes *codes, int32_t floor, const mk_blocks *blocks, const mk_blocks *ahead,
                          uint32_t *places, int32_t *scores) {
  return scan_some(codes, floor, blocks, ahead, NULL, NULL, places, scores);
}

TARGET static size_t scan_asking(const mk_codes *codes, int32_t floor, const mk_blocks *blocks,
                                 const mk_blocks *ahead, const uint32_t *ordinals, const uint64_t *allowed,
                                 uint32_t *places, int32_t *scores) {
  return scan_some(codes, floor, blocks, ahead, ordinals, allowed, places, scores);
}

INLINE int32_t sum_ints(__m256i v) {
  __m128i half = _mm_add_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
  half = _mm_add_epi32(half, _mm_shuffle_epi32(half, 0x4e));
  return _mm_cvtsi128_si32(_mm_add_epi32(half, _mm_shuffle_epi32(half, 0xb1)));
}

TARGET static void score_rows(const uint8_t *rows, size_t stride, const uint8_t *step, const float *steps,
                              const uint32_t *places, size_t count, const int8_t *high, const int8_t *low,
                              float *out) {
  const size_t ahead = 16;
  const __m256i shift = _mm256_set1_epi16(128);
  for (size_t i = 0; i < count; i++) {
    if (i + ahead < count) {
      mk_prefetch_bytes(rows + places[i + ahead] * stride, stride);
      mk_prefetch(step + places[i + ahead]);
    }
    const uint8_t *row = rows + places[i] * stride;
    __m256i upper = _mm256_setzero_si256(), lower = upper;
    for (size_t d = 0; d < stride; d += 16) {
      __m256i x = _mm256_sub_epi16(_mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i *)(row + d))), shift);
      __m256i h = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(high + d)));
      __m256i l = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(low + d)));
      upper = _mm256_add_epi32(upper, _mm256_madd_epi16(x, h));
      lower = _mm256_add_epi32(lower, _mm256_madd_epi16(x, l));
    }
    int32_t sum = sum_ints(_mm256_add_epi32(lower, _mm256_slli_epi32(upper, 7)));
    out[i] = (float)sum * steps[step[places[i]]];
  }
}

const mk_index_kernels mk_avx2_index = {
    .name = "avx2",
    .level = MK_AVX2,
    .products = products,
    .tables = tables,
    .choose = choose,
    .ask = ask_first,
    .scan = scan,
    .scan_asking = scan_asking,
    .score_rows = score_rows,
    .place_allowed = mk_place_allowed_scalar,
};
#endif
