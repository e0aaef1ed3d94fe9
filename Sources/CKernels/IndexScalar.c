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

static int32_t sum_of(const uint8_t *codes, size_t title, size_t pairs, const uint8_t *tables) {
  const uint8_t *column = codes + title / MK_BLOCK * MK_BLOCK * pairs + title % MK_BLOCK;
  int32_t sum = 0;
  for (size_t p = 0; p < pairs; p++) {
    uint8_t both = column[p * MK_BLOCK];
    sum += tables[2 * p * MK_BOOK + (both & 15)] + tables[(2 * p + 1) * MK_BOOK + (both >> 4)];
  }
  return sum;
}

static size_t scan(const uint8_t *codes, size_t count, size_t pairs, const uint8_t *tables, int32_t floor,
                   int32_t offset, const uint64_t *open, const mk_ahead *ahead, uint32_t first, uint32_t *places,
                   int32_t *scores) {
  (void)ahead;
  int32_t needed = mk_needed(floor, offset);
  size_t written = 0;
  for (size_t title = 0; title < count; title++) {
    if (open && !mk_allows(open, (uint32_t)title)) continue;
    int32_t sum = sum_of(codes, title, pairs, tables);
    if (sum < needed) continue;
    places[written] = first + (uint32_t)title;
    scores[written++] = sum + offset;
  }
  return written;
}

static size_t scan_asking(const uint8_t *codes, size_t count, size_t pairs, const uint8_t *tables, int32_t floor,
                          int32_t offset, const uint32_t *ordinals, const uint64_t *allowed, const mk_ahead *ahead,
                          uint32_t first, uint32_t *places, int32_t *scores, size_t *asked) {
  (void)ahead;
  int32_t needed = mk_needed(floor, offset);
  size_t written = 0;
  *asked = 0;
  for (size_t title = 0; title < count; title++) {
    int32_t sum = sum_of(codes, title, pairs, tables);
    if (sum < needed) continue;
    ++*asked;
    if (!mk_allows(allowed, ordinals[title])) continue;
    places[written] = first + (uint32_t)title;
    scores[written++] = sum + offset;
  }
  return written;
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
    .scan = scan,
    .scan_asking = scan_asking,
    .score_rows = score_rows,
    .place_allowed = mk_place_allowed_scalar,
};
