#include "Index.h"

static uint32_t bin_of(const mk_pool *pool, int32_t score) {
  if (score <= pool->base) return 0;
  uint32_t bin = (uint32_t)(score - pool->base) >> pool->shift;
  return bin < MK_POOL_BINS ? bin : MK_POOL_BINS - 1;
}

void mk_pool_begin(mk_pool *pool, size_t keep, int32_t top, int32_t low) {
  memset(pool->bins, 0, MK_POOL_BINS * sizeof *pool->bins);
  pool->held = pool->inside = 0;
  pool->keep = keep;
  pool->bin = 0;
  pool->shift = 0;
  while (((int64_t)MK_POOL_BINS << pool->shift) < (int64_t)top - low) pool->shift++;
  pool->base = top - (MK_POOL_BINS << pool->shift);
  pool->floor = INT32_MIN;
}

static void drop_below(mk_pool *pool) {
  size_t kept = 0;
  for (size_t i = 0; i < pool->held; i++) {
    uint32_t place = pool->places[i];
    int32_t score = pool->scores[i];
    pool->places[kept] = place;
    pool->scores[kept] = score;
    kept += score >= pool->floor;
  }
  pool->held = kept;
}

static int64_t key_of(const mk_pool *pool, size_t i) {
  return (int64_t)pool->scores[i] * ((int64_t)1 << 32) + (uint32_t)~pool->places[i];
}

// Many of one score, which is rare: of equals those at lower places stay. The limit-th largest key is found by halving.
static void cut_to(mk_pool *pool, size_t limit) {
  if (pool->held > limit) {
    int64_t low = INT64_MAX, high = INT64_MIN;
    for (size_t i = 0; i < pool->held; i++) {
      int64_t key = key_of(pool, i);
      low = key < low ? key : low;
      high = key > high ? key : high;
    }
    while (low < high) {
      int64_t middle = (low >> 1) + (high >> 1) + ((low & 1) | (high & 1));
      size_t above = 0;
      for (size_t i = 0; i < pool->held; i++) above += key_of(pool, i) >= middle;
      if (above >= limit)
        low = middle;
      else
        high = middle - 1;
    }
    size_t kept = 0;
    for (size_t i = 0; i < pool->held; i++) {
      if (key_of(pool, i) < low) continue;
      pool->places[kept] = pool->places[i];
      pool->scores[kept++] = pool->scores[i];
    }
    pool->held = kept;
  }
  memset(pool->bins, 0, MK_POOL_BINS * sizeof *pool->bins);
  for (size_t i = 0; i < pool->held; i++) pool->bins[bin_of(pool, pool->scores[i])]++;
  pool->inside = pool->held;
}

void mk_pool_take(mk_pool *pool, size_t added, size_t next) {
  for (size_t i = 0; i < added; i++) pool->bins[bin_of(pool, pool->scores[pool->held + i])]++;
  pool->held += added;
  pool->inside += added;
  uint32_t bin = pool->bin;
  while (pool->inside - pool->bins[bin] >= pool->keep) pool->inside -= pool->bins[bin++];
  if (bin > pool->bin) {
    pool->bin = bin;
    pool->floor = pool->base + (int32_t)(bin << pool->shift);
  }
  if (pool->held + next <= pool->capacity) return;
  drop_below(pool);
  if (pool->held + next > pool->capacity) cut_to(pool, pool->keep);
}

void mk_pool_finish(mk_pool *pool, size_t limit) {
  drop_below(pool);
  if (pool->held > limit) cut_to(pool, limit);
}
