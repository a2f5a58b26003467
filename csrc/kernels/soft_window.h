// csrc/kernels/soft_window.h: a face against the blocks of pixels that it may reach (CPU).
#pragma once
#include "soft_tile.h"
#include "twin.h"

LRAST_BEGIN

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

/// Bits of `blocks`, a set of blocks of the tile, that fall into a window, row by row. Those beyond
/// the tile's right edge are bits of the next row's beginning.
inline unsigned window_bits(uint64_t blocks, int block_x, int block_y) {
  unsigned bits = unsigned(blocks >> (kBlocksX * block_y + block_x)) & 0x0f0f0f0fu;
  bits = (bits | bits >> 4) & 0x00ff00ffu;
  return (bits | bits >> 8) & 0xffffu;
}

/// Set of the blocks in a face's box.
inline uint64_t block_box(const TileEntry& entry) {
  static_assert(kBlocksX == 8, "a row is a byte");
  const uint64_t row = (uint64_t(2) << entry.last_x) - (uint64_t(1) << entry.first_x);
  return row * 0x0101010101010101u & ~uint64_t(0) << 8 * entry.first_y &
         ~uint64_t(0) >> 8 * (kBlocksX - 1 - entry.last_y);
}

/// Walks over the windows that hold some of the blocks that a face may reach.
template <int kSides, typename T> class WindowWalk {
 public:
  Window<kSides, T> window;
  unsigned wanted = 0;  // those blocks of the window
  int first_block;      // of the tile

  WindowWalk(const TileEntry& entry, uint64_t blocks)
      : blocks_(blocks & block_box(entry)),
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

LRAST_END
