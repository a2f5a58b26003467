// csrc/kernels/contour_slabs.h: the slabs of a pixel that may not be covered, eight pieces at a time
// (CPU).
#pragma once
#include "../core/pixel_union.h"
#include "contour_pieces.h"

LRAST_BEGIN

/// A slab that the tests of union_by_sweep() leave open, and which pieces reach into it.
struct OpenSlab {
  double y_top, y_bottom;
  int winding;
  uint32_t active;  // one bit per piece
};

/// One field of up to kEight * kVectors pieces.
template <int kVectors> struct Lanes {
  Eight v[kVectors];
  Eight& operator[](int k) { return v[k]; }
  const Eight& operator[](int k) const { return v[k]; }
};

template <int kVectors> inline Lanes<kVectors> load_lanes(const double* from) {
  Lanes<kVectors> lanes;
  for (int k = 0; k < kVectors; ++k) lanes[k] = load(from + kEight * k);
  return lanes;
}

/// stays_covered() of the sides in `active`, one bit per lane.
template <int kVectors>
inline bool stays_covered(const Lanes<kVectors>& x_top, const Lanes<kVectors>& x_bottom,
                          const double* weights, uint32_t active, double winding) {
  if (winding <= 0.0 || (kVectors > 1 && __builtin_popcount(active) > kMostCompared)) return false;
  const Eight touching = all(kTouching), none = all(0.0);
  double tops[kEight * kVectors], bottoms[kEight * kVectors];
  Lanes<kVectors> far_top, far_bottom, near_top, near_bottom, lowest;
  for (int k = 0; k < kVectors; ++k) {
    store(tops + kEight * k, x_top[k]);
    store(bottoms + kEight * k, x_bottom[k]);
    far_top[k] = x_top[k] + touching;
    far_bottom[k] = x_bottom[k] + touching;
    near_top[k] = x_top[k] - touching;
    near_bottom[k] = x_bottom[k] - touching;
    lowest[k] = all(winding);
  }
  for (uint32_t left = active; left; left &= left - 1) {
    const int j = __builtin_ctz(left);
    const Eight top = all(tops[j]), bottom = all(bottoms[j]);
    const Eight weight = all(weights[j]), negative = smaller(weight, none);
    for (int k = 0; k < kVectors; ++k) {
      const EightMask is_left = (top <= far_top[k]) & (bottom <= far_bottom[k]);
      const EightMask is_right = (near_top[k] <= top) & (near_bottom[k] <= bottom);
      lowest[k] = add_where(lowest[k], is_left, weight);
      lowest[k] = add_where(lowest[k], !(is_left | is_right), negative);
    }
  }
  uint32_t uncovered = 0;
  for (int k = 0; k < kVectors; ++k)
    uncovered |= bits((load(weights + kEight * k) < none) & (lowest[k] <= none)) << (kEight * k);
  return (uncovered & active) == 0;
}

/// Finds the open slabs of the `count` pieces from `begin` on, from top to bottom. There are at most
/// two per piece, and one.
template <int kVectors>
inline int find_open_slabs(const PieceColumns& pieces, int64_t begin, int count, int winding,
                           OpenSlab* slabs) {
  constexpr int kMost = kEight * kVectors;
  const double* starts = &pieces.y0[begin];
  const double* ends = &pieces.y1[begin];
  const double* at_start = &pieces.at_start[begin];
  const double* at_end = &pieces.at_end[begin];
  const Eight none = all(0.0), one = all(1.0);
  // The least winding of the slab below each start and each end.
  Lanes<kVectors> y0, y1, low_start, low_end;
  for (int k = 0; k < kVectors; ++k) {
    const EightMask used = first_lanes(count - kEight * k);
    y0[k] = pick(used, load(starts + kEight * k), one);
    y1[k] = pick(used, load(ends + kEight * k), one);
    low_start[k] = low_end[k] = all(winding);
  }
  for (int j = 0; j < count; ++j) {
    const Eight start = all(starts[j]), end = all(ends[j]);
    const Eight gain_start = all(at_start[j]), gain_end = all(at_end[j]);
    for (int k = 0; k < kVectors; ++k) {
      low_start[k] = add_where(low_start[k], start <= y0[k], gain_start);
      low_start[k] = add_where(low_start[k], end <= y0[k], gain_end);
      low_end[k] = add_where(low_end[k], start <= y1[k], gain_start);
      low_end[k] = add_where(low_end[k], end <= y1[k], gain_end);
    }
  }
  uint64_t open = 0;
  bool from_top = false;
  for (int k = 0; k < kVectors; ++k) {
    open |= uint64_t(bits((low_start[k] <= none) & (y0[k] < one))) << (kEight * k);
    open |= uint64_t(bits((low_end[k] <= none) & (y1[k] < one))) << (kMost + kEight * k);
    from_top |= bits(y0[k] <= none) != 0;
  }
  int num_open = 0;
  if (winding <= 0 && !from_top) {
    double first = 1.0;
    for (int i = 0; i < count; ++i) first = smaller(first, starts[i]);
    slabs[num_open++] = {0.0, first, winding, 0};
  }
  while (open != 0) {
    const int event = __builtin_ctzll(open);
    const double y_top = event < kMost ? starts[event] : ends[event - kMost];
    const Eight top = all(y_top);
    Eight steps = none, next = one;
    uint32_t active = 0;
    for (int k = 0; k < kVectors; ++k) {
      open &= ~(uint64_t(bits(y0[k] == top)) << (kEight * k) |
                uint64_t(bits(y1[k] == top)) << (kMost + kEight * k));
      const EightMask started = y0[k] <= top, ended = y1[k] <= top;
      active |= bits(started & !ended) << (kEight * k);
      next = smaller(next, smaller(pick(started, one, y0[k]), pick(ended, one, y1[k])));
      const Eight negative = smaller(load(&pieces.weight[begin + kEight * k]), none);
      steps = add_where(steps, started, load(at_start + kEight * k) - negative);
      steps = add_where(steps, ended, load(at_end + kEight * k) + negative);
    }
    const double y_bottom = least(next), left = winding + sum(steps);
    const Eight bottom = all(y_bottom);
    Lanes<kVectors> x_top, x_bottom;
    for (int k = 0; k < kVectors; ++k) {
      const Eight x0 = load(&pieces.x0[begin + kEight * k]);
      const Eight dx_dy = load(&pieces.dx_dy[begin + kEight * k]);
      x_top[k] = x0 + (top - y0[k]) * dx_dy;
      x_bottom[k] = x0 + (bottom - y0[k]) * dx_dy;
    }
    if (stays_covered(x_top, x_bottom, &pieces.weight[begin], active, left)) continue;
    int place = num_open++;
    for (; place > 0 && slabs[place - 1].y_top > y_top; --place) slabs[place] = slabs[place - 1];
    slabs[place] = {y_top, y_bottom, int(left), active};
  }
  return num_open;
}

LRAST_END
