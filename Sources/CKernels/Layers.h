// What the files of the layer kernels share.
#ifndef LAYERS_H
#define LAYERS_H

#include "include/CKernels.h"

extern const mk_layer_kernels mk_scalar_layers;

#if defined(__x86_64__)
extern const mk_layer_kernels mk_avx2_layers;
extern const mk_layer_kernels mk_avx512_layers;
#endif

#endif
