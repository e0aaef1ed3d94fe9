#include "Index.h"

static uint32_t bin_of(const mk_pool *pool, int32_t score) {
  if (score <= pool->base) return 0;
  uint32_t bin = (uint32_t)(score - pool->base) >> pool->shift;
  return bin < MK_POOL_BINS ? bin : MK_POOL_BINS - 1;
}

void mk_pool_begin(mk_pool *pool, size_t keep) {
  pool->held = pool->inside = 0;
  pool->keep = keep;
  pool->bin = 0;
  pool->shift = MK_POOL_UNSPREAD;
  pool->base = pool->floor = INT32_MIN;
}

static void count_held(mk_pool *pool) {
  memset(pool->bins, 0, MK_POOL_BINS * sizeof *pool->bins);
  for (size_t i = 0; i < pool->held; i++) pool->bins[bin_of(pool, pool->scores[i])]++;
  pool->inside = pool->held;
}

// Spreads the bins over what is held, and half as much above: the lowest of it is in bin 1.
static void spread(mk_pool *pool) {
  int32_t low = pool->scores[0], high = pool->scores[0];
  for (size_t i = 1; i < pool->held; i++) {
    low = pool->scores[i] < low ? pool->scores[i] : low;
    high = pool->scores[i] > high ? pool->scores[i] : high;
  }
  int64_t range = ((int64_t)high - low) * 3 / 2 + 2;
  pool->shift = 0;
  while (((int64_t)MK_POOL_BINS << pool->shift) < range) pool->shift++;
  pool->base = low - (1 << pool->shift);
  pool->bin = 0;
  count_held(pool);
}

// To the bin that the keep-th best is in.
static void raise_floor(mk_pool *pool) {
  uint32_t bin = pool->bin;
  while (pool->inside - pool->bins[bin] >= pool->keep) pool->inside -= pool->bins[bin++];
  if (bin == pool->bin) return;
  pool->bin = bin;
  pool->floor = pool->base + (int32_t)(bin << pool->shift);
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
  if (pool->shift != MK_POOL_UNSPREAD) count_held(pool);
}

void mk_pool_take(mk_pool *pool, size_t added, size_t next) {
  if (pool->shift != MK_POOL_UNSPREAD)
    for (size_t i = 0; i < added; i++) pool->bins[bin_of(pool, pool->scores[pool->held + i])]++;
  pool->held += added;
  pool->inside += added;
  if (pool->inside >= pool->keep) {
    if (pool->shift == MK_POOL_UNSPREAD) spread(pool);
    raise_floor(pool);
    if (pool->bin == MK_POOL_BINS - 1) {
      // All that is held is better than was foreseen.
      drop_below(pool);
      spread(pool);
      raise_floor(pool);
    }
  }
  if (pool->held + next <= pool->capacity) return;
  drop_below(pool);
  if (pool->held + next > pool->capacity) cut_to(pool, pool->keep);
}

void mk_pool_finish(mk_pool *pool, size_t limit) {
  drop_below(pool);
  if (pool->held > limit) cut_to(pool, limit);
}
