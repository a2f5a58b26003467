// csrc/kernels/soft_tile.h: the faces of a tile and its pixels, in blocks of 4 x 4 (CPU).
#pragma once
#include <math.h>

#include "pack.h"
#include "soft_front.h"

LRAST_BEGIN

constexpr int kBlock = 4, kBlockPixels = kBlock * kBlock;
constexpr int kGroup = 16;  // faces that are placed together
constexpr int kBlocksX = kTile / kBlock, kBlocks = kBlocksX * kBlocksX;
static_assert(kBlocks == 64, "sets of blocks are words");

/// Packs that make up a block.
template <typename T> constexpr int kParts = kBlockPixels / Pack<T>::kLanes;

/// Offsets of the 16 pixels of a block, or of the 16 blocks of a window, from their middle.
template <typename T> struct LaneOffsets { alignas(64) T x[kBlockPixels], y[kBlockPixels]; };
template <typename T> constexpr LaneOffsets<T> lane_offsets(T pitch) {
  LaneOffsets<T> lanes{};
  for (int i = 0; i < kBlockPixels; ++i) {
    lanes.x[i] = (T(i % kBlock) - T(1.5)) * pitch;
    lanes.y[i] = (T(i / kBlock) - T(1.5)) * pitch;
  }
  return lanes;
}
template <typename T> constexpr LaneOffsets<T> kPixelLanes = lane_offsets<T>(T(1));
template <typename T> constexpr LaneOffsets<T> kBlockLanes = lane_offsets<T>(T(kBlock));

/// Sixteen faces of a tile, in the frames of their sides: a pixel x, y away from the tile's middle
/// is across_0 + across_x x + across_y y from a side's line, and so on along its stretch.
template <typename T> struct FaceGroup {
  T across_x[kMaxSides][kGroup], across_y[kMaxSides][kGroup], across_0[kMaxSides][kGroup];
  T along_x[kMaxSides][kGroup], along_y[kMaxSides][kGroup], along_0[kMaxSides][kGroup];
  T half[kMaxSides][kGroup];
};

/// A face of a tile: the member of a group. Reads like a record of its numbers.
template <typename T> struct FaceInTile {
  const FaceGroup<T>& group;
  int at;
  T across_x(int k) const { return group.across_x[k][at]; }
  T across_y(int k) const { return group.across_y[k][at]; }
  T across_0(int k) const { return group.across_0[k][at]; }
  T along_x(int k) const { return group.along_x[k][at]; }
  T along_y(int k) const { return group.along_y[k][at]; }
  T along_0(int k) const { return group.along_0[k][at]; }
  T half(int k) const { return group.half[k][at]; }
};

/// Blocks of the tile within reach of a face, inclusive.
struct TileEntry {
  int32_t number;
  int8_t sides, first_x, first_y, last_x, last_y;
};

/// A tile of the picture, and limits that depend on the model.
template <typename T> struct Tile {
  int32_t x, y, width, height;        // pixels; the last two within the picture
  double middle_u, middle_v, radius;  // metric
  T reach;                            // faces count where z > -reach
  T fade;
  T near2, deep;                      // blocks at whose middle distance^2 or `inner` is so much
                                      // are out of reach, or covered in all digits
};

template <typename T> Tile<T> make_tile(const SoftView<T>& view, int64_t number) {
  const SoftModel& model = view.model;
  Tile<T> tile;
  tile.x = int32_t(number % view.tiles_x()) * kTile;
  tile.y = int32_t(number / view.tiles_x()) * kTile;
  tile.width = smaller(kTile, view.width - tile.x);
  tile.height = smaller(kTile, view.height - tile.y);
  tile.middle_u = (tile.x + 0.5 * kTile) * model.scale_x;
  tile.middle_v = (tile.y + 0.5 * kTile) * model.scale_y;
  const double pixel = sqrt(model.scale_x * model.scale_x + model.scale_y * model.scale_y);
  tile.radius = 0.51 * kTile * pixel;
  tile.reach = T(model.reach);
  tile.fade = T(model.fade);
  const double block = 0.5001 * (kBlock - 1) * pixel;  // a pixel's middle is nearer than that
  const double largest = Power<T>::kLargest;
  const double near = soft_reach(model) + block;
  tile.near2 = T(near * near);
  tile.deep = T((model.linear ? largest : sqrt(largest)) + block);
  return tile;
}

/// Blocks of a tile that a face may reach, and those of them that it covers in all digits.
struct FaceBlocks { uint64_t near, deep; };

/// The faces of a tile, in the order of their numbers.
template <typename T> struct TileFaces {
  Buffer<TileEntry> entries;
  Buffer<FaceBlocks> blocks;  // find_blocks() fills them
  Buffer<FaceGroup<T>> groups;

  FaceInTile<T> face(int64_t i) const { return {groups[i / kGroup], int(i % kGroup)}; }
};

