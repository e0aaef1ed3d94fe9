#include <math.h>

#include "Levels.h"

float mk_quantise(const float *row, size_t dims, uint8_t *out) {
  float largest = 0;
  for (size_t d = 0; d < dims; d++) {
    float magnitude = fabsf(row[d]);
    if (magnitude > largest) largest = magnitude;
  }
  float scale = largest / 127.0f;
  float inverse = scale > 0 ? 1.0f / scale : 0;
  if (!(inverse < __builtin_inff())) scale = inverse = 0;  // too small for a float to divide by
  for (size_t d = 0; d < dims; d++) {
    float value = rintf(row[d] * inverse);
    if (value > 127) value = 127;
    if (value < -127) value = -127;
    out[d] = (uint8_t)((int)value + 128);
  }
  return scale;
}

void mk_pack(const float *w, size_t stride, size_t inputs, size_t columns, float *panels) {
  for (size_t c = 0; c < columns; c += MK_PANEL) {
    size_t width = columns - c < MK_PANEL ? columns - c : MK_PANEL;
    for (size_t k = 0; k < inputs; k++, panels += MK_PANEL) {
      for (size_t j = 0; j < width; j++) panels[j] = w[k * stride + c + j];
      for (size_t j = width; j < MK_PANEL; j++) panels[j] = 0;
    }
  }
}

void mk_pack_transposed(const float *w, size_t stride, size_t inputs, size_t columns, float *panels) {
  for (size_t c = 0; c < columns; c += MK_PANEL) {
    size_t width = columns - c < MK_PANEL ? columns - c : MK_PANEL;
    for (size_t k = 0; k < inputs; k++, panels += MK_PANEL) {
      for (size_t j = 0; j < width; j++) panels[j] = w[(c + j) * stride + k];
      for (size_t j = width; j < MK_PANEL; j++) panels[j] = 0;
    }
  }
}
