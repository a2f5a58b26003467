// csrc/core/sort.h: sorting of numbers in place, without library code (see host_device.h).
#pragma once
#include "host_device.h"

LRAST_BEGIN

/// Sorts numbers by before(a, b), a strict total order. Heap sort beyond a few, because a distant
/// mesh may put tens of thousands of pieces into one pixel.
template <typename Before>
LRAST_HD void sort_numbers(int32_t* numbers, int count, Before before) {
  if (count <= 24) {
    for (int i = 1; i < count; ++i) {
      const int32_t item = numbers[i];
      int j = i;
      for (; j > 0 && before(item, numbers[j - 1]); --j) numbers[j] = numbers[j - 1];
      numbers[j] = item;
    }
    return;
  }
  for (int begin = count / 2, end = count; end > 1;) {
    int32_t item;
    if (begin > 0) {
      item = numbers[--begin];
    } else {
      item = numbers[--end];
      numbers[end] = numbers[0];
    }
    int hole = begin;
    for (int child = 2 * hole + 1; child < end; child = 2 * hole + 1) {
      if (child + 1 < end && before(numbers[child], numbers[child + 1])) ++child;
      if (!before(item, numbers[child])) break;
      numbers[hole] = numbers[child];
      hole = child;
    }
    numbers[hole] = item;
  }
}

struct Ascending {
  LRAST_HD bool operator()(int32_t a, int32_t b) const { return a < b; }
};

LRAST_END
