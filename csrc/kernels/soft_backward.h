// csrc/kernels/soft_backward.h: gradient of a tile's soft coverage (CPU).
#pragma once
#include "soft_nearest.h"
#include "soft_tile.h"

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

/// Sum of 16 lanes, in this order at every ISA level.
template <typename T> T sum_lanes(const T* lanes) {
  T eight[8], four[4];
  for (int i = 0; i < 8; ++i) eight[i] = lanes[i] + lanes[i + 8];
  for (int i = 0; i < 4; ++i) four[i] = eight[i] + eight[i + 4];
  return (four[0] + four[2]) + (four[1] + four[3]);
}

template <bool kLinear, int kSides, typename T>
void sum_pixels(const Tile<T>& tile, const TileEntry& entry, const FaceInTile<T>& face,
                const TileDepth<T>* depth, const BackwardSpace<T>& space, GroupSums& out) {
  const Pack<T> none(T(0));
  SideFrames<kSides, T> lanes[kParts<T>];
  Pack<T> sums[kParts<T>][kSides][kSums];
  for (int part = 0; part < kParts<T>; ++part) {
    lanes[part] = lane_frames<kSides>(face, kPixelLanes<T>, part);
    for (int k = 0; k < kSides; ++k)
      for (int i = 0; i < kSums; ++i) sums[part][k][i] = none;
  }
  over_blocks<kSides>(tile, entry, face, space.live,
                      [&](const Window<kSides, T>& window, int in_window, int block)
                          __attribute__((always_inline)) {
    const bool limited = depth && (space.limited >> block & 1);
    for (int part = 0; part < kParts<T>; ++part) {
      const SideFrames<kSides, T> frames = window.at(lanes[part], in_window);
      Pack<T> distance2s[kSides], distance2, inner = frames.across[0], power;
      for (int k = 0; k < kSides; ++k) {
        distance2s[k] = side_distance2(frames.across[k], frames.along[k], Pack<T>(face.half(k)));
        distance2 = k == 0 ? distance2s[0] : smaller(distance2, distance2s[k]);
        inner = smaller(inner, frames.across[k]);
      }
      const Pack<T> z = soft_exponent<kLinear>(distance2, inner);
      const Pack<T> factor = soft_factor<kLinear>(z, tile.fade, power);
      PackMask<T> counts = less(Pack<T>(-tile.reach), z);
      if (limited) {
        Pack<T> x, y;
        block_pixels(block, part, x, y);
        counts = both(counts, among_nearest(space.last[block], part,
                                            key_at(*depth, frames.across, x, y), entry.number));
      }
      const Pack<T> weight = load(space.weight.at[block] + part * Pack<T>::kLanes);
      Pack<T> left = select(counts, weight * (power / factor), none);
      for (int k = 0; k < kSides; ++k) {
        // The first of equally near sides takes the gradient.
        const PackMask<T> farther = less(distance2, distance2s[k]);
        const Pack<T> grad = select(farther, none, left);
        left = select(farther, left, none);
        const Pack<T> along = frames.along[k];
        const Pack<T> over = with_sign(side_overshoot(along, Pack<T>(face.half(k))), along);
        const Pack<T> at = along - over;
        Pack<T> across_vjp, along_vjp;
        soft_exponent_vjp<kLinear, T>(frames.across[k], over, distance2, inner, across_vjp,
                                      along_vjp);
        across_vjp = grad * across_vjp;
        along_vjp = grad * along_vjp;
        Pack<T>* sum = sums[part][k];
        sum[0] = sum[0] + across_vjp;
        sum[1] = sum[1] + along_vjp;
        sum[2] = sum[2] + across_vjp * at;
        sum[3] = sum[3] + along_vjp * at;
      }
    }
  });
  for (int k = 0; k < kSides; ++k)
    for (int i = 0; i < kSums; ++i) {
      alignas(64) T line[kBlockPixels];
      for (int part = 0; part < kParts<T>; ++part)
        store(sums[part][k][i], line + part * Pack<T>::kLanes);
      out.at[k][i][face.at] = double(sum_lanes(line));
    }
}

/// From sums to gradients of the corners of those faces of a group that have so many sides, screen.
template <typename T>
void finish_group(int sides, const GroupCorners& corners, const SoftModel& model,
                  const Tile<T>& tile, const TileEntry* entries, int count,
                  const GroupSums& sums, CornerGradients<T>* out) {
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
    if (entries[i].sides == sides)
      for (int k = 0; k < 2 * kMaxSides; ++k) out[i].at[k] = T(grads[k][i]);
}

/// Weights and limits of the tile's pixels.
template <typename T>
void read_tile(const SoftCoverageBackwardArgs<T>& args, const SoftView<T>& view,
               const Tile<T>& tile, BackwardSpace<T>& space) {
  const TileLast<T, const T, const int32_t> last(args.last, view, tile);
  space.live = space.limited = 0;
  for (int block = 0; block < kBlocks; ++block)
    for (int lane = 0; lane < kBlockPixels; ++lane) {
      const int64_t place = last.place(block, lane);
      T weight = T(0), key = T(-INFINITY);
      int32_t face = -1;
      if (place >= 0) {
        weight = args.grad_coverage[place] * (args.uncovered[place] * T(0.69314718055994531));
        if (args.last.key) {
          key = args.last.key[place];
          face = args.last.face[place];
        }
      }
      space.weight.at[block][lane] = weight;
      space.last[block].key[lane] = key;
      space.last[block].face[lane] = face;
      space.live |= uint64_t(weight != T(0)) << block;
      space.limited |= uint64_t(key > T(-INFINITY)) << block;
    }
}

/// Gradients of all faces in a tile, at their places in front.tile_faces.
template <bool kLinear, typename T>
void backward_tile(const SoftCoverageBackwardArgs<T>& args, const SoftView<T>& view,
                   const SoftFront& front, int64_t number, BackwardSpace<T>& space,
                   CornerGradients<T>* gradients) {
  const Tile<T> tile = make_tile(view, number);
  read_tile(args, view, tile, space);
  CornerGradients<T>* out = gradients + front.tile_begin[number];
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
    const TileEntry* entries = space.faces.entries.data() + group;
    corners.read(front, entries, count);
    memset(&sums, 0, sizeof(sums));
    for (int i = 0; i < count; ++i) {
      const TileDepth<T>* depth = space.limited ? &space.depths[group + i] : nullptr;
      const FaceInTile<T> face = space.faces.face(group + i);
      if (entries[i].sides == 3)
        sum_pixels<kLinear, 3>(tile, entries[i], face, depth, space, sums);
      else
        sum_pixels<kLinear, 4>(tile, entries[i], face, depth, space, sums);
    }
    for (int sides = 3; sides <= corners.sides; ++sides)
      finish_group(sides, corners, view.model, tile, entries, count, sums, out + group);
  }
}

LRAST_END
