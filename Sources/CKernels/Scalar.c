// The truth: each kernel as plainly as it can be written, in the order of additions that all levels keep.
#include <math.h>

#include "Levels.h"

uint16_t mk_half_from_float(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  uint32_t sign = bits >> 16 & 0x8000;
  bits &= 0x7fffffff;
  if (bits > 0x7f800000) return (uint16_t)(sign | 0x7e00 | (bits >> 13 & 0x3ff));  // quiet, as the hardware does
  if (bits >= 0x477ff000) return (uint16_t)(sign | 0x7c00);                        // rounds to infinity
  if (bits < 0x33000001) return (uint16_t)sign;                                    // rounds to zero
  if (bits < 0x38800000) {
    // Below the smallest normal half: the implicit one becomes part of the fraction.
    uint32_t shift = 126 - (bits >> 23);
    uint32_t fraction = (bits & 0x7fffff) | 0x800000;
    uint32_t kept = fraction >> shift;
    uint32_t rest = fraction & ((1u << shift) - 1), halfway = 1u << (shift - 1);
    kept += rest > halfway || (rest == halfway && (kept & 1));
    return (uint16_t)(sign | kept);
  }
  uint32_t rounded = bits + 0xfff + (bits >> 13 & 1) - (112u << 23);
  return (uint16_t)(sign | rounded >> 13);
}

