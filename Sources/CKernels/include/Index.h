// The index's arithmetic: codes of 4 bits summed from tables, rows of bytes scored by place, and the pool that keeps the
// best without sorting what is thrown away.
//
// Sums are whole numbers and exact. A float comes of one conversion and one multiplication. Nothing here checks its
// arguments: callers do.
#ifndef CKERNELS_INDEX_H
#define CKERNELS_INDEX_H

#include <stddef.h>
#include <stdint.h>

#pragma clang assume_nonnull begin

// Titles of a block of codes: one for each byte lane of the widest vector.
#define MK_BLOCK 64
// Codewords of a book, and floats of its row.
#define MK_BOOK 16
// Pairs of codes: so many sums of two tables, each below 256, fit 16 bits.
#define MK_PAIR_LIMIT 256
#define MK_POOL_BINS 4096
// Candidates that a scan may write beyond those that there are.
#define MK_KEEP_SLACK 16

// What is fetched while codes are summed, block by block: those of a list that is scanned later, and its ordinals where
// a scan asks about some. `count` titles; 0 for nothing.
typedef struct mk_ahead {
  const uint8_t *_Nullable codes;
  const uint32_t *_Nullable ordinals;
  size_t count;
} mk_ahead;

typedef struct mk_index_kernels {
  const char *name;
  int32_t level;
  // out[g][j] = sum over d of group g of query[d] * book[d][j], fused, in the order of d; the least and the largest of
  // each group.
  void (*products)(const float *query, const uint16_t *widths, size_t groups, const float *book, float *out,
                   float *least, float *largest);
  // out[g][j] = (products[g][j] - least[g]) * factor, rounded, ties to even. The caller keeps it below 256.
  void (*tables)(const float *products, const float *least, size_t groups, float factor, uint8_t *out);
  // Sums, for each of `count` titles, its two entries of `pairs` pairs of tables. Where sum + offset >= floor writes
  // first + the title's number to `places` and the sum + offset to `scores`, in order; returns how many. Codes are
  // blocks of MK_BLOCK titles: for each pair a byte a title, the first table's code below the second's. Tables stand in
  // pairs, and the two largest entries of a pair are 255 or less together. Both outputs have room for `count` +
  // MK_KEEP_SLACK.
  // Where there is `open`, a bit a title, titles whose bit is not set are left out, and blocks without any not read.
  size_t (*scan)(const uint8_t *codes, size_t count, size_t pairs, const uint8_t *tables, int32_t floor,
                 int32_t offset, const uint64_t *_Nullable open, const mk_ahead *ahead, uint32_t first,
                 uint32_t *places, int32_t *scores);
  // The same without `open`; left out are titles whose ordinals, one a title, have not their bit set in `allowed`. Only
  // those whose sums are enough are looked up: `asked` gets their number.
  size_t (*scan_asking)(const uint8_t *codes, size_t count, size_t pairs, const uint8_t *tables, int32_t floor,
                        int32_t offset, const uint32_t *ordinals, const uint64_t *allowed, const mk_ahead *ahead,
                        uint32_t first, uint32_t *places, int32_t *scores, size_t *asked);
  // out[i] = steps[step[places[i]]] * sum over d of (row[d] - 128) * query[d], for the rows that `places` names, fetched
  // ahead. `stride` is a multiple of 64, and the query's numbers are 128 * high + low.
  void (*score_rows)(const uint8_t *rows, size_t stride, const uint8_t *step, const float *steps,
                     const uint32_t *places, size_t count, const int8_t *high, const int8_t *low, float *out);
  // A bit for each of `count` titles, in words of MK_BLOCK: whether its ordinal has its bit set in `allowed`. The last
  // word is filled up with zeros.
  void (*place_allowed)(const uint32_t *ordinals, size_t count, const uint64_t *allowed, uint64_t *words);
} mk_index_kernels;

const mk_index_kernels *mk_index_active(void);
const mk_index_kernels *_Nullable mk_index_at_level(int32_t level);

// Writes the query as whole numbers of 15 bits, 128 * high + low, padded with zeros to `stride`; returns what a unit is
// worth, or 0 for a query of zeros.
float mk_quantise_query(const float *query, size_t dims, size_t stride, int8_t *high, int8_t *low);
// Quantises a row by a step that is given: at least its largest magnitude / 127. Padded with 128 to `stride`.
void mk_quantise_by(const float *row, size_t dims, size_t stride, float step, uint8_t *out);

// sum[d] += factor * row[d]
void mk_add_scaled(const float *row, float factor, size_t dims, float *sum);

// out[i] = dots[i] + weights[i] * factor, its fraction cut off; what is added is not below zero, nor above 2^30.
void mk_add_weights(const int32_t *dots, const float *weights, float factor, size_t count, int32_t *out);

// Candidates whose score may be among the `keep` best. Scores are counted in bins; what lies below the bin that the
// keep-th best is in, is not let in any more.
typedef struct mk_pool {
  uint32_t *places;
  int32_t *scores;
  // MK_POOL_BINS of them.
  uint32_t *bins;
  size_t capacity, held, keep;
  // Held in the bins from `bin` on.
  size_t inside;
  uint32_t bin;
  int32_t shift;
  // The lowest score of bin 0, and the score that candidates must have from here on.
  int32_t base, floor;
} mk_pool;
// The shift of bins as long as fewer than `keep` are held.
#define MK_POOL_UNSPREAD (-1)

// The bins are spread over what is held as soon as that is enough. At least one must be kept; scores lie within 2^24 of 0.
void mk_pool_begin(mk_pool *pool, size_t keep);
// Counts the `added` candidates that stand behind those held, and raises the floor. Room for `next` more is made.
void mk_pool_take(mk_pool *pool, size_t added, size_t next);
// Lets go of all that are below the floor. At most `limit` stay: of equals those at lower places.
void mk_pool_finish(mk_pool *pool, size_t limit);

// A score at most, and close to, the `want`-th largest of dots[i] * scales[i]: for mk_kernels.select. `maxima` has room
// for count / 2 keys.
float mk_threshold(const int32_t *dots, const float *scales, size_t count, size_t want, uint64_t *maxima);
// Puts the `keep` largest keys in front, in order. `spare` has room for `count`.
void mk_best_in_order(uint64_t *keys, size_t count, size_t keep, uint64_t *spare);

static inline void mk_prefetch(const void *address) { __builtin_prefetch(address, 0, 3); }
static inline void mk_prefetch_bytes(const void *address, size_t bytes) {
  for (size_t line = 0; line < bytes; line += 64) __builtin_prefetch((const char *)address + line, 0, 3);
}
// The same, for what is read a little later: into the second cache.
static inline void mk_fetch(const void *address) { __builtin_prefetch(address, 0, 2); }
static inline void mk_fetch_bytes(const void *address, size_t bytes) {
  for (size_t line = 0; line < bytes; line += 64) mk_fetch((const char *)address + line);
}

#pragma clang assume_nonnull end

#endif
