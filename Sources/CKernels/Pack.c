#include "Levels.h"

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
