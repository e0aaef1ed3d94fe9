// The arithmetic that ranking spends its time in: dot products, dense layers, selection.
//
// One table of functions is chosen at start from what the processor has. Every level gives the same bits: integers
// are exact, and floats are added in one fixed order (16 lanes with fused multiply-add, then a fixed tree; or one
// chain an output, from the bias, in the order of the inputs). The scalar level is the truth that tests hold the
// others to. Nothing here allocates, keeps state or checks its arguments: callers do.
#ifndef CKERNELS_H
#define CKERNELS_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "Index.h"
#include "Layers.h"
#include "Trees.h"

#pragma clang assume_nonnull begin

// Outputs of a dense layer, and centroids, are packed in panels of this many columns.
#define MK_PANEL 16
// Keys that mk_kernels.select may write beyond those that it reports.
#define MK_SELECT_SLACK 16
// Standard deviations beyond which a normalised feature says nothing more.
#define MK_FEATURE_LIMIT 8.0f

typedef enum { MK_SCALAR = 0, MK_AVX2 = 1, MK_AVX512 = 2 } mk_level;

typedef struct mk_kernels {
  const char *name;
  int32_t level;

  // out[i] = sum over d of (rows[i * stride + d] - 128) * query[d], exact. Rows are bytes biased by 128.
  void (*dot_bytes)(const uint8_t *rows, size_t stride, size_t count, const int8_t *query, size_t dims,
                    int32_t *out);
  // out[i] = row i of halves (`stride` in elements) times query.
  void (*dot_halves)(const uint16_t *rows, size_t stride, size_t count, const float *query, size_t dims,
                     float *out);
  // The same for the rows that `indices` names, fetched ahead.
  void (*dot_halves_at)(const uint16_t *rows, size_t stride, const uint32_t *indices, size_t count,
                        const float *query, size_t dims, float *out);
  void (*dot_floats)(const float *rows, size_t stride, size_t count, const float *query, size_t dims,
                     float *out);
  // Round to nearest, ties to even; not-a-number stays so.
  void (*halves_from_floats)(const float *in, size_t count, uint16_t *out);
  void (*floats_from_halves)(const uint16_t *in, size_t count, float *out);
  // sum[d] += weight * row[d], fused.
  void (*add_halves)(const uint16_t *row, float weight, size_t dims, float *sum);

  // out[r][c] = bias[c] + sum over k of x[r][k] * w[k][c], below zero cut off if `relu`.
  // `panels` holds w as [column / 16][k][16], zero padded; `bias` is padded to whole panels. Writes `columns` values
  // a row.
  void (*dense)(const float *x, size_t x_stride, size_t rows, size_t inputs, const float *panels,
                const float *bias, size_t columns, int32_t relu, float *out, size_t out_stride);
  // For each row the column with the largest value of `dense` without relu, the lowest column of equals.
  // Padded columns must have a bias of minus infinity.
  void (*nearest)(const float *x, size_t x_stride, size_t rows, size_t inputs, const float *panels,
                  const float *bias, size_t columns, uint32_t *column, float *value);
  // out = (x - mean) * scale within ± MK_FEATURE_LIMIT, and 0 where x is not a number. Rows are dense in `out`.
  void (*normalise)(const float *x, size_t rows, size_t columns, const float *mean, const float *scale,
                    float *out);

  // Writes a key (see mk_key) for each i with dots[i] * scales[i] >= threshold whose bit `first + ordinals[i]` is set
  // in `allowed`; returns how many. `keys` has room for count + MK_SELECT_SLACK. `passed` gets the number of i whose
  // bit is set, whatever their score.
  size_t (*select)(const int32_t *dots, const float *scales, const uint32_t *ordinals, uint32_t first,
                   size_t count, float threshold, const uint64_t *_Nullable allowed, uint64_t *keys,
                   size_t *passed);
  // Bits set in whole words.
  uint64_t (*count_bits)(const uint64_t *words, size_t count);
} mk_kernels;

// The table for this process: the best that the processor has, or what MARQUEE_KERNELS=scalar|avx2|avx512 asks for.
const mk_kernels *mk_active(void);
// One level's table, or null if this processor can't run it.
const mk_kernels *_Nullable mk_at_level(int32_t level);

// A score and an ordinal as one number that orders them: higher scores first, then lower ordinals. Not-a-number
// counts as minus infinity.
static inline uint64_t mk_key(float score, uint32_t ordinal) {
  uint32_t bits;
  if (score != score) score = -__builtin_inff();
  score += 0.0f;  // minus zero and zero are one score
  memcpy(&bits, &score, sizeof bits);
  bits ^= (uint32_t)((int32_t)bits >> 31) | 0x80000000u;
  return (uint64_t)bits << 32 | (uint32_t)~ordinal;
}

static inline float mk_key_score(uint64_t key) {
  uint32_t bits = (uint32_t)(key >> 32);
  bits ^= (bits >> 31) ? 0x80000000u : 0xffffffffu;
  float score;
  memcpy(&score, &bits, sizeof score);
  return score;
}

static inline uint32_t mk_key_ordinal(uint64_t key) { return ~(uint32_t)key; }

// Moves the `keep` largest keys to the front, in no order. O(count).
void mk_keep_largest(uint64_t *keys, size_t count, size_t keep);
void mk_sort_descending(uint64_t *keys, size_t count);

// Bytes biased by 128 with out = round(row / scale) + 128; returns the scale, largest magnitude / 127, or 0 for a row
// of zeros. The row must be finite.
float mk_quantise(const float *row, size_t dims, uint8_t *out);
// Packs w[inputs][columns] (row-major, `stride` floats a row) into panels, zero padded.
void mk_pack(const float *w, size_t stride, size_t inputs, size_t columns, float *panels);
// The same for w given as [columns][inputs].
void mk_pack_transposed(const float *w, size_t stride, size_t inputs, size_t columns, float *panels);

#pragma clang assume_nonnull end

#endif
