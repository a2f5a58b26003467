// csrc/kernels/soft_tile.h: faces against the pixels of a tile, in blocks of 4 x 4 (CPU).
#pragma once
#include <math.h>

#include "soft_front.h"
#include "twin.h"

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

/// Sixteen faces of a tile, in the frames of their sides: a pixel x, y away from the tile's middle is
/// across_0 + across_x x + across_y y from a side's line, and so on along its stretch.
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

/// The faces of a tile, in the order of their numbers.
template <typename T> struct TileFaces {
  Buffer<TileEntry> entries;
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
  const int64_t begin = front.tile_begin[number], count = front.tile_begin[number + 1] - begin;
  out.entries.resize(count);
  for (int64_t i = 0; i < count; ++i) {
    const int32_t face_number = front.tile_faces[begin + i];
    const SoftFace& face = front.faces[face_number];
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

/// Pixels, or middles of blocks, in the frames of a face's sides.
template <int kSides, typename V> struct SideFrames { V across[kSides], along[kSides]; };

/// What lanes add to the frames at their middle.
template <int kSides, typename T>
LRAST_INLINE SideFrames<kSides, Pack<T>> lane_frames(const FaceInTile<T>& face,
                                               const LaneOffsets<T>& lanes, int part) {
  const int first = part * Pack<T>::kLanes;
  const Pack<T> x = load(lanes.x + first), y = load(lanes.y + first);
  SideFrames<kSides, Pack<T>> frames;
  for (int k = 0; k < kSides; ++k) {
    frames.across[k] = x * Pack<T>(face.across_x(k)) + y * Pack<T>(face.across_y(k));
    frames.along[k] = x * Pack<T>(face.along_x(k)) + y * Pack<T>(face.along_y(k));
  }
  return frames;
}

/// What a loop over a face's blocks keeps in registers.
template <int kSides, typename T> struct FaceConstants {
  SideFrames<kSides, Pack<T>> lanes[kParts<T>];
  Pack<T> half[kSides];
  Pack<T> end, fade;  // a pixel counts where z > end

  LRAST_INLINE FaceConstants(const Tile<T>& tile, const FaceInTile<T>& face)
      : end(-tile.reach), fade(tile.fade) {
    for (int part = 0; part < kParts<T>; ++part)
      lanes[part] = lane_frames<kSides>(face, kPixelLanes<T>, part);
    for (int k = 0; k < kSides; ++k) half[k] = Pack<T>(face.half(k));
  }
};

/// Frames of the middles of the blocks in a window of 4 x 4 blocks, and what they say of these.
template <int kSides, typename T> struct Window {
  alignas(64) T across[kSides][kBlockPixels];
  alignas(64) T along[kSides][kBlockPixels];
  unsigned near, deep;  // a bit per block

  void look(const Tile<T>& tile, const FaceInTile<T>& face, int block_x, int block_y) {
    near = deep = 0;
    const Pack<T> x0(T(kBlock * block_x + (kBlockPixels - kTile) / 2));
    const Pack<T> y0(T(kBlock * block_y + (kBlockPixels - kTile) / 2));
    const Pack<T> none(T(0));
    for (int part = 0; part < kParts<T>; ++part) {
      const int first = part * Pack<T>::kLanes;
      const Pack<T> x = x0 + load(kBlockLanes<T>.x + first);
      const Pack<T> y = y0 + load(kBlockLanes<T>.y + first);
      Pack<T> at[kSides], on[kSides], half[kSides], distance2, inner;
      for (int k = 0; k < kSides; ++k) {
        at[k] = (x * Pack<T>(face.across_x(k)) + y * Pack<T>(face.across_y(k))) +
                Pack<T>(face.across_0(k));
        on[k] = (x * Pack<T>(face.along_x(k)) + y * Pack<T>(face.along_y(k))) +
                Pack<T>(face.along_0(k));
        half[k] = Pack<T>(face.half(k));
        store(at[k], across[k] + first);
        store(on[k], along[k] + first);
      }
      outline_distance<kSides>(at, on, half, distance2, inner);
      const unsigned beyond = bits_of(less(Pack<T>(tile.near2), distance2));
      near |= (bits_of(less(none, inner)) | (kAllLanes<T> & ~beyond)) << first;
      deep |= bits_of(less(Pack<T>(tile.deep), inner)) << first;
    }
  }

  /// Frames of a block's pixels, or of two blocks'.
  LRAST_INLINE SideFrames<kSides, Pack<T>> at(const SideFrames<kSides, Pack<T>>& lanes,
                                              int block) const {
    SideFrames<kSides, Pack<T>> frames;
    for (int k = 0; k < kSides; ++k) {
      frames.across[k] = lanes.across[k] + Pack<T>(across[k][block]);
      frames.along[k] = lanes.along[k] + Pack<T>(along[k][block]);
    }
    return frames;
  }
  LRAST_INLINE SideFrames<kSides, Twin<Pack<T>>> at(const SideFrames<kSides, Pack<T>>& lanes,
                                                    int block, int other) const {
    SideFrames<kSides, Twin<Pack<T>>> frames;
    for (int k = 0; k < kSides; ++k) {
      frames.across[k] = {lanes.across[k] + Pack<T>(across[k][block]),
                          lanes.across[k] + Pack<T>(across[k][other])};
      frames.along[k] = {lanes.along[k] + Pack<T>(along[k][block]),
                         lanes.along[k] + Pack<T>(along[k][other])};
    }
    return frames;
  }
};

/// Bits of `blocks`, a set of blocks of the tile, that fall into a window, row by row.
inline unsigned window_bits(uint64_t blocks, int block_x, int block_y) {
  unsigned bits = 0;
  for (int j = 0; j < kBlock && block_y + j < kBlocksX; ++j)
    bits |= unsigned(blocks >> (kBlocksX * (block_y + j) + block_x) & 15) << (kBlock * j);
  return bits;
}

/// Set of the blocks from first to last, inclusive.
inline uint64_t block_box(int first_x, int first_y, int last_x, int last_y) {
  const uint64_t row = (uint64_t(2) << last_x) - (uint64_t(1) << first_x);
  uint64_t box = 0;
  for (int y = first_y; y <= last_y; ++y) box |= row << (kBlocksX * y);
  return box;
}

/// Walks over the windows that hold some of the blocks that a face may reach.
template <int kSides, typename T> class WindowWalk {
 public:
  Window<kSides, T> window;
  unsigned wanted = 0;  // those blocks of the window
  int first_block;      // of the tile

  WindowWalk(const TileEntry& entry, uint64_t blocks)
      : blocks_(blocks & block_box(entry.first_x, entry.first_y, entry.last_x, entry.last_y)),
        first_x_(entry.first_x),
        last_x_(entry.last_x),
        last_y_(entry.last_y),
        next_x_(entry.first_x),
        next_y_(entry.first_y) {}

  LRAST_INLINE bool next(const Tile<T>& tile, const FaceInTile<T>& face) {
    while (next_y_ <= last_y_) {
      const int x = next_x_, y = next_y_;
      next_x_ += kBlock;
      if (next_x_ > last_x_) {
        next_x_ = first_x_;
        next_y_ += kBlock;
      }
      wanted = window_bits(blocks_, x, y);
      if (!wanted) continue;
      window.look(tile, face, x, y);
      wanted &= window.near;
      first_block = kBlocksX * y + x;
      if (wanted) return true;
    }
    return false;
  }
  int block(int in_window) const {
    return first_block + kBlocksX * (in_window / kBlock) + in_window % kBlock;
  }
  /// Without some blocks of the tile.
  void leave_out(uint64_t blocks) {
    wanted &= ~window_bits(blocks, first_block % kBlocksX, first_block / kBlocksX);
  }
  /// As a set of blocks of the tile.
  uint64_t wanted_in_tile() const {
    uint64_t blocks = 0;
    for (int j = 0; j < kBlock; ++j)
      blocks |= uint64_t(wanted >> (kBlock * j) & 15) << (kBlocksX * j);
    return blocks << first_block;
  }

 private:
  const uint64_t blocks_;
  const int first_x_, last_x_, last_y_;
  int next_x_, next_y_;
};

/// A face's chance at the pixels of a pack, and where it counts.
template <typename V> struct FaceChance {
  SoftChance<V> chance;
  MaskOf<V> counts;
};
template <bool kLinear, int kSides, typename T, typename V>
LRAST_INLINE FaceChance<V> face_chance(const FaceConstants<kSides, T>& face,
                                       const SideFrames<kSides, V>& frames) {
  V distance2, inner, half[kSides];
  for (int k = 0; k < kSides; ++k) half[k] = face.half[k];
  outline_distance<kSides>(frames.across, frames.along, half, distance2, inner);
  const V z = soft_exponent<kLinear>(distance2, inner);
  return {soft_chance<kLinear, T>(z, V(face.fade)), less(V(face.end), z)};
}

/// The next two blocks of a window; the same one twice if there is one left.
struct BlockPair {
  int first, second;
  bool two;
  LRAST_INLINE explicit BlockPair(unsigned& left) {
    first = __builtin_ctz(left);
    left &= left - 1;
    two = left != 0;
    second = two ? __builtin_ctz(left) : first;
    left &= left - 1;
  }
};

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
