#include "Index.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define TARGET __attribute__((target("popcnt,bmi2,avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")))
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

// Sums of `blocks` blocks side by side, a constant where this is inlined. Bytes are added in pairs of tables, then as
// words: `all` gets both bytes of a word, the upper one 256-fold, `upper` only that one. For each line of codes one of
// the list ahead is fetched: all at once they would be waited for.
INLINE void sum_blocks(const uint8_t *const *codes, size_t blocks, size_t pairs, const uint8_t *tables,
                       const uint8_t *const *ahead, __m512i *even, __m512i *odd) {
  const __m512i nibble = _mm512_set1_epi8(15);
  __m512i all[2], upper[2];
  for (size_t b = 0; b < blocks; b++) all[b] = upper[b] = _mm512_setzero_si512();
  for (size_t p = 0; p < pairs; p++) {
    __m512i first = _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)(tables + p * 32)));
    __m512i second = _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)(tables + p * 32 + 16)));
    for (size_t b = 0; b < blocks; b++) {
      __m512i both = _mm512_loadu_si512(codes[b] + p * MK_BLOCK);
      mk_fetch(ahead[b] + p * MK_BLOCK);
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

// One block or two, which share their tables.
INLINE void sum_some(const mk_codes *codes, const mk_blocks *blocks, size_t i, size_t some, const mk_blocks *ahead,
                     __m512i *even, __m512i *odd) {
  const uint8_t *code[2], *lines[2];
  size_t bytes = codes->pairs * MK_BLOCK;
  for (size_t b = 0; b < 2; b++) {
    code[b] = codes->codes + blocks->number[b < some ? i + b : i] * bytes;
    lines[b] = i + b < ahead->count ? codes->codes + ahead->number[i + b] * bytes : code[b];
  }
  if (some == 2)
    sum_blocks(code, 2, codes->pairs, codes->tables, lines, even, odd);
  else
    sum_blocks(code, 1, codes->pairs, codes->tables, lines, even, odd);
}

// Titles of a block whose sums are what they need.
INLINE uint64_t passing(__m512i even, __m512i odd, const mk_blocks *blocks, size_t i, int32_t floor) {
  int32_t needed = mk_needed(floor, blocks->offset[i]);
  if (needed > 65535) return 0;
  const __m512i least = _mm512_set1_epi16((int16_t)(uint16_t)needed);
  __mmask32 evens = _mm512_cmpge_epu16_mask(even, least), odds = _mm512_cmpge_epu16_mask(odd, least);
  return blocks->open[i] & (_pdep_u64(evens, 0x5555555555555555) | _pdep_u64(odds, 0xaaaaaaaaaaaaaaaa));
}

// A block's sums as they come, and where that of a title is among them.
INLINE void keep_sums(__m512i even, __m512i odd, uint16_t *sums) {
  _mm512_storeu_si512(sums, even);
  _mm512_storeu_si512(sums + MK_BLOCK / 2, odd);
}

INLINE int32_t sum_at(const uint16_t *sums, uint32_t title) { return sums[title % 2 * (MK_BLOCK / 2) + title / 2]; }

// Writes places and scores of those whose bits are set; 16 each time. One by one is slower, even where few are.
INLINE size_t emit(__m512i even, __m512i odd, uint64_t bits, int32_t offset, uint32_t first, uint32_t *places,
                   int32_t *scores) {
  const __m512i lanes = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  const __m512i added = _mm512_set1_epi32(offset);
  // Lanes of 128 bits hold 8 titles each of `low` and `high`, in turn.
  __m512i low = _mm512_unpacklo_epi16(even, odd), high = _mm512_unpackhi_epi16(even, odd);
  __m512i front = _mm512_permutex2var_epi64(low, _mm512_setr_epi64(0, 1, 8, 9, 2, 3, 10, 11), high);
  __m512i back = _mm512_permutex2var_epi64(low, _mm512_setr_epi64(4, 5, 12, 13, 6, 7, 14, 15), high);
  __m256i quarter[4] = {_mm512_castsi512_si256(front), _mm512_extracti64x4_epi64(front, 1),
                        _mm512_castsi512_si256(back), _mm512_extracti64x4_epi64(back, 1)};
  size_t written = 0;
  for (uint32_t part = 0; part < 4; part++) {
    __mmask16 mask = (__mmask16)(bits >> (16 * part));
    __m512i place = _mm512_add_epi32(lanes, _mm512_set1_epi32((int32_t)(first + 16 * part)));
    __m512i score = _mm512_add_epi32(_mm512_cvtepu16_epi32(quarter[part]), added);
    _mm512_storeu_si512(places + written, _mm512_maskz_compress_epi32(mask, place));
    _mm512_storeu_si512(scores + written, _mm512_maskz_compress_epi32(mask, score));
    written += (size_t)__builtin_popcount(mask);
  }
  return written;
}

TARGET static size_t scan(const mk_codes *codes, int32_t floor, const mk_blocks *blocks, const mk_blocks *ahead,
                          uint32_t *places, int32_t *scores) {
  size_t written = 0;
  __m512i even[2], odd[2];
  for (size_t i = 0; i < blocks->count;) {
    size_t some = blocks->count - i > 1 ? 2 : 1;
    sum_some(codes, blocks, i, some, ahead, even, odd);
    for (size_t b = 0; b < some; b++, i++) {
      uint64_t bits = passing(even[b], odd[b], blocks, i, floor);
      if (bits)
        written += emit(even[b], odd[b], bits, blocks->offset[i], blocks->place[i], places + written, scores + written);
    }
  }
  mk_fetch_rest(codes, blocks->count, ahead);
  return written;
}

// Titles whose bits are looked up together: more than most lists have. Bytes of the bitmap are loaded one by one, which
// takes a third of the time of a gather, and so many before the first is used that none is waited for.
#define LOOKED_UP 1024

INLINE void look_up(const uint8_t *bitmap, const uint32_t *ordinals, size_t count, uint8_t *bytes) {
  size_t i = 0;
  for (; i + 2 <= count; i += 2) {
    uint64_t two;
    memcpy(&two, ordinals + i, sizeof two);
    // Kept out of vectors, from which the compiler would take it apart again.
    __asm__("" : "+r"(two));
    bytes[i] = bitmap[(uint32_t)two >> 3];
    bytes[i + 1] = bitmap[two >> 35];
  }
  if (i < count) bytes[i] = bitmap[ordinals[i] >> 3];
}

// Which of 16 titles, or of those in `mask`, have their bits set in the bytes that were looked up for them. The bytes, not
// the ordinals, can be read to the end of the 16. Little-endian: bit n of a bitmap is bit n % 8 of byte n / 8.
INLINE __mmask16 open_mask(const uint32_t *ordinals, const uint8_t *bytes, __mmask16 mask) {
  __m512i bit = _mm512_and_si512(_mm512_maskz_loadu_epi32(mask, ordinals), _mm512_set1_epi32(7));
  __m512i byte = _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)bytes));
  return _mm512_mask_test_epi32_mask(mask, byte, _mm512_sllv_epi32(_mm512_set1_epi32(1), bit));
}

