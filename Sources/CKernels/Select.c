#include "Levels.h"

static inline void swap(uint64_t *a, uint64_t *b) {
  uint64_t held = *a;
  *a = *b;
  *b = held;
}

static void insertion(uint64_t *keys, size_t count) {
  for (size_t i = 1; i < count; i++) {
    uint64_t key = keys[i];
    size_t j = i;
    for (; j > 0 && keys[j - 1] < key; j--) keys[j] = keys[j - 1];
    keys[j] = key;
  }
}

// Puts the median of three at the front, and splits by it: returns its place; larger or equal keys lie before it.
static size_t split(uint64_t *keys, size_t count) {
  size_t middle = count / 2;
  if (keys[middle] > keys[count - 1]) swap(&keys[middle], &keys[count - 1]);
  if (keys[middle] > keys[0]) swap(&keys[middle], &keys[0]);
  if (keys[0] > keys[count - 1]) swap(&keys[0], &keys[count - 1]);
  // Now the middle holds the smallest of the three, the end the largest, and the front the median.
  uint64_t pivot = keys[0];
  size_t place = 1;
  for (size_t i = 1; i < count; i++) {
    // Without a branch: which side a key falls on can't be foretold.
    uint64_t key = keys[i];
    keys[i] = keys[place];
    keys[place] = key;
    place += key > pivot;
  }
  place -= 1;
  swap(&keys[0], &keys[place]);
  return place;
}

static void sift(uint64_t *keys, size_t root, size_t count) {
  // A heap with its smallest key on top.
  for (size_t child; (child = 2 * root + 1) < count; root = child) {
    if (child + 1 < count && keys[child + 1] < keys[child]) child++;
    if (keys[root] <= keys[child]) return;
    swap(&keys[root], &keys[child]);
  }
}

static void heap_sort(uint64_t *keys, size_t count) {
  for (size_t i = count / 2; i-- > 0;) sift(keys, i, count);
  for (size_t end = count; end-- > 1;) {
    swap(&keys[0], &keys[end]);
    sift(keys, 0, end);
  }
}

static unsigned bits_of(size_t count) {
  unsigned bits = 0;
  for (; count; count >>= 1) bits++;
  return bits;
}

void mk_keep_largest(uint64_t *keys, size_t count, size_t keep) {
  if (keep == 0 || keep >= count) return;
  // Keys that always split badly cost one heap sort instead of the square.
  for (unsigned budget = 4 * bits_of(count); count > 24; budget--) {
    if (budget == 0) {
      heap_sort(keys, count);
      return;
    }
    size_t place = split(keys, count);
    if (place == keep || place + 1 == keep) return;
    if (place > keep) {
      count = place;
    } else {
      keys += place + 1;
      keep -= place + 1;
      count -= place + 1;
    }
  }
  insertion(keys, count);
}

static void sort(uint64_t *keys, size_t count, unsigned budget) {
  while (count > 24) {
    if (budget-- == 0) {
      heap_sort(keys, count);
      return;
    }
    size_t place = split(keys, count);
    size_t after = count - place - 1;
    if (place < after) {
      sort(keys, place, budget);
      keys += place + 1;
      count = after;
    } else {
      sort(keys + place + 1, after, budget);
      count = place;
    }
  }
  insertion(keys, count);
}

void mk_sort_descending(uint64_t *keys, size_t count) { sort(keys, count, 4 * bits_of(count)); }

void mk_best_in_order(uint64_t *keys, size_t count, size_t keep, uint64_t *spare) {
  if (keep > count) keep = count;
  if (count < 128) {
    mk_keep_largest(keys, count, keep);
    mk_sort_descending(keys, keep);
    return;
  }
  uint64_t least = keys[0], largest = keys[0];
  for (size_t i = 1; i < count; i++) {
    if (keys[i] < least) least = keys[i];
    if (keys[i] > largest) largest = keys[i];
  }
  // Dealt into buckets that lie in order; then each is put in order. Buckets below the keep-th key are left out.
  enum { buckets = 1024 };
  unsigned shift = 0;
  while ((largest - least) >> shift >= buckets) shift++;
  uint32_t place[buckets + 1];
  memset(place, 0, sizeof place);
  for (size_t i = 0; i < count; i++) place[buckets - 1 - ((keys[i] - least) >> shift)]++;
  uint32_t next = 0;
  size_t used = 0;
  for (; used < buckets && next < keep; used++) {
    uint32_t held = place[used];
    place[used] = next;
    next += held;
  }
  for (size_t i = 0; i < count; i++) {
    size_t bucket = buckets - 1 - ((keys[i] - least) >> shift);
    if (bucket < used) spare[place[bucket]++] = keys[i];
  }
  // Each place has moved on to the end of its bucket.
  uint32_t begin = 0;
  for (size_t bucket = 0; bucket < used; bucket++) {
    uint32_t held = place[bucket] - begin;
    if (held > 1) sort(spare + begin, held, 4 * bits_of(held));
    begin = place[bucket];
  }
  memcpy(keys, spare, keep * sizeof *keys);
}
