// csrc/kernels/soft_backward.h: gradient of a tile's soft coverage (CPU).
#pragma once
#include "soft_nearest.h"

LRAST_BEGIN

/// Gradient of a face's corners from one tile, screen: x and y of each.
template <typename T> struct CornerGradients { T at[2 * kMaxSides]; };

/// Scratch of a thread.
template <typename T> struct BackwardSpace {
  TilePixels<T> weight;  // d loss / d z of a face with p = 1
  BlockLast<T> last[kBlocks];
  uint64_t live, limited;  // blocks with any weight; those in which only nearest faces count
  TileFaces<T> faces;
  Buffer<TileDepth<T>> depths;  // of these, if any block is limited
};

constexpr int kSums = 4;  // as in SideSums

/// Sums of a group of faces over the pixels of a tile.
struct GroupSums { alignas(64) double at[kMaxSides][kSums][kGroup]; };

/// Sum of 16 lanes, always in this order.
template <typename T> inline T sum_of_lanes(const T* lanes) {
  T four[4];
  for (int i = 0; i < 4; ++i)
    four[i] = (lanes[i] + lanes[i + 8]) + (lanes[i + 4] + lanes[i + 12]);
  return (four[0] + four[2]) + (four[1] + four[3]);
}
template <typename T> inline void sum_lanes(const T (*lanes)[kBlockPixels], double* out) {
  for (int j = 0; j < kSums; ++j) out[j] = double(sum_of_lanes(lanes[j]));
}
#if defined(__SSE4_1__)
inline void sum_lanes(const float (*lanes)[kBlockPixels], double* out) {
  static_assert(kSums == 4, "four rows make a square");
  __m128 four[kSums];
  for (int j = 0; j < kSums; ++j) {
    const float* from = lanes[j];
    four[j] = (_mm_load_ps(from) + _mm_load_ps(from + 8)) +
              (_mm_load_ps(from + 4) + _mm_load_ps(from + 12));
  }
  _MM_TRANSPOSE4_PS(four[0], four[1], four[2], four[3]);
  const __m128 sums = (four[0] + four[2]) + (four[1] + four[3]);
  _mm_storeu_pd(out, _mm_cvtps_pd(sums));
  _mm_storeu_pd(out + 2, _mm_cvtps_pd(_mm_movehl_ps(sums, sums)));
}
#endif

/// Distances of pixels to a face's outline, and the side they are nearest to.
template <int kSides, typename T, typename V> struct SidePoint {
  V to_side2[kSides], half[kSides], distance2, inner;

  LRAST_INLINE SidePoint(const SideFrames<kSides, V>& frames,
                         const FaceConstants<kSides, T>& face) {
    for (int k = 0; k < kSides; ++k) {
      half[k] = face.half[k];
      to_side2[k] = side_distance2(frames.across[k], frames.along[k], half[k]);
      distance2 = k == 0 ? to_side2[0] : smaller(distance2, to_side2[k]);
    }
    inner = side_of_outline<kSides>(frames.across);
  }

  /// Calls add(side, across, along, at) for what the gradient of z adds to a side's SideSums: two
  /// numbers, and these times `at`.
  template <bool kLinear, typename Add>
  LRAST_INLINE void share(const SideFrames<kSides, V>& frames, V grad_z, Add&& add) const {
    const V none{T(0)};
    V left = grad_z;
    for (int k = 0; k < kSides; ++k) {
      // The first of equally near sides takes the gradient, the last what is left.
      V grad = left;
      if (k + 1 < kSides) {
        const MaskOf<V> farther = less(distance2, to_side2[k]);
        grad = select(farther, none, left);
        left = select(farther, left, none);
      }
      const V along = frames.along[k];
      const V over = with_sign(side_overshoot(along, half[k]), along);
      const V at = along - over;
      V across_vjp, along_vjp;
      soft_exponent_vjp<kLinear, T>(frames.across[k], over, distance2, inner, across_vjp,
                                    along_vjp);
      across_vjp = grad * across_vjp;
      along_vjp = grad * along_vjp;
      add(k, across_vjp, along_vjp, at);
    }
  }
};

