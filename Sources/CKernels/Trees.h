// What the files of the tree kernels share.
#ifndef TREES_H
#define TREES_H

#include "include/CKernels.h"

extern const mk_tree_kernels mk_scalar_trees;

#if defined(__x86_64__)
extern const mk_tree_kernels mk_avx2_trees;
extern const mk_tree_kernels mk_avx512_trees;
#endif

// Values of a leaf table: every part has one of these two sizes.
static inline size_t mk_tree_table(size_t leaf_count) { return leaf_count > 32 ? 64 : 32; }

#endif