float mk_float_from_half(uint16_t half) {
  uint32_t sign = (uint32_t)(half & 0x8000) << 16, exponent = half >> 10 & 31, fraction = half & 0x3ff, bits;
  if (exponent == 31) {
    bits = sign | 0x7f800000 | fraction << 13 | (fraction ? 0x400000 : 0);
  } else if (exponent) {
    bits = sign | (exponent + 112) << 23 | fraction << 13;
  } else if (fraction) {
    uint32_t shift = (uint32_t)__builtin_clz(fraction) - 21;
    bits = sign | (113 - shift) << 23 | (fraction << (shift + 13) & 0x7fffff);
  } else {
    bits = sign;
  }
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

static void dot_bytes(const uint8_t *rows, size_t stride, size_t count, const int8_t *query, size_t dims,
                      int32_t *out) {
  for (size_t i = 0; i < count; i++) {
    int32_t sum = 0;
    for (size_t d = 0; d < dims; d++) sum += ((int32_t)rows[i * stride + d] - 128) * query[d];
    out[i] = sum;
  }
}

// 16 lanes folded in half four times.
static float fold(float *lane) {
  for (int half = 8; half > 0; half /= 2)
    for (int i = 0; i < half; i++) lane[i] += lane[i + half];
  return lane[0];
}

static float dot_half_row(const uint16_t *row, const float *query, size_t dims) {
  float lane[16] = {0};
  for (size_t d = 0; d < (dims + 15) / 16 * 16; d++)
    lane[d % 16] = fmaf(d < dims ? mk_float_from_half(row[d]) : 0, d < dims ? query[d] : 0, lane[d % 16]);
  return fold(lane);
}

static void dot_halves(const uint16_t *rows, size_t stride, size_t count, const float *query, size_t dims,
                       float *out) {
  for (size_t i = 0; i < count; i++) out[i] = dot_half_row(rows + i * stride, query, dims);
}

static void dot_halves_at(const uint16_t *rows, size_t stride, const uint32_t *indices, size_t count,
                          const float *query, size_t dims, float *out) {
  for (size_t i = 0; i < count; i++) out[i] = dot_half_row(rows + indices[i] * stride, query, dims);
}

static void dot_floats(const float *rows, size_t stride, size_t count, const float *query, size_t dims,
                       float *out) {
  for (size_t i = 0; i < count; i++) {
    float lane[16] = {0};
    for (size_t d = 0; d < (dims + 15) / 16 * 16; d++)
      lane[d % 16] = fmaf(d < dims ? rows[i * stride + d] : 0, d < dims ? query[d] : 0, lane[d % 16]);
    out[i] = fold(lane);
  }
}

static void halves_from_floats(const float *in, size_t count, uint16_t *out) {
  for (size_t i = 0; i < count; i++) out[i] = mk_half_from_float(in[i]);
}

static void floats_from_halves(const uint16_t *in, size_t count, float *out) {
  for (size_t i = 0; i < count; i++) out[i] = mk_float_from_half(in[i]);
}

static void add_halves(const uint16_t *row, float weight, size_t dims, float *sum) {
  for (size_t d = 0; d < dims; d++) sum[d] = fmaf(weight, mk_float_from_half(row[d]), sum[d]);
}

static float dense_value(const float *x, size_t inputs, const float *panels, const float *bias, size_t column) {
  const float *w = panels + column / MK_PANEL * MK_PANEL * inputs + column % MK_PANEL;
  float sum = bias[column];
  for (size_t k = 0; k < inputs; k++) sum = fmaf(x[k], w[k * MK_PANEL], sum);
  return sum;
}

static void dense(const float *x, size_t x_stride, size_t rows, size_t inputs, const float *panels,
                  const float *bias, size_t columns, int32_t relu, float *out, size_t out_stride) {
  for (size_t r = 0; r < rows; r++) {
    for (size_t c = 0; c < columns; c++) {
      float value = dense_value(x + r * x_stride, inputs, panels, bias, c);
      out[r * out_stride + c] = !relu || value > 0 ? value : 0;
    }
  }
}

static void nearest(const float *x, size_t x_stride, size_t rows, size_t inputs, const float *panels,
                    const float *bias, size_t columns, uint32_t *column, float *value) {
  for (size_t r = 0; r < rows; r++) {
    column[r] = 0;
    value[r] = -__builtin_inff();
    for (size_t c = 0; c < columns; c++) {
      float here = dense_value(x + r * x_stride, inputs, panels, bias, c);
      if (here > value[r]) {
        column[r] = (uint32_t)c;
        value[r] = here;
      }
    }
  }
}

static void normalise(const float *x, size_t rows, size_t columns, const float *mean, const float *scale,
                      float *out) {
  for (size_t r = 0; r < rows; r++) {
    for (size_t c = 0; c < columns; c++) {
      float value = (x[r * columns + c] - mean[c]) * scale[c];
      if (value > MK_FEATURE_LIMIT) value = MK_FEATURE_LIMIT;
      if (value < -MK_FEATURE_LIMIT) value = -MK_FEATURE_LIMIT;
      out[r * columns + c] = value == value ? value : 0;
    }
  }
}

static size_t select_keys(const int32_t *dots, const float *scales, const uint32_t *ordinals, uint32_t first,
                          size_t count, float threshold, const uint64_t *allowed, uint64_t *keys,
                          size_t *passed) {
  size_t written = 0, open = 0;
  for (size_t i = 0; i < count; i++) {
    if (allowed && !mk_allows(allowed, first + ordinals[i])) continue;
    open++;
    float score = (float)dots[i] * scales[i];
    if (score >= threshold) keys[written++] = mk_key(score, first + ordinals[i]);
  }
  *passed = open;
  return written;
}

static uint64_t count_bits(const uint64_t *words, size_t count) {
  uint64_t bits = 0;
  for (size_t i = 0; i < count; i++) bits += (uint64_t)__builtin_popcountll(words[i]);
  return bits;
}

const mk_kernels mk_scalar_kernels = {
    .name = "scalar",
    .level = MK_SCALAR,
    .dot_bytes = dot_bytes,
    .dot_halves = dot_halves,
    .dot_halves_at = dot_halves_at,
    .dot_floats = dot_floats,
    .halves_from_floats = halves_from_floats,
    .floats_from_halves = floats_from_halves,
    .add_halves = add_halves,
    .dense = dense,
    .nearest = nearest,
    .normalise = normalise,
    .select = select_keys,
    .count_bits = count_bits,
};
