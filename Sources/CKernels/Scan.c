// The parts of a search that need no vectors: a query's weights, thresholds by bisection, the last sort, codes.
#include "Levels.h"
#include "ScanLevels.h"

_Static_assert(MK_YIELD_COUNT == 2 * MK_YIELD_STEPS * MK_YIELD_SPAN + 1, "a step for both ends");

const mk_scan_kernels *mk_scan_at_level(int32_t level) {
  switch (level) {
#if defined(__x86_64__)
    case MK_AVX2:
      return &mk_scan_avx2;
    case MK_AVX512:
      return &mk_scan_avx512;
#endif
    default:
      return &mk_scan_scalar;
  }
}

const mk_scan_kernels *mk_scan_active(void) { return mk_scan_at_level(mk_active()->level); }

// Rounds to nearest, ties to even, for magnitudes below 2^22: the sum has no bits for a fraction.
static inline int32_t rounded(float value) {
  float shifted = value + 0x1.8p23f;
  int32_t bits;
  memcpy(&bits, &shifted, sizeof bits);
  return bits - 0x4b400000;
}

static inline float within(float value, float limit) {
  return value > limit ? limit : value < -limit ? -limit : value;
}

void mk_turn(const float *vector, const float *panels, size_t dims, float *out) {
  static const float none[MK_ROW_MAX] = {0};
  mk_active()->dense(vector, dims, 1, dims, panels, none, (dims + MK_PANEL - 1) / MK_PANEL * MK_PANEL, 0, out, dims);
}

size_t mk_rank_lists(const int32_t *products, const float *radii, size_t count, float reach, int32_t below,
                     int32_t *ranks, uint32_t *numbers, int32_t *least, int32_t *most) {
  int32_t low = INT32_MAX, high = INT32_MIN;
  // Products have 31 bits, so that a bonus of 30 fits beside them.
  const float limit = 1 << 29;
  for (size_t i = 0; i < count; i++) {
    float bonus = radii[i] * reach;
    bonus = bonus < limit ? bonus : limit;
    ranks[i] = products[i] + (int32_t)bonus;
    numbers[i] = (uint32_t)i;
    low = ranks[i] < low ? ranks[i] : low;
    high = ranks[i] > high ? ranks[i] : high;
  }
  size_t open = count;
  if (high >= below) {
    open = 0;
    high = low;
    for (size_t i = 0; i < count; i++) {
      int32_t rank = ranks[i];
      ranks[open] = rank;
      numbers[open] = (uint32_t)i;
      open += rank < below;
      if (rank < below && rank > high) high = rank;
    }
  }
  if (open) {
    *least = low;
    *most = high;
  }
  return open;
}

float mk_query_prepare(mk_query *query, const float *weights, size_t dims) {
  float largest = 0;
  for (size_t d = 0; d < dims; d++) {
    float size = __builtin_fabsf(weights[d]);
    largest = size > largest ? size : largest;
  }
  float unit = largest / MK_WEIGHT_MAX, inverse = MK_WEIGHT_MAX / largest;
  // So small that its inverse is none: as good as zero.
  if (!(unit > 0) || !(inverse <= __FLT_MAX__)) {
    unit = 1;
    inverse = 0;
  }
  int32_t sum = 0;
  for (size_t d = 0; d < dims; d++) {
    int32_t value = rounded(within(weights[d] * inverse, MK_WEIGHT_MAX));
    int32_t high = (value + 64) >> 7;
    query->value[d] = (int16_t)value;
    query->high[d] = (int8_t)high;
    query->low[d] = (int8_t)(value - high * 128);
    sum += value;
  }
  memset(query->value + dims, 0, (MK_ROW_MAX - dims) * sizeof *query->value);
  memset(query->high + dims, 0, MK_ROW_MAX - dims);
  memset(query->low + dims, 0, MK_ROW_MAX - dims);
  query->dims = (int32_t)dims;
  query->bias = sum * 128;
  return unit;
}

