#include "Trees.h"

static void turn(const float *rows, size_t stride, size_t count, size_t features, float *out) {
  for (size_t r = 0; r < count; r++)
    for (size_t f = 0; f < features; f++) out[f * MK_TREE_ROWS + r] = rows[r * stride + f];
}

static void settle(const float *values, uint32_t kind, int32_t flat, float *out) {
  for (size_t r = 0; r < MK_TREE_ROWS; r++) {
    float value = values[r];
    int is_flat = value >= -MK_TREE_FLAT && value <= MK_TREE_FLAT;
    if (flat && is_flat) value = 0;
    if (kind == MK_TREE_ZERO_FOR_NAN && value != value) value = 0;
    if (kind == MK_TREE_ZERO_IS_NAN && is_flat) value = __builtin_nanf("");
    out[r] = value;
  }
}

static void compare(const float *values, const float *thresholds, size_t left_count, size_t right_count,
                    uint64_t *planes) {
  for (size_t t = 0; t < left_count + right_count; t++) {
    float threshold = thresholds[t];
    for (size_t w = 0; w < MK_TREE_WORDS; w++) {
      uint64_t plane = 0;
      for (size_t r = 0; r < 64; r++) {
        float value = values[w * 64 + r];
        plane |= (uint64_t)(t < left_count ? value > threshold : !(value <= threshold)) << r;
      }
      planes[t * MK_TREE_WORDS + w] = plane;
    }
  }
}

// From the rows at each leaf to the leaf of each row.
static void encode(const uint64_t *slots, size_t leaf_count, uint8_t *codes) {
  for (size_t w = 0; w < MK_TREE_WORDS; w++) {
    uint64_t planes[6] = {0};
    for (size_t leaf = 0; leaf < leaf_count; leaf++)
      for (size_t b = 0; b < 6; b++)
        if (leaf >> b & 1) planes[b] |= slots[leaf * MK_TREE_WORDS + w];
    for (size_t r = 0; r < 64; r++) {
      uint8_t code = 0;
      for (size_t b = 0; b < 6; b++) code |= (uint8_t)((planes[b] >> r & 1) << b);
      codes[w * 64 + r] = code;
    }
  }
}

static void walk(const mk_forest *forest, const mk_tree_scratch *scratch, void *sums) {
  uint64_t *slots = scratch->slots;
  for (size_t p = 0; p < forest->part_count; p++) {
    const mk_tree_part *part = forest->parts + p;
    uint64_t *own = slots + MK_TREE_LEAVES * MK_TREE_WORDS;
    const uint64_t *enter = slots + (MK_TREE_ENTRY + (size_t)part->entry) * MK_TREE_WORDS;
    memcpy(part->node_count ? own : slots, enter, MK_TREE_WORDS * sizeof *slots);
    for (size_t i = 0; i < part->node_count; i++) {
      const mk_tree_node *node = forest->nodes + part->node + i;
      const uint64_t *plane = scratch->planes + (size_t)node->plane * MK_TREE_WORDS;
      for (size_t w = 0; w < MK_TREE_WORDS; w++) {
        uint64_t rows = own[i * MK_TREE_WORDS + w];
        slots[node->left * MK_TREE_WORDS + w] = rows & ~plane[w];
        slots[node->right * MK_TREE_WORDS + w] = rows & plane[w];
      }
    }
    encode(slots, part->leaf_count, scratch->codes);
    size_t first = (size_t)part->output * MK_TREE_ROWS;
    if (forest->leaves_are_floats) {
      const float *leaves = (const float *)forest->leaves + part->leaf;
      float *sum = (float *)sums + first;
      for (size_t r = 0; r < MK_TREE_ROWS; r++) sum[r] += leaves[scratch->codes[r]];
    } else {
      const double *leaves = (const double *)forest->leaves + part->leaf;
      double *sum = (double *)sums + first;
      for (size_t r = 0; r < MK_TREE_ROWS; r++) sum[r] += leaves[scratch->codes[r]];
    }
  }
}

const mk_tree_kernels mk_scalar_trees = {
    .name = "scalar", .level = MK_SCALAR, .turn = turn, .settle = settle, .compare = compare, .walk = walk};
