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

// Blocks that are scanned: their numbers, the places of their first titles, what is added to their titles' sums, and a
// bit for each title that may pass. MK_TOGETHER at most; more may be written.
#define MK_TOGETHER 64
typedef struct mk_blocks {
  size_t count;
  // Of the blocks, as they were chosen.
  size_t titles;
  uint64_t open[MK_TOGETHER + 16];
  uint32_t number[MK_TOGETHER + 16];
  uint32_t place[MK_TOGETHER + 16];
  int32_t offset[MK_TOGETHER + 16];
} mk_blocks;

// What blocks are chosen by: where the titles of each lie from their list's centroid, and how far from there, beside a
// query. `rows` are biased by 128, of `width` bytes, a multiple of 4: of a list the first 4 bytes of all blocks, then the
// second 4, and so on. `bias` is 128 times the sum of the query's numbers. A product is worth `unit`, a spread `weight`,
// both at most 1e20.
typedef struct mk_middles {
  const uint8_t *rows;
  size_t width;
  const float *spreads;
  const int8_t *query;
  int32_t bias;
  float unit;
  float weight;
} mk_middles;

// A list of `titles`, the first at `place`, in blocks of which the first has `number`; what it ranks by, and what its
// centroid scores.
typedef struct mk_list {
  uint32_t number, place, titles;
  float rank, score;
} mk_list;

// Where a choice goes on: so many lists are done, and of the next one so many blocks.
typedef struct mk_cursor {
  size_t list, block;
} mk_cursor;

// Titles that a filter was asked about and those that it let pass; pairs of them within a block.
typedef struct mk_seen {
  int64_t asked, passed, asked_pairs, passed_pairs;
} mk_seen;

// The codes that are summed, and what they are summed with: `pairs` pairs of tables, of which the two largest entries of
// a pair are 255 or less together. Codes are blocks of MK_BLOCK titles: for each pair a byte a title, the first table's
// code below the second's.
typedef struct mk_codes {
  const uint8_t *codes;
  size_t pairs;
  const uint8_t *tables;
} mk_codes;

typedef struct mk_index_kernels {
  const char *name;
  int32_t level;
  // out[g][j] = sum over d of group g of query[d] * book[d][j], fused, in the order of d; the least and the largest of
  // each group.
  void (*products)(const float *query, const uint16_t *widths, size_t groups, const float *book, float *out,
                   float *least, float *largest);
  // out[g][j] = (products[g][j] - least[g]) * factor, rounded, ties to even. The caller keeps it below 256.
  void (*tables)(const float *products, const float *least, size_t groups, float factor, uint8_t *out);
  // Chooses among the blocks of lists, from the cursor on to the list `end`, those for which the list's score, the product
  // with the block's row and its spread are more than `least`. Adds them to `out` with their scores, rounded, at most 2^24
  // either way. Ends where there are `wanted` or more, or before a list that has blocks left and ranks no higher than
  // `list_least`.
  void (*choose)(const mk_middles *middles, const mk_list *lists, size_t end, float least, float list_least,
                 size_t wanted, mk_cursor *cursor, mk_blocks *out);
  // Closes what a filter doesn't let pass: `placed` has a word for each block's number or, if it is NULL, `allowed` a
  // bit for each of `ordinals`, which are by place. Leaves the blocks that are not closed altogether.
  void (*ask)(const uint64_t *_Nullable placed, const uint32_t *ordinals, const uint64_t *allowed, mk_blocks *blocks,
              mk_seen *seen);
  // Sums, for each title of the blocks, its entries of the tables. Where sum + offset >= floor, and the title is open,
  // writes its place, and the sum + offset to `scores`, in order; returns how many. Both outputs have room for all titles
  // + MK_KEEP_SLACK. Fetches the codes of `ahead` meanwhile.
  size_t (*scan)(const mk_codes *codes, int32_t floor, const mk_blocks *blocks, const mk_blocks *ahead,
                 uint32_t *places, int32_t *scores);
  // The same; left out are titles whose ordinals have not their bit set in `allowed`. Only those whose sums are enough are
  // looked up. Fetches the ordinals of `ahead`, too.
  size_t (*scan_asking)(const mk_codes *codes, int32_t floor, const mk_blocks *blocks, const mk_blocks *ahead,
                        const uint32_t *ordinals, const uint64_t *allowed, uint32_t *places, int32_t *scores);
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

// Fetches what blocks of the first lists are chosen by.
void mk_fetch_lists(const mk_middles *middles, const mk_list *_Nullable lists, size_t count);
// Fetches the codes of blocks, and their ordinals; NULL for what is not needed.
void mk_fetch_blocks(const mk_codes *_Nullable codes, const uint32_t *_Nullable ordinals, const mk_blocks *blocks);

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
