// Boosted trees over a block of rows, without a branch a node.
//
// After QuickScorer (Lucchese et al. 2015) and RapidScorer (Ye et al. 2018), turned by a right angle: a bit is a row.
// Each different test of the forest is made once for all rows of a block and kept as a plane of bits, set where a row
// goes right. A tree is then walked for the whole block at once: the rows that reach a node, as bits, and the node's
// plane give the rows that reach its two children. What comes out is the number of each row's leaf, and that leaf's value is
// added in the order of the trees, so that sums have the bits that one row after the other would give.
#ifndef CKERNELS_TREES_H
#define CKERNELS_TREES_H

#include <stddef.h>
#include <stdint.h>

#pragma clang assume_nonnull begin

// Rows of a block, and the 64-bit words of a plane.
#define MK_TREE_ROWS 512
#define MK_TREE_WORDS 8
// Leaves of a part, at most. Larger trees are cut into parts.
#define MK_TREE_LEAVES 64
// Slots of bits for a part: its leaves, its nodes, and from here on the rows that enter other parts.
#define MK_TREE_ENTRY 128
// Features that are turned from rows to columns together: a cache line of each row.
#define MK_TREE_GROUP 16

// How a feature's value becomes what thresholds are compared with; not-a-number is a missing value there.
typedef enum {
  MK_TREE_ZERO_FOR_NAN = 0,   // not-a-number counts as zero
  MK_TREE_ZERO_IS_NAN = 1,    // zero counts as missing
  MK_TREE_AS_IT_IS = 2,
  MK_TREE_CATEGORY = 3        // the value is a category
} mk_tree_kind;

// Values so close to zero are zero where `flat` says so.
#define MK_TREE_FLAT 1e-35f

// Planes of one feature under one treatment of missing values. They stand in the order of the columns.
typedef struct mk_tree_column {
  uint32_t feature;
  uint32_t kind;
  // Planes whose rows without a value go left, then those whose rows without a value go right. Of categories: all
  // planes, and 0.
  uint32_t left_count, right_count;
  // Of categories: where the sets begin, in words, and how many categories each has bits for.
  uint32_t set, set_bits;
} mk_tree_column;

// A set has a bit for each category that goes right, then two: for other values, and for none. So many words a plane.
static inline size_t mk_tree_set_words(size_t bits) { return (bits + 2 + 63) / 64; }

// A tree, or a part of one. Its nodes come before their children.
typedef struct mk_tree_part {
  uint32_t node, leaf;        // where its nodes and its leaves' values begin
  uint16_t node_count, leaf_count;
  uint16_t entry;             // which slot from MK_TREE_ENTRY on has the rows that enter; 0 is all rows
  uint16_t output;            // which sum the leaves belong to
} mk_tree_part;

// Children are slots: a leaf's number, or MK_TREE_LEAVES + a node's number in the part, or MK_TREE_ENTRY + an entry.
typedef struct mk_tree_node {
  uint32_t plane;
  uint16_t left, right;
} mk_tree_node;

typedef struct mk_forest {
  const mk_tree_column *columns;
  size_t column_count;
  // One a plane; those of categories are not looked at.
  const float *thresholds;
  const uint64_t *_Nullable sets;
  const mk_tree_part *parts;
  size_t part_count;
  const mk_tree_node *_Nullable nodes;
  // Doubles or floats; each part's begin at a multiple of 32, with room for 32 or 64.
  const void *leaves;
  int32_t leaves_are_floats;
  // LightGBM's ways: values within ± MK_TREE_FLAT are zero, and categories above -1 are cut off to zero.
  int32_t flat;
  size_t feature_count, output_count;
} mk_forest;

// Aligned to 64 bytes. `turned` has room for (MK_TREE_GROUP + 1) * MK_TREE_ROWS, `planes` for MK_TREE_WORDS a plane,
// `slots` for MK_TREE_WORDS each of MK_TREE_ENTRY + entries, `codes` for MK_TREE_ROWS.
typedef struct mk_tree_scratch {
  float *turned;
  uint64_t *planes, *slots;
  uint8_t *codes;
} mk_tree_scratch;

typedef struct mk_tree_kernels {
  const char *name;
  int32_t level;
  // out[f][r] = rows[r][f] for up to MK_TREE_GROUP features; columns of MK_TREE_ROWS.
  void (*turn)(const float *rows, size_t stride, size_t count, size_t features, float *out);
  // Values as the column's kind has them.
  void (*settle)(const float *values, uint32_t kind, int32_t flat, float *out);
  // A plane for each threshold: bits where value > threshold. In the first `left_count` a missing value has no bit,
  // in the others it has one.
  void (*compare)(const float *values, const float *thresholds, size_t left_count, size_t right_count,
                  uint64_t *planes);
  // Walks all parts and adds the leaves of each to `sums[output * MK_TREE_ROWS + row]`, doubles or floats.
  void (*walk)(const mk_forest *forest, const mk_tree_scratch *scratch, void *sums);
} mk_tree_kernels;

const mk_tree_kernels *mk_trees_active(void);
const mk_tree_kernels *_Nullable mk_trees_at_level(int32_t level);

// Adds the trees' values of up to MK_TREE_ROWS rows to `sums`, which has MK_TREE_ROWS places for each output, aligned
// to 64 bytes. Rows are `stride` floats apart.
void mk_trees_add(const mk_tree_kernels *kernels, const mk_forest *forest, const float *rows, size_t stride,
                  size_t count, const mk_tree_scratch *scratch, void *sums);

#pragma clang assume_nonnull end

#endif
