// What the files of the scan kernels share: the table of each level.
#ifndef SCAN_LEVELS_H
#define SCAN_LEVELS_H

#include "include/CKernels.h"

extern const mk_scan_kernels mk_scan_scalar;

#if defined(__x86_64__)
extern const mk_scan_kernels mk_scan_avx2;
extern const mk_scan_kernels mk_scan_avx512;
#endif

#endif