INLINE __mmask16 first_of(size_t count) { return count < 16 ? (__mmask16)((1u << count) - 1) : 0xffff; }

// 64 a word, the last filled up with zeros.
INLINE void open_bits(const uint32_t *ordinals, const uint8_t *bytes, size_t count, uint64_t *words) {
  for (size_t block = 0; block < count; block += 64) {
    uint64_t word = 0;
    for (size_t i = block; i < count && i < block + 64; i += 16)
      word |= (uint64_t)open_mask(ordinals + i, bytes + i, first_of(count - i)) << (i - block);
    words[block / 64] = word;
  }
}

// The numbers of those, of which 16 are written each time; returns how many.
INLINE size_t open_numbers(const uint32_t *ordinals, const uint8_t *bytes, size_t count, uint32_t *numbers) {
  __m512i number = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  size_t written = 0;
  for (size_t i = 0; i < count; i += 16) {
    __mmask16 set = open_mask(ordinals + i, bytes + i, first_of(count - i));
    _mm512_storeu_si512(numbers + written, _mm512_maskz_compress_epi32(set, number));
    written += (size_t)__builtin_popcount(set);
    number = _mm512_add_epi32(number, _mm512_set1_epi32(16));
  }
  return written;
}

// Titles up to the last that is open: one at least.
INLINE size_t titles_of(uint64_t open) { return MK_BLOCK - (size_t)__builtin_clzll(open); }

// Compresses a block's ordinals to those whose bits are set. 16 are written each time.
INLINE size_t compress(const uint32_t *ordinals, uint64_t bits, uint32_t *out) {
  size_t written = 0;
  for (int part = 0; part < 4; part++) {
    __mmask16 mask = (__mmask16)(bits >> (16 * part));
    __m512i some = _mm512_maskz_loadu_epi32(mask, ordinals + 16 * part);
    _mm512_storeu_si512(out + written, _mm512_maskz_compress_epi32(mask, some));
    written += (size_t)__builtin_popcount(mask);
  }
  return written;
}

