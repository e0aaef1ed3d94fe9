#include "Layers.h"

#include <math.h>

const mk_layer_kernels *mk_layers_at_level(int32_t level) {
  if (!mk_at_level(level)) return NULL;
  switch (level) {
    case MK_SCALAR:
      return &mk_scalar_layers;
#if defined(__x86_64__)
    case MK_AVX2:
      return &mk_avx2_layers;
    case MK_AVX512:
      return &mk_avx512_layers;
#endif
    default:
      return NULL;
  }
}

const mk_layer_kernels *mk_layers_active(void) {
  const mk_layer_kernels *kernels = mk_layers_at_level(mk_active()->level);
  return kernels ? kernels : &mk_scalar_layers;
}

void mk_pack_bytes(const int8_t *w, size_t inputs, size_t columns, size_t padded_inputs, int8_t *panels) {
  size_t padded_columns = (columns + MK_PANEL - 1) / MK_PANEL * MK_PANEL;
  memset(panels, 0, padded_inputs * padded_columns);
  for (size_t k = 0; k < inputs; k++)
    for (size_t c = 0; c < columns; c++)
      panels[c / MK_PANEL * MK_PANEL * padded_inputs + k / 4 * 4 * MK_PANEL + c % MK_PANEL * 4 + k % 4] =
          w[k * columns + c];
}

static void quantise(const float *x, size_t rows, size_t columns, const float *factor, const float *offset,
                     const float *fill, uint8_t *out, size_t out_stride) {
  for (size_t r = 0; r < rows; r++, x += columns, out += out_stride) {
    for (size_t c = 0; c < columns; c++) {
      float value = fmaf(x[c] == x[c] ? x[c] : fill[c], factor[c], offset[c]);
      // In this order minus infinity times zero, which is not a number, comes out as zero.
      value = value > 0 ? value : 0;
      out[c] = (uint8_t)(int32_t)rintf(value < 255 ? value : 255);
    }
    memset(out + columns, 0, out_stride - columns);
  }
}

static int32_t sum(const uint8_t *x, size_t inputs, const int8_t *weights, size_t step) {
  int32_t sum = 0;
  for (size_t k = 0; k < inputs; k++) sum += x[k] * weights[k / 4 * step + k % 4];
  return sum;
}

static void dense(const uint8_t *x, size_t x_stride, size_t rows, size_t inputs, const int8_t *weights,
                  size_t columns, const float *factor, const float *offset, uint8_t *out, size_t out_stride) {
  for (size_t r = 0; r < rows; r++) {
    for (size_t c = 0; c < columns; c++) {
      const int8_t *w = weights + c / MK_PANEL * MK_PANEL * inputs + c % MK_PANEL * 4;
      int32_t value = (int32_t)rintf(fmaf((float)sum(x + r * x_stride, inputs, w, 4 * MK_PANEL), factor[c], offset[c]));
      out[r * out_stride + c] = (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
    }
  }
}

static void last(const uint8_t *x, size_t x_stride, size_t rows, size_t inputs, const int8_t *weights, float factor,
                 float offset, float *out) {
  for (size_t r = 0; r < rows; r++) out[r] = fmaf((float)sum(x + r * x_stride, inputs, weights, 4), factor, offset);
}

const mk_layer_kernels mk_scalar_layers = {
    .name = "scalar", .level = MK_SCALAR, .quantise = quantise, .dense = dense, .last = last};
