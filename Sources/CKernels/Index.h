// What the files of the index kernels share.
#ifndef INDEX_H
#define INDEX_H

#include <math.h>

#include "include/CKernels.h"

extern const mk_index_kernels mk_scalar_index;

#if defined(__x86_64__)
extern const mk_index_kernels mk_avx2_index;
extern const mk_index_kernels mk_avx512_index;
#endif

// Gathering where there are no masks is no faster: AVX2 has it too.
void mk_place_allowed_scalar(const uint32_t *ordinals, size_t count, const uint64_t *allowed, uint64_t *words);

// Bits of the titles of a block of which `rest` titles are left.
static inline uint64_t mk_titles(size_t rest) {
  return rest < MK_BLOCK ? ((uint64_t)1 << rest) - 1 : ~(uint64_t)0;
}

// Adds a block of a list.
static inline void mk_add_block(const mk_list *list, size_t block, int32_t offset, mk_blocks *out) {
  size_t title = block * MK_BLOCK;
  out->open[out->count] = mk_titles(list->titles - title);
  out->number[out->count] = list->number + (uint32_t)block;
  out->place[out->count] = list->place + (uint32_t)title;
  out->offset[out->count++] = offset;
  size_t rest = list->titles - title;
  out->titles += rest < MK_BLOCK ? rest : MK_BLOCK;
}

typedef void mk_choose_some(const mk_middles *middles, const mk_list *list, size_t first, size_t some, float least,
                            mk_blocks *out);

// Lists whose blocks' rows are fetched before they are looked into.
#define MK_LISTS_AHEAD 8

static inline void mk_fetch_middles(const mk_middles *middles, const mk_list *list) {
  size_t blocks = (list->titles + MK_BLOCK - 1) / MK_BLOCK;
  if (blocks > MK_TOGETHER) blocks = MK_TOGETHER;
  mk_fetch_bytes(middles->rows + list->number * middles->width, blocks * middles->width);
  mk_fetch_bytes(middles->spreads + list->number, blocks * sizeof *middles->spreads);
}

// `some` chooses among the blocks of one list.
static inline __attribute__((always_inline)) void mk_choose(mk_choose_some *choose_some, const mk_middles *middles,
                                                            const mk_list *lists, size_t end, float least,
                                                            float list_least, size_t wanted, mk_cursor *cursor,
                                                            mk_blocks *out) {
  while (out->count < wanted && cursor->list < end && lists[cursor->list].rank > list_least) {
    const mk_list *list = lists + cursor->list;
    if (cursor->block == 0 && cursor->list + MK_LISTS_AHEAD < end)
      mk_fetch_middles(middles, list + MK_LISTS_AHEAD);
    size_t left = (list->titles + MK_BLOCK - 1) / MK_BLOCK - cursor->block, room = MK_TOGETHER - out->count;
    size_t some = left < room ? left : room;
    if (some) choose_some(middles, list, cursor->block, some, least, out);
    cursor->block += some;
    if (some < left) return;
    *cursor = (mk_cursor){.list = cursor->list + 1, .block = 0};
  }
}

// Fetches the codes of what stands ahead of more blocks than are scanned.
static inline void mk_fetch_rest(const mk_codes *codes, size_t count, const mk_blocks *ahead) {
  size_t bytes = codes->pairs * MK_BLOCK;
  for (; count < ahead->count; count++) mk_fetch_bytes(codes->codes + ahead->number[count] * bytes, bytes);
}

// Closes what is not set in `allowed`, a word a block, and leaves the blocks that are not closed altogether.
static inline __attribute__((always_inline)) void mk_leave_open(const uint64_t *allowed, mk_blocks *blocks,
                                                                mk_seen *seen) {
  size_t left = 0;
  for (size_t i = 0; i < blocks->count; i++) {
    uint64_t open = blocks->open[i] & allowed[i];
    int64_t asked = __builtin_popcountll(blocks->open[i]), passed = __builtin_popcountll(open);
    seen->asked += asked;
    seen->passed += passed;
    seen->asked_pairs += asked * (asked - 1);
    seen->passed_pairs += passed * (passed - 1);
    blocks->open[left] = open;
    blocks->number[left] = blocks->number[i];
    blocks->place[left] = blocks->place[i];
    blocks->offset[left] = blocks->offset[i];
    left += open != 0;
  }
  blocks->count = left;
}

// A block's score in whole numbers.
static inline int32_t mk_whole(float value) {
  value = value < 0x1p24f ? value : 0x1p24f;
  return (int32_t)rintf(value > -0x1p24f ? value : -0x1p24f);
}

// The sum that a title needs: none can have it when it is more than 16 bits hold.
static inline int32_t mk_needed(int32_t floor, int32_t offset) {
  int64_t needed = (int64_t)floor - offset;
  return needed < 0 ? 0 : needed > 65536 ? 65536 : (int32_t)needed;
}

#endif