// What one pass looks up: of each block which titles passed, and how many were named before them.
typedef struct looked_up {
  uint16_t sums[LOOKED_UP];
  uint32_t names[LOOKED_UP + MK_KEEP_SLACK];
  uint8_t bytes[LOOKED_UP];
  uint64_t passed[LOOKED_UP / MK_BLOCK];
  uint32_t open[LOOKED_UP + 16];
  uint32_t before[LOOKED_UP / MK_BLOCK];
} looked_up;

// Sums `count` blocks from `begin` on, and names the titles that pass; returns how many.
INLINE size_t name_passing(const mk_codes *codes, int32_t floor, const mk_blocks *blocks, size_t begin, size_t count,
                           const mk_blocks *ahead, const uint32_t *ordinals, looked_up *out) {
  size_t named = 0;
  __m512i even[2], odd[2];
  for (size_t i = 0; i < LOOKED_UP / MK_BLOCK; i++) out->before[i] = LOOKED_UP;
  for (size_t i = 0; i < count;) {
    size_t some = count - i > 1 ? 2 : 1;
    sum_some(codes, blocks, begin + i, some, ahead, even, odd);
    for (size_t b = 0; b < some; b++, i++) {
      uint64_t bits = passing(even[b], odd[b], blocks, begin + i, floor);
      out->passed[i] = bits;
      out->before[i] = (uint32_t)named;
      if (begin + i < ahead->count) mk_fetch_bytes(ordinals + ahead->place[begin + i], MK_BLOCK * sizeof *ordinals);
      if (!bits) continue;
      keep_sums(even[b], odd[b], out->sums + i * MK_BLOCK);
      named += compress(ordinals + blocks->place[begin + i], bits, out->names + named);
    }
  }
  return named;
}

