// Dense layers on bytes: activations of 8 bits without a sign, weights of 8 bits with one, sums of 32 bits.
//
// Sums are exact. What follows them is one fused multiply-add and one rounding, ties to even, for each output, the same
// at every level. Nothing here checks that factors stay in range: callers do (see MK_LAYER_REACH).
#ifndef CKERNELS_LAYERS_H
#define CKERNELS_LAYERS_H

#include <stddef.h>
#include <stdint.h>

#pragma clang assume_nonnull begin

// Inputs of a layer are padded to whole words of so many, outputs to whole panels of MK_PANEL.
#define MK_LAYER_WORD 64
// Rows that a batch is padded to.
#define MK_LAYER_ROWS 12
// What |factor * sum + offset| must stay below, so that it has a rounded whole number of 32 bits.
#define MK_LAYER_REACH 1e9f

typedef struct mk_layer_kernels {
  const char *name;
  int32_t level;
  // out[r][c] = x[r][c] * factor[c] + offset[c], rounded, within 0...255; fill[c] takes the place of what is not a
  // number. `out_stride` is at least `columns`; the rest of a row is zero.
  void (*quantise)(const float *x, size_t rows, size_t columns, const float *factor, const float *offset,
                   const float *fill, uint8_t *out, size_t out_stride);
  // out[r][c] = sum * factor[c] + offset[c], rounded, within 0...255, for whole panels; sum over k of x[r][k] * w[k][c].
  // `rows` is a multiple of MK_LAYER_ROWS, `inputs` of 4. `weights` has [column / 16][k / 4][16][4].
  void (*dense)(const uint8_t *x, size_t x_stride, size_t rows, size_t inputs, const int8_t *weights,
                size_t columns, const float *factor, const float *offset, uint8_t *out, size_t out_stride);
  // out[r] = sum * factor + offset, for one output. `inputs` is a multiple of MK_LAYER_WORD.
  void (*last)(const uint8_t *x, size_t x_stride, size_t rows, size_t inputs, const int8_t *weights, float factor,
               float offset, float *out);
} mk_layer_kernels;

const mk_layer_kernels *mk_layers_active(void);
const mk_layer_kernels *_Nullable mk_layers_at_level(int32_t level);

// Packs w[inputs][columns] (row-major) into panels, zero padded to `padded_inputs`.
void mk_pack_bytes(const int8_t *w, size_t inputs, size_t columns, size_t padded_inputs, int8_t *panels);

#pragma clang assume_nonnull end

#endif