int32_t mk_threshold(const int32_t *scores, size_t count, size_t keep, size_t tolerance, int32_t low, int32_t high) {
  const mk_scan_kernels *kernels = mk_scan_active();
  while (low < high) {
    int32_t middle = (int32_t)(low + ((int64_t)high - low + 1) / 2);
    size_t reached = kernels->count_at_least(scores, count, middle);
    if (reached >= keep) {
      low = middle;
      if (reached <= keep + tolerance) break;
    } else {
      high = middle - 1;
    }
  }
  return low;
}

size_t mk_trim(int32_t *scores, uint32_t *slots, size_t count, size_t keep, size_t tolerance, int32_t low,
               int32_t high, int32_t *threshold) {
  int32_t least = mk_threshold(scores, count, keep, tolerance, low, high);
  *threshold = least;
  count = mk_scan_active()->keep_at_least(scores, slots, count, least);
  if (count <= keep + tolerance) return count;
  // Many are equal to the last: as many of them as there is room for.
  size_t above = 0, kept = 0;
  for (size_t i = 0; i < count; i++) above += scores[i] > least;
  size_t room = keep - above;
  for (size_t i = 0; i < count; i++) {
    if (scores[i] == least && room == 0) continue;
    room -= scores[i] == least;
    scores[kept] = scores[i];
    slots[kept++] = slots[i];
  }
  return kept;
}

void mk_sort_keys(uint64_t *keys, size_t count, uint64_t *spare) {
  if (count < 2) return;
  uint32_t least = UINT32_MAX, most = 0;
  for (size_t i = 0; i < count; i++) {
    uint32_t score = (uint32_t)(keys[i] >> 32);
    least = score < least ? score : least;
    most = score > most ? score : most;
  }
  // Scores of one search lie close together: three bytes tell them apart, or two.
  uint32_t width = most - least;
  unsigned passes = width == 0 ? 0 : (39u - (unsigned)__builtin_clz(width)) / 8;
  uint32_t places[4][256];
  memset(places, 0, passes * sizeof *places);
  for (size_t i = 0; i < count; i++) {
    uint32_t down = most - (uint32_t)(keys[i] >> 32);
    for (unsigned pass = 0; pass < passes; pass++) places[pass][down >> 8 * pass & 255]++;
  }
  uint64_t *from = keys, *to = spare;
  for (unsigned pass = 0; pass < passes; pass++) {
    uint32_t next = 0;
    for (unsigned value = 0; value < 256; value++) {
      uint32_t here = places[pass][value];
      places[pass][value] = next;
      next += here;
    }
    for (size_t i = 0; i < count; i++) {
      uint32_t down = most - (uint32_t)(from[i] >> 32);
      to[places[pass][down >> 8 * pass & 255]++] = from[i];
    }
    uint64_t *other = from;
    from = to;
    to = other;
  }
  if (from != keys) memcpy(keys, from, count * sizeof *keys);
  // Equal scores are rare but where titles are alike: each run is sorted by what is left.
  for (size_t begin = 0; begin < count;) {
    size_t end = begin + 1;
    while (end < count && keys[end] >> 32 == keys[begin] >> 32) end++;
    if (end - begin > 1) mk_sort_descending(keys + begin, end - begin);
    begin = end;
  }
}

void mk_encode(const float *rotated, size_t dims, size_t head, const float *inverse, uint8_t *group, size_t lane,
               uint8_t *row) {
  for (size_t d = 0; d < head; d++) {
    float steps = d < dims ? within(rotated[d] * inverse[d], 127.5f) : 0;
    float whole = within((float)rounded(steps), 127);
    group[d / 4 * 64 + lane * 4 + d % 4] = (uint8_t)((int32_t)whole + 128);
    if (d < dims) row[d] = (uint8_t)(rounded((steps - whole) * 254) + 128);
  }
  for (size_t d = head; d < dims; d++) row[d] = (uint8_t)(rounded(within(rotated[d] * inverse[d], 127)) + 128);
}