/// Sums over the pixels of a tile; kLimited: in some only the nearest faces count.
template <bool kLinear, int kSides, bool kLimited, typename T>
void sum_some_pixels(const Tile<T>& tile, const FaceRecord<T>& face, uint64_t reached,
                     const TileDepth<T>* depth, const BackwardSpace<T>& space, int member,
                     GroupSums& out) {
  using Two = Twin<Pack<T>>;
  const Pack<T> none(T(0));
  const FaceConstants<kSides, T> constants(tile, face);
  Pack<T> sums[kParts<T>][kSides][kSums];
  for (int part = 0; part < kParts<T>; ++part)
    for (int k = 0; k < kSides; ++k)
      for (int i = 0; i < kSums; ++i) sums[part][k][i] = none;
  for (uint64_t left = space.live & reached; left;) {
      const BlockPair pair(left);
      const int* const blocks = pair.at;
      const uint64_t both_blocks = uint64_t(1) << blocks[0] | uint64_t(1) << blocks[1];
      for (int part = 0; part < kParts<T>; ++part) {
        Two x, y;
        block_pixels(blocks, part, x, y);
        const SideFrames<kSides, Two> frames = constants.at(x, y);
        const SidePoint<kSides, T, Two> at(frames, constants);
        const Two z = soft_exponent<kLinear>(at.distance2, at.inner);
        const SoftChance<Two> chance = soft_chance<kLinear, T>(z, Two(constants.fade));
        MaskOf<Two> counts = less(Two(constants.end), z);
        if (kLimited && (space.limited & both_blocks)) {
          const Two key = key_at(*depth, frames.across, x, y);
          counts.first = both(counts.first, among_nearest(space.last[blocks[0]], part, key.first,
                                                          face.face));
          counts.second = both(counts.second, among_nearest(space.last[blocks[1]], part,
                                                            key.second, face.face));
        }
        const int lane = part * Pack<T>::kLanes;
        const Pack<T> other = load(space.weight.at[blocks[1]] + lane);
        const Two weight(load(space.weight.at[blocks[0]] + lane), pair.two ? other : none);
        const Two grad_z = select(counts, weight * (chance.power / chance.factor), Two(none));
        at.template share<kLinear>(frames, grad_z, [&](int k, Two across, Two along, Two at) {
          Pack<T>* const sum = sums[part][k];
          sum[0] = (sum[0] + across.first) + across.second;
          sum[1] = (sum[1] + along.first) + along.second;
          sum[2] = multiply_add(across.second, at.second,
                                multiply_add(across.first, at.first, sum[2]));
          sum[3] = multiply_add(along.second, at.second,
                                multiply_add(along.first, at.first, sum[3]));
        });
      }
    }
  for (int k = 0; k < kSides; ++k) {
    alignas(64) T lines[kSums][kBlockPixels];
    for (int i = 0; i < kSums; ++i)
      for (int part = 0; part < kParts<T>; ++part)
        store(sums[part][k][i], lines[i] + part * Pack<T>::kLanes);
    double totals[kSums];
    sum_lanes(lines, totals);
    for (int i = 0; i < kSums; ++i) out.at[k][i][member] = totals[i];
  }
}

template <bool kLinear, int kSides, typename T>
void sum_pixels(const Tile<T>& tile, const FaceRecord<T>& face, uint64_t reached,
                const TileDepth<T>* depth, const BackwardSpace<T>& space, int member,
                GroupSums& out) {
  if (depth)
    sum_some_pixels<kLinear, kSides, true>(tile, face, reached, depth, space, member, out);
  else
    sum_some_pixels<kLinear, kSides, false>(tile, face, reached, depth, space, member, out);
}