inline void store_rounded(Doubles from, double* to) { store(from, to); }
inline void store_rounded(Doubles from, float* to) {
  alignas(64) double numbers[Doubles::kLanes];
  store(from, numbers);
  for (int i = 0; i < Doubles::kLanes; ++i) to[i] = float(numbers[i]);
}

/// Corners of the faces in a group, by coordinate.
struct GroupCorners {
  alignas(64) double x[kMaxSides][kGroup], y[kMaxSides][kGroup], turn[kGroup];
  int sides;  // the most of any

  void read(const SoftFront& front, const TileEntry* entries, int64_t count) {
    sides = 3;
    for (int i = 0; i < kGroup; ++i) {
      // The last face fills a group up.
      const TileEntry& entry = entries[smaller<int64_t>(i, count - 1)];
      const SoftFace& face = front.faces[entry.number];
      sides = larger<int>(sides, entry.sides);
      for (int k = 0; k < kMaxSides; ++k) {
        x[k][i] = face.corner[k].x;
        y[k][i] = face.corner[k].y;
      }
      turn[i] = face.turn;
    }
  }
  /// Side k of the faces `first` and on.
  SoftSide<Doubles> side(int k, int first, const SoftModel& model, double u, double v) const {
    const int next = k + 1 == sides ? 0 : k + 1;
    return make_soft_side(load(x[k] + first), load(y[k] + first), load(x[next] + first),
                          load(y[next] + first), load(turn + first), model, u, v);
  }
};

template <typename T>
void place_group(const GroupCorners& corners, const SoftModel& model, const Tile<T>& tile,
                 FaceGroup<T>& group) {
  const Doubles scale_x(model.scale_x), scale_y(model.scale_y), none(0.0);
  for (int first = 0; first < kGroup; first += Doubles::kLanes)
    for (int k = 0; k < corners.sides; ++k) {
      const SoftSide<Doubles> side = corners.side(k, first, model, tile.middle_u, tile.middle_v);
      const SideStretch<Doubles> stretch = stretch_in_tile(side, tile.radius);
      const Doubles turn = load(corners.turn + first);
      store_rounded(none - turn * side.tangent_v * scale_x, group.across_x[k] + first);
      store_rounded(turn * side.tangent_u * scale_y, group.across_y[k] + first);
      store_rounded(side.across, group.across_0[k] + first);
      store_rounded(side.tangent_u * scale_x, group.along_x[k] + first);
      store_rounded(side.tangent_v * scale_y, group.along_y[k] + first);
      store_rounded(none - stretch.middle, group.along_0[k] + first);
      store_rounded(stretch.half, group.half[k] + first);
    }
}

template <typename T>
void list_faces(const SoftView<T>& view, const SoftFront& front, int64_t number,
                const Tile<T>& tile, TileFaces<T>& out) {
  const int64_t begin = front.place_of(number), count = front.place_of(number + 1) - begin;
  out.entries.resize(count);
  for (int64_t i = 0; i < count; ++i) {
    const int32_t face_number = front.tile_faces[begin + i];
    const FaceBox& face = front.boxes[face_number];
    out.entries[i] = {face_number,
                      int8_t(face.sides),
                      int8_t(larger(face.first_x - tile.x, 0) / kBlock),
                      int8_t(larger(face.first_y - tile.y, 0) / kBlock),
                      int8_t(smaller(face.last_x - tile.x, kTile - 1) / kBlock),
                      int8_t(smaller(face.last_y - tile.y, kTile - 1) / kBlock)};
  }
  out.groups.resize((count + kGroup - 1) / kGroup);
  GroupCorners corners;
  for (int64_t i = 0; i < out.groups.size(); ++i) {
    corners.read(front, out.entries.data() + kGroup * i, count - kGroup * i);
    place_group(corners, view.model, tile, out.groups[i]);
  }
}

/// A number per pixel of a tile, block by block; edges of the picture are padded.
template <typename T> struct TilePixels {
  alignas(64) T at[kBlocks][kBlockPixels];
};

/// Calls body(block, lane, place, count) for each row of a block that the picture has pixels of:
/// from the lane on there are `count` pixels, the first at `place` in the picture.
template <typename T, typename Body>
void over_block_rows(const SoftView<T>& view, const Tile<T>& tile, Body&& body) {
  const int64_t origin = (view.index * view.height + tile.y) * view.width + tile.x;
  for (int y = 0; y < tile.height; ++y)
    for (int x = 0; x < tile.width; x += kBlock)
      body(kBlocksX * (y / kBlock) + x / kBlock, kBlock * (y % kBlock),
           origin + int64_t(view.width) * y + x, smaller(kBlock, tile.width - x));
}

LRAST_END
