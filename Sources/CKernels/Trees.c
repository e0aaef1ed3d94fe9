#include "Trees.h"

const mk_tree_kernels *mk_trees_at_level(int32_t level) {
  if (!mk_at_level(level)) return NULL;
  switch (level) {
    case MK_SCALAR:
      return &mk_scalar_trees;
#if defined(__x86_64__)
    case MK_AVX2:
      return &mk_avx2_trees;
    case MK_AVX512:
      return &mk_avx512_trees;
#endif
    default:
      return NULL;
  }
}

const mk_tree_kernels *mk_trees_active(void) {
  const mk_tree_kernels *kernels = mk_trees_at_level(mk_active()->level);
  return kernels ? kernels : &mk_scalar_trees;
}

// The bit of a set that a value has: its category, or the one for other values, or the one for none. Values are cut off
// towards zero; what lies between -1 and 0 is category 0 only where `flat`.
static uint32_t category_bit(float value, uint32_t set_bits, int32_t flat) {
  if (value != value) return set_bits + 1;
  int is_low = flat ? value <= -1.0f : value < 0.0f;
  return !is_low && value < (float)set_bits ? (uint32_t)(int32_t)value : set_bits;
}

// Rows one after the other: categories are few, and a lookup is all there is to a plane.
static void category_planes(const mk_tree_column *column, const float *values, const uint64_t *sets,
                            int32_t flat, uint64_t *planes) {
  uint32_t bits[MK_TREE_ROWS];
  for (size_t r = 0; r < MK_TREE_ROWS; r++) bits[r] = category_bit(values[r], column->set_bits, flat);
  size_t words = mk_tree_set_words(column->set_bits);
  for (size_t p = 0; p < column->left_count; p++, sets += words) {
    for (size_t w = 0; w < MK_TREE_WORDS; w++) {
      uint64_t plane = 0;
      for (size_t r = 0; r < 64; r++) {
        uint32_t bit = bits[w * 64 + r];
        plane |= (sets[bit >> 6] >> (bit & 63) & 1) << r;
      }
      planes[p * MK_TREE_WORDS + w] = plane;
    }
  }
}

static void make_planes(const mk_tree_kernels *kernels, const mk_forest *forest, const float *rows, size_t stride,
                        size_t count, const mk_tree_scratch *scratch) {
  float *settled = scratch->turned + MK_TREE_GROUP * MK_TREE_ROWS;
  uint64_t *planes = scratch->planes;
  const float *thresholds = forest->thresholds;
  // No group yet.
  size_t turned = forest->feature_count;
  for (size_t i = 0; i < forest->column_count; i++) {
    const mk_tree_column *column = forest->columns + i;
    size_t group = column->feature / MK_TREE_GROUP * MK_TREE_GROUP;
    if (group != turned) {
      size_t features = forest->feature_count - group;
      kernels->turn(rows + group, stride, count, features < MK_TREE_GROUP ? features : MK_TREE_GROUP,
                    scratch->turned);
      turned = group;
    }
    const float *values = scratch->turned + (column->feature - group) * MK_TREE_ROWS;
    if (column->kind == MK_TREE_CATEGORY) {
      category_planes(column, values, forest->sets + column->set, forest->flat, planes);
    } else {
      if (column->kind != MK_TREE_AS_IT_IS || forest->flat) {
        kernels->settle(values, column->kind, forest->flat, settled);
        values = settled;
      }
      kernels->compare(values, thresholds, column->left_count, column->right_count, planes);
    }
    thresholds += column->left_count + column->right_count;
    planes += (size_t)(column->left_count + column->right_count) * MK_TREE_WORDS;
  }
}

void mk_trees_add(const mk_tree_kernels *kernels, const mk_forest *forest, const float *rows, size_t stride,
                  size_t count, const mk_tree_scratch *scratch, void *sums) {
  make_planes(kernels, forest, rows, stride, count, scratch);
  memset(scratch->slots + MK_TREE_ENTRY * MK_TREE_WORDS, 0xff, MK_TREE_WORDS * sizeof(uint64_t));
  kernels->walk(forest, scratch, sums);
}
