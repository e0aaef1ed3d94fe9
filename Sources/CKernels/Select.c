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

// One pass of a radix sort, by 8 bits of how far keys lie below the largest. `count_of` has been counted.
static void deal(const uint64_t *from, size_t count, uint64_t largest, unsigned shift, uint32_t *count_of,
                 uint64_t *to) {
  uint32_t next = 0;
  for (size_t digit = 0; digit < 256; digit++) {
    uint32_t held = count_of[digit];
    count_of[digit] = next;
    next += held;
  }
  for (size_t i = 0; i < count; i++) to[count_of[(largest - from[i]) >> shift & 255]++] = from[i];
}

void mk_best_in_order(uint64_t *keys, size_t count, size_t keep, uint64_t *spare) {
  if (keep > count) keep = count;
  if (keep == 0) return;
  if (count < 128) {
    mk_keep_largest(keys, count, keep);
    mk_sort_descending(keys, keep);
    return;
  }
  uint64_t least = keys[0], largest = keys[0];
  for (size_t i = 1; i < count; i++) {
    least = keys[i] < least ? keys[i] : least;
    largest = keys[i] > largest ? keys[i] : largest;
  }
  // Of how far a key lies below the largest, the upper 16 bits: two passes of 8, then hardly anything is out of order.
  unsigned shift = bits_of(largest - least) > 16 ? bits_of(largest - least) - 16 : 0;
  uint32_t upper[256] = {0}, lower[256] = {0};
  for (size_t i = 0; i < count; i++) upper[(largest - keys[i]) >> (shift + 8)]++;
  // Those below the keep-th best go first.
  if (keep < count) {
    size_t digit = 0, above = 0;
    while (above + upper[digit] < keep) above += upper[digit++];
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
      uint64_t key = keys[i];
      keys[kept] = key;
      kept += (largest - key) >> (shift + 8) <= digit;
    }
    count = kept;
    memset(upper + digit + 1, 0, (255 - digit) * sizeof *upper);
  }
  for (size_t i = 0; i < count; i++) lower[(largest - keys[i]) >> shift & 255]++;
  deal(keys, count, largest, shift, lower, spare);
  deal(spare, count, largest, shift + 8, upper, keys);
  // What shares 16 bits is put in order by insertion; where much does, otherwise.
  for (size_t i = 0, end; i < count; i = end) {
    uint64_t bucket = (largest - keys[i]) >> shift;
    for (end = i + 1; end < count && (largest - keys[end]) >> shift == bucket;) end++;
    if (end - i > 1) sort(keys + i, end - i, 4 * bits_of(end - i));
  }
}