/// From sums to gradients of the corners of those faces of a group that have so many sides, screen.
template <typename T>
void finish_group(int sides, const GroupCorners& corners, const SoftModel& model,
                  const Tile<T>& tile, int count, const GroupSums& sums,
                  CornerGradients<T>* out) {
  alignas(64) double grads[2 * kMaxSides][kGroup] = {};
  for (int first = 0; first < kGroup; first += Doubles::kLanes)
    for (int k = 0; k < sides; ++k) {
      const int next = k + 1 == sides ? 0 : k + 1;
      const SoftSide<Doubles> side = corners.side(k, first, model, tile.middle_u, tile.middle_v);
      const auto sum = [&](int i) { return load(sums.at[k][i] + first); };
      const EndGradients<Doubles> ends = side_gradient(
          side, load(corners.turn + first), model, stretch_in_tile(side, tile.radius).middle,
          SideSums<Doubles>{sum(0), sum(1), sum(2), sum(3)});
      const auto add = [&](int i, Doubles grad) {
        store(load(grads[i] + first) + grad, grads[i] + first);
      };
      add(2 * k, ends.ax);
      add(2 * k + 1, ends.ay);
      add(2 * next, ends.bx);
      add(2 * next + 1, ends.by);
    }
  for (int i = 0; i < count; ++i)
    if (corners.of_face[i] == sides)
      for (int k = 0; k < 2 * kMaxSides; ++k) out[i].at[k] = T(grads[k][i]);
}

/// Weights and limits of the tile's pixels.
template <typename T>
void read_tile(const SoftCoverageBackwardArgs<T>& args, const SoftView<T>& view,
               const Tile<T>& tile, BackwardSpace<T>& space) {
  memset(&space.weight, 0, sizeof(space.weight));
  space.live = space.limited = 0;
  over_block_rows(view, tile, [&](int block, int lane, int64_t place, int count) {
    T any = T(0);
    for (int i = 0; i < count; ++i) {
      const T uncovered = args.uncovered[place + i] * T(0.69314718055994531);
      const T weight = args.grad_coverage[place + i] * uncovered;
      space.weight.at[block][lane + i] = weight;
      any += weight != T(0) ? T(1) : T(0);
    }
    space.live |= uint64_t(any != T(0)) << block;
    if (!args.last.key) return;
    for (int i = 0; i < kBlock; ++i) {
      const T key = i < count ? args.last.key[place + i] : T(-INFINITY);
      space.last[block].key[lane + i] = key;
      const int32_t face = i < count ? args.last.face[place + i] : -1;
      space.last[block].face[lane + i] = face;
      space.last[block].ties = (i + lane > 0 && space.last[block].ties) || face >= 0;
      space.limited |= uint64_t(key > T(-INFINITY)) << block;
    }
  });
}

/// Gradients of all faces in a tile, at their places in front.tile_faces.
template <bool kLinear, typename T>
void backward_tile(const SoftCoverageBackwardArgs<T>& args, const SoftView<T>& view,
                   const SoftFront& front, int64_t number, BackwardSpace<T>& space,
                   CornerGradients<T>* gradients) {
  const Tile<T> tile = make_tile(view, number);
  read_tile(args, view, tile, space);
  CornerGradients<T>* out = gradients + front.place_of(number);
  const int64_t num_entries = front.tile_begin[number + 1] - front.tile_begin[number];
  if (!space.live) {
    memset(static_cast<void*>(out), 0, size_t(num_entries) * sizeof(*out));
    return;
  }
  list_faces(view, front, number, tile, space.faces);
  if (space.limited) list_depths(view, front, tile, space.faces, space.depths);
  GroupCorners corners;
  GroupSums sums;
  for (int64_t group = 0; group < num_entries; group += kGroup) {
    const int count = int(smaller<int64_t>(kGroup, num_entries - group));
    corners.read(front, front.tile_faces.data() + front.place_of(number) + group, count);
    memset(&sums, 0, sizeof(sums));
    for (int i = 0; i < count; ++i) {
      const TileDepth<T>* depth = space.limited ? &space.depths[group + i] : nullptr;
      const FaceRecord<T>& face = space.faces.record(group + i);
      const uint64_t reached = space.faces.blocks[group + i].near;
      if (face.sides == 3)
        sum_pixels<kLinear, 3>(tile, face, reached, depth, space, i, sums);
      else
        sum_pixels<kLinear, 4>(tile, face, reached, depth, space, i, sums);
    }
    for (int sides = 3; sides <= corners.sides; ++sides)
      finish_group(sides, corners, view.model, tile, count, sums, out + group);
  }
}

LRAST_END
