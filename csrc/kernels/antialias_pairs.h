// csrc/kernels/antialias_pairs.h: pairs of pixels at which surfaces may intersect (CPU).
#pragma once
#include "antialias_crossing.h"
#include "antialias_view.h"
#include "lanes.h"

LRAST_BEGIN

/// For 64 pixels or fewer, a bit each: whether face[i] and other[i] are two different faces.
inline uint64_t different_faces(const int32_t* face, const int32_t* other, int count) {
  uint64_t bits = 0;
  int i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    const Ints a = load_lanes<Ints>(face + i), b = load_lanes<Ints>(other + i);
    bits |= uint64_t(lane_bits((a != b) & ((a | b) >= 0))) << i;
  }
  for (; i < count; ++i)
    bits |= uint64_t((face[i] != other[i]) & ((face[i] | other[i]) >= 0)) << i;
  return bits;
}

/// Of 64 pixels, or of those left in the row, a bit each: whether an intersection with the next one,
/// on the right or below, could be seen. They show two different faces, and not one colour.
template <typename T>
inline uint64_t pairs_to_look_at(const AntialiasView<T>& view, int row, int word, bool rightwards) {
  const int count = smaller(view.width - rightwards - 64 * word, 64);
  uint64_t open = count < 64 ? (uint64_t(1) << count) - 1 : ~uint64_t(0);
  if (view.plain) {
    const uint64_t* const plain = view.plain + int64_t(row) * view.plain_words + word;
    uint64_t next = rightwards ? plain[0] >> 1 : plain[view.plain_words];
    if (rightwards && word + 1 < view.plain_words) next |= plain[1] << 63;
    open &= ~(plain[0] & next);
  }
  if (!open) return 0;
  const int32_t* const face = view.face_idx + int64_t(row) * view.width + 64 * word;
  return open & different_faces(face, face + (rightwards ? 1 : view.width), count);
}

/// Intersections between pixels of a row, and between them and those of the next row.
template <typename T>
void find_crossings(const AntialiasView<T>& view, int row, RowChunk<T>& chunk) {
  for (int pass = 0; pass < 2; ++pass) {
    const bool rightwards = pass == 0;
    if (!rightwards && row + 1 == view.height) break;
    for (int word = 0; 64 * word < view.width - rightwards; ++word)
      for (uint64_t pairs = pairs_to_look_at(view, row, word, rightwards); pairs;
           pairs &= pairs - 1) {
        const int column = 64 * word + __builtin_ctzll(pairs);
        Crossing near, far;
        if (!find_crossing_of_pair(view, row, column, rightwards, near, far)) continue;
        chunk.crossings.push(near);
        (rightwards ? chunk.crossings : chunk.below).push(far);
      }
  }
}

LRAST_END