TARGET static size_t scan_asking(const mk_codes *codes, int32_t floor, const mk_blocks *blocks,
                                 const mk_blocks *ahead, const uint32_t *ordinals, const uint64_t *allowed,
                                 uint32_t *places, int32_t *scores) {
  looked_up up;
  size_t written = 0;
  for (size_t begin = 0; begin < blocks->count; begin += LOOKED_UP / MK_BLOCK) {
    size_t some = blocks->count - begin < LOOKED_UP / MK_BLOCK ? blocks->count - begin : LOOKED_UP / MK_BLOCK;
    size_t named = name_passing(codes, floor, blocks, begin, some, ahead, ordinals, &up);
    look_up((const uint8_t *)allowed, up.names, named, up.bytes);
    size_t open = open_numbers(up.names, up.bytes, named, up.open);
    // The n-th name is that of a title of the last block before which n or fewer were named.
    const __m512i before = _mm512_loadu_si512(up.before);
    for (size_t i = 0; i < open; i++, written++) {
      uint32_t n = up.open[i];
      __mmask16 begun = _mm512_cmple_epu32_mask(before, _mm512_set1_epi32((int32_t)n));
      uint32_t block = (uint32_t)__builtin_popcount(begun) - 1;
      uint64_t lane = _pdep_u64((uint64_t)1 << (n - up.before[block]), up.passed[block]);
      uint32_t title = (uint32_t)__builtin_ctzll(lane);
      places[written] = blocks->place[begin + block] + title;
      scores[written] = sum_at(up.sums + block * MK_BLOCK, title) + blocks->offset[begin + block];
    }
  }
  mk_fetch_rest(codes, blocks->count, ahead);
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

INLINE void choose_some(const mk_middles *middles, const mk_list *list, size_t first, size_t some, float least,
                        mk_blocks *out) {
  const __m512i lanes = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  const __m512 most = _mm512_set1_ps(0x1p24f);
  size_t blocks = (list->titles + MK_BLOCK - 1) / MK_BLOCK;
  for (size_t end = first + some; first < end; first += 16) {
    __mmask16 mask = first_of(end - first);
    const uint8_t *row = middles->rows + list->number * middles->width + 4 * first;
    // Two sums, which don't wait for one another.
    __m512i sum[2] = {_mm512_set1_epi32(-middles->bias), _mm512_setzero_si512()};
    for (size_t d = 0; d < middles->width; d += 4, row += 4 * blocks) {
      int32_t query;
      memcpy(&query, middles->query + d, sizeof query);
      __m512i some = _mm512_maskz_loadu_epi32(mask, row);
      sum[d / 4 % 2] = _mm512_dpbusd_epi32(sum[d / 4 % 2], some, _mm512_set1_epi32(query));
    }
    __m512 dots = _mm512_cvtepi32_ps(_mm512_add_epi32(sum[0], sum[1]));
    __m512 value = _mm512_fmadd_ps(dots, _mm512_set1_ps(middles->unit), _mm512_set1_ps(list->score));
    __m512 spread = _mm512_maskz_loadu_ps(mask, middles->spreads + list->number + first);
    __m512 rank = _mm512_fmadd_ps(spread, _mm512_set1_ps(middles->weight), value);
    __mmask16 chosen = _mm512_mask_cmp_ps_mask(mask, rank, _mm512_set1_ps(least), _CMP_GT_OQ);
    // Written whatever is chosen: what can't be foretold is not branched on.
    __m512 whole = _mm512_max_ps(_mm512_min_ps(value, most), _mm512_sub_ps(_mm512_setzero_ps(), most));
    __m512i block = _mm512_add_epi32(lanes, _mm512_set1_epi32((int32_t)first));
    size_t count = out->count;
    _mm512_storeu_si512(out->offset + count, _mm512_maskz_compress_epi32(chosen, _mm512_cvtps_epi32(whole)));
    block = _mm512_maskz_compress_epi32(chosen, block);
    _mm512_storeu_si512(out->number + count, _mm512_add_epi32(block, _mm512_set1_epi32((int32_t)list->number)));
    _mm512_storeu_si512(out->place + count, _mm512_add_epi32(_mm512_slli_epi32(block, 6),
                                                             _mm512_set1_epi32((int32_t)list->place)));
    _mm512_storeu_si512(out->open + count, _mm512_set1_epi64(-1));
    _mm512_storeu_si512(out->open + count + 8, _mm512_set1_epi64(-1));
    size_t found = (size_t)__builtin_popcount(chosen);
    out->count += found;
    out->titles += found * MK_BLOCK;
    // The last block need not be full.
    if (blocks - first <= 16 && chosen >> (blocks - 1 - first) & 1) {
      size_t rest = list->titles - (blocks - 1) * MK_BLOCK;
      out->open[out->count - 1] = mk_titles(rest);
      out->titles -= MK_BLOCK - rest;
    }
  }
}

TARGET static void choose(const mk_middles *middles, const mk_list *lists, size_t end, float least, float list_least,
                          size_t wanted, mk_cursor *cursor, mk_blocks *out) {
  mk_choose(choose_some, middles, lists, end, least, list_least, wanted, cursor, out);
}

TARGET static void ask(const uint64_t *placed, const uint32_t *ordinals, const uint64_t *allowed, mk_blocks *blocks,
                       mk_seen *seen) {
  uint64_t open[MK_TOGETHER];
  uint8_t bytes[MK_TOGETHER * MK_BLOCK];
  for (size_t i = 0; i < blocks->count; i++) {
    if (placed)
      open[i] = placed[blocks->number[i]];
    else
      look_up((const uint8_t *)allowed, ordinals + blocks->place[i], titles_of(blocks->open[i]), bytes + i * MK_BLOCK);
  }
  for (size_t i = 0; i < blocks->count && !placed; i++) {
    const uint32_t *names = ordinals + blocks->place[i];
    if (blocks->open[i] == ~(uint64_t)0)
      open_bits(names, bytes + i * MK_BLOCK, MK_BLOCK, &open[i]);
    else
      open_bits(names, bytes + i * MK_BLOCK, titles_of(blocks->open[i]), &open[i]);
  }
  mk_leave_open(open, blocks, seen);
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

TARGET static void place_allowed(const uint32_t *ordinals, size_t count, const uint64_t *allowed, uint64_t *words) {
  uint8_t bytes[LOOKED_UP];
  for (size_t begin = 0; begin < count; begin += LOOKED_UP) {
    size_t some = count - begin < LOOKED_UP ? count - begin : LOOKED_UP;
    look_up((const uint8_t *)allowed, ordinals + begin, some, bytes);
    open_bits(ordinals + begin, bytes, some, words + begin / MK_BLOCK);
  }
}

const mk_index_kernels mk_avx512_index = {
    .name = "avx512",
    .level = MK_AVX512,
    .products = products,
    .tables = tables,
    .choose = choose,
    .ask = ask,
    .scan = scan,
    .scan_asking = scan_asking,
    .score_rows = score_rows,
    .place_allowed = place_allowed,
};
#endif
