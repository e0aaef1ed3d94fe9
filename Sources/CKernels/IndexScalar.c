// The truth of the index kernels.
#include <math.h>

#include "Index.h"
#include "Levels.h"

static void products(const float *query, const uint16_t *widths, size_t groups, const float *book, float *out,
                     float *least, float *largest) {
  for (size_t g = 0; g < groups; g++, out += MK_BOOK) {
    for (size_t j = 0; j < MK_BOOK; j++) out[j] = 0;
    for (size_t d = 0; d < widths[g]; d++, query++, book += MK_BOOK)
      for (size_t j = 0; j < MK_BOOK; j++) out[j] = fmaf(*query, book[j], out[j]);
    least[g] = largest[g] = out[0];
    for (size_t j = 1; j < MK_BOOK; j++) {
      if (out[j] < least[g]) least[g] = out[j];
      if (out[j] > largest[g]) largest[g] = out[j];
    }
  }
}

static void tables(const float *products, const float *least, size_t groups, float factor, uint8_t *out) {
  for (size_t g = 0; g < groups; g++)
    for (size_t j = 0; j < MK_BOOK; j++)
      out[g * MK_BOOK + j] = (uint8_t)rintf((products[g * MK_BOOK + j] - least[g]) * factor);
}

static inline void choose_some(const mk_middles *middles, const mk_list *list, size_t first, size_t some, float least,
                               mk_blocks *out) {
  size_t blocks = (list->titles + MK_BLOCK - 1) / MK_BLOCK;
  for (size_t block = first; block < first + some; block++) {
    const uint8_t *row = middles->rows + list->number * middles->width + 4 * block;
    int32_t dot = -middles->bias;
    for (size_t d = 0; d < middles->width; d++)
      dot += (int32_t)row[d / 4 * 4 * blocks + d % 4] * middles->query[d];
    float value = fmaf((float)dot, middles->unit, list->score);
    if (fmaf(middles->spreads[list->number + block], middles->weight, value) > least)
      mk_add_block(list, block, mk_whole(value), out);
  }
}

static void choose(const mk_middles *middles, const mk_list *lists, size_t end, float least, float list_least,
                   size_t wanted, mk_cursor *cursor, mk_blocks *out) {
  mk_choose(choose_some, middles, lists, end, least, list_least, wanted, cursor, out);
}

static void ask(const uint64_t *placed, const uint32_t *ordinals, const uint64_t *allowed, mk_blocks *blocks,
                mk_seen *seen) {
  uint64_t open[MK_TOGETHER];
  for (size_t i = 0; i < blocks->count; i++) {
    open[i] = placed ? placed[blocks->number[i]] : 0;
    if (placed) continue;
    for (uint32_t title = 0; title < MK_BLOCK; title++)
      if (mk_allows(&blocks->open[i], title) && mk_allows(allowed, ordinals[blocks->place[i] + title]))
        open[i] |= (uint64_t)1 << title;
  }
  mk_leave_open(open, blocks, seen);
}

static int32_t sum_of(const mk_codes *codes, uint32_t number, uint32_t title) {
  const uint8_t *column = codes->codes + (size_t)number * MK_BLOCK * codes->pairs + title;
  int32_t sum = 0;
  for (size_t p = 0; p < codes->pairs; p++) {
    uint8_t both = column[p * MK_BLOCK];
    sum += codes->tables[2 * p * MK_BOOK + (both & 15)] + codes->tables[(2 * p + 1) * MK_BOOK + (both >> 4)];
  }
  return sum;
}

// `ordinals` is NULL where nothing is asked.
static size_t scan_some(const mk_codes *codes, int32_t floor, const mk_blocks *blocks, const uint32_t *ordinals,
                        const uint64_t *allowed, uint32_t *places, int32_t *scores) {
  size_t written = 0;
  for (size_t i = 0; i < blocks->count; i++) {
    int32_t needed = mk_needed(floor, blocks->offset[i]);
    for (uint32_t title = 0; title < MK_BLOCK; title++) {
      if (!mk_allows(&blocks->open[i], title)) continue;
      int32_t sum = sum_of(codes, blocks->number[i], title);
      uint32_t place = blocks->place[i] + title;
      if (sum < needed || (ordinals && !mk_allows(allowed, ordinals[place]))) continue;
      places[written] = place;
      scores[written++] = sum + blocks->offset[i];
    }
  }
  return written;
}

static size_t scan(const mk_codes *codes, int32_t floor, const mk_blocks *blocks, const mk_blocks *ahead,
                   uint32_t *places, int32_t *scores) {
  (void)ahead;
  return scan_some(codes, floor, blocks, NULL, NULL, places, scores);
}

static size_t scan_asking(const mk_codes *codes, int32_t floor, const mk_blocks *blocks, const mk_blocks *ahead,
                          const uint32_t *ordinals, const uint64_t *allowed, uint32_t *places, int32_t *scores) {
  (void)ahead;
  return scan_some(codes, floor, blocks, ordinals, allowed, places, scores);
}

static void score_rows(const uint8_t *rows, size_t stride, const uint8_t *step, const float *steps,
                       const uint32_t *places, size_t count, const int8_t *high, const int8_t *low, float *out) {
  for (size_t i = 0; i < count; i++) {
    const uint8_t *row = rows + places[i] * stride;
    int32_t sum = 0;
    for (size_t d = 0; d < stride; d++) sum += ((int32_t)row[d] - 128) * (128 * (int32_t)high[d] + low[d]);
    out[i] = (float)sum * steps[step[places[i]]];
  }
}

void mk_place_allowed_scalar(const uint32_t *ordinals, size_t count, const uint64_t *allowed, uint64_t *words) {
  for (size_t begin = 0; begin < count; begin += MK_BLOCK) {
    uint64_t word = 0;
    for (size_t i = begin; i < count && i < begin + MK_BLOCK; i++)
      word |= (uint64_t)mk_allows(allowed, ordinals[i]) << (i - begin);
    words[begin / MK_BLOCK] = word;
  }
}

const mk_index_kernels mk_scalar_index = {
    .name = "scalar",
    .level = MK_SCALAR,
    .products = products,
    .tables = tables,
    .choose = choose,
    .ask = ask,
    .scan = scan,
    .scan_asking = scan_asking,
    .score_rows = score_rows,
    .place_allowed = mk_place_allowed_scalar,
};
