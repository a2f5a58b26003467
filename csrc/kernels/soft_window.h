// csrc/kernels/soft_window.h: a face against the blocks of pixels that it may reach (CPU).
#pragma once
#include "soft_tile.h"
#include "twin.h"

LRAST_BEGIN

/// Pixels, or middles of blocks, in the frames of a face's sides.
template <int kSides, typename V> struct SideFrames { V across[kSides], along[kSides]; };

/// What a loop over a face's blocks keeps in registers.
template <int kSides, typename T> struct FaceConstants {
  Pack<T> across_x[kSides], across_y[kSides], across_0[kSides];
  Pack<T> along_x[kSides], along_y[kSides], along_0[kSides];
  Pack<T> half[kSides];
  Pack<T> end, fade;  // a pixel counts where z > end

  template <typename Face>
  LRAST_INLINE FaceConstants(const Tile<T>& tile, const Face& face)
      : end(-tile.reach), fade(tile.fade) {
    for (int k = 0; k < kSides; ++k) {
      across_x[k] = Pack<T>(face.across_x(k));
      across_y[k] = Pack<T>(face.across_y(k));
      across_0[k] = Pack<T>(face.across_0(k));
      along_x[k] = Pack<T>(face.along_x(k));
      along_y[k] = Pack<T>(face.along_y(k));
      along_0[k] = Pack<T>(face.along_0(k));
      half[k] = Pack<T>(face.half(k));
    }
  }

  /// Frames of points x, y from the tile's middle.
  template <typename V> LRAST_INLINE SideFrames<kSides, V> at(V x, V y) const {
    SideFrames<kSides, V> frames;
    for (int k = 0; k < kSides; ++k) {
      frames.across[k] = linear_at(x, y, V(across_x[k]), V(across_y[k]), V(across_0[k]));
      frames.along[k] = linear_at(x, y, V(along_x[k]), V(along_y[k]), V(along_0[k]));
    }
    return frames;
  }
};

/// Pixels of a block of the tile, from its middle.
template <typename T> LRAST_INLINE void block_pixels(int block, int part, Pack<T>& x, Pack<T>& y) {
  const int first = part * Pack<T>::kLanes;
  const int middle = (kBlock - kTile) / 2;
  x = Pack<T>(T(kBlock * (block % kBlocksX) + middle)) + load(kPixelLanes<T>.x + first);
  y = Pack<T>(T(kBlock * (block / kBlocksX) + middle)) + load(kPixelLanes<T>.y + first);
}

/// Pixels of two blocks.
template <typename T>
LRAST_INLINE void block_pixels(const int* blocks, int part, Twin<Pack<T>>& x, Twin<Pack<T>>& y) {
  block_pixels(blocks[0], part, x.first, y.first);
  block_pixels(blocks[1], part, x.second, y.second);
}

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

/// The next two of a set of blocks; the same one twice if there is one left.
struct BlockPair {
  int at[2];
  bool two;
  LRAST_INLINE explicit BlockPair(uint64_t& left) {
    at[0] = __builtin_ctzll(left);
    left &= left - 1;
    two = left != 0;
    at[1] = two ? __builtin_ctzll(left) : at[0];
    left &= left - 1;
  }
};

/// Which blocks are within reach, by their middles; `deep`: covered in all digits.
template <typename T> struct BlockLook {
  PackMask<T> beyond, deep;

  template <int kSides>
  LRAST_INLINE static BlockLook at(const Tile<T>& tile, const SideFrames<kSides, Pack<T>>& frames,
                                   const Pack<T>* half) {
    Pack<T> distance2, inner;
    outline_distance<kSides>(frames.across, frames.along, half, distance2, inner);
    return {without(less(Pack<T>(tile.near2), distance2), less(Pack<T>(T(0)), inner)),
            less(Pack<T>(tile.deep), inner)};
  }
};

/// Bits of a window of 4 x 4 blocks as bits of the tile's blocks. Those beyond its edges are lost,
/// or must not be set.
inline uint64_t tile_bits(uint64_t window, int block_x, int block_y) {
  static_assert(kBlocksX == 8, "a row is a byte");
  const uint64_t rows = (window & 0xf) | (window & 0xf0) << 4 | (window & 0xf00) << 8 |
                        (window & 0xf000) << 12;
  return rows << (kBlocksX * block_y + block_x);
}

/// Set of the blocks in a face's box.
inline uint64_t block_box(const TileEntry& entry) {
  const uint64_t row = (uint64_t(2) << entry.last_x) - (uint64_t(1) << entry.first_x);
  return row * 0x0101010101010101u & ~uint64_t(0) << 8 * entry.first_y &
         ~uint64_t(0) >> 8 * (kBlocksX - 1 - entry.last_y);
}

/// Looks at the blocks in a face's box, a lane per block of a window.
template <int kSides, typename T>
FaceBlocks look_by_block(const Tile<T>& tile, const TileEntry& entry, const FaceInTile<T>& face) {
  const FaceConstants<kSides, T> constants(tile, face);
  FaceBlocks found{0, 0};
  for (int y = entry.first_y; y <= entry.last_y; y += kBlock)
    for (int x = entry.first_x; x <= entry.last_x; x += kBlock) {
      const Pack<T> x0(T(kBlock * x + (kBlockPixels - kTile) / 2));
      const Pack<T> y0(T(kBlock * y + (kBlockPixels - kTile) / 2));
      unsigned near = 0, deep = 0;
      for (int part = 0; part < kParts<T>; ++part) {
        const int first = part * Pack<T>::kLanes;
        const BlockLook<T> look = BlockLook<T>::template at<kSides>(
            tile, constants.at(x0 + load(kBlockLanes<T>.x + first),
                               y0 + load(kBlockLanes<T>.y + first)), constants.half);
        near |= (kAllLanes<T> & ~bits_of(look.beyond)) << first;
        deep |= bits_of(look.deep) << first;
      }
      // Columns beyond the tile would be the next row's first.
      const unsigned columns = 0x1111u * ((1u << smaller(kBlock, kBlocksX - x)) - 1);
      found.near |= tile_bits(near & columns, x, y);
      found.deep |= tile_bits(deep & columns, x, y);
    }
  const uint64_t box = block_box(entry);
  return {found.near & box, found.deep & box};
}

/// The same for the faces of a group whose boxes are no larger than a window, a lane per face.
template <int kSides, typename T>
void look_by_face(const Tile<T>& tile, const FaceGroup<T>& group, const TileEntry* entries,
                  int count, int columns, int rows, FaceBlocks* out) {
  alignas(64) T first_x[kGroup], first_y[kGroup], near[kGroup], deep[kGroup];
  for (int i = 0; i < kGroup; ++i) {
    const TileEntry& entry = entries[smaller(i, count - 1)];
    first_x[i] = T(kBlock * entry.first_x) + T(0.5) * T(kBlock - kTile);
    first_y[i] = T(kBlock * entry.first_y) + T(0.5) * T(kBlock - kTile);
  }
  for (int part = 0; part < kParts<T>; ++part) {
    const int first = part * Pack<T>::kLanes;
    const Pack<T> none(T(0));
    Pack<T> half[kSides], nears = none, deeps = none;  // bits of a window, as numbers
    for (int k = 0; k < kSides; ++k) half[k] = load(group.half[k] + first);
    for (int row = 0; row < rows; ++row)
      for (int column = 0; column < columns; ++column) {
        const Pack<T> x = load(first_x + first) + Pack<T>(T(kBlock * column));
        const Pack<T> y = load(first_y + first) + Pack<T>(T(kBlock * row));
        SideFrames<kSides, Pack<T>> frames;
        for (int k = 0; k < kSides; ++k) {
          frames.across[k] =
              linear_at(x, y, load(group.across_x[k] + first), load(group.across_y[k] + first),
                        load(group.across_0[k] + first));
          frames.along[k] =
              linear_at(x, y, load(group.along_x[k] + first), load(group.along_y[k] + first),
                        load(group.along_0[k] + first));
        }
        const BlockLook<T> look = BlockLook<T>::template at<kSides>(tile, frames, half);
        const Pack<T> bit(T(1 << (kBlock * row + column)));
        nears = nears + select(look.beyond, none, bit);
        if (bits_of(look.deep)) deeps = deeps + select(look.deep, bit, none);
      }
    store(nears, near + first);
    store(deeps, deep + first);
  }
  for (int i = 0; i < count; ++i) {
    const TileEntry& entry = entries[i];
    const uint64_t box = block_box(entry);
    out[i].near = tile_bits(uint64_t(int32_t(near[i])), entry.first_x, entry.first_y) & box;
    out[i].deep = tile_bits(uint64_t(int32_t(deep[i])), entry.first_x, entry.first_y) & box;
  }
}

/// Sets `blocks` of all faces.
template <typename T> void find_blocks(const Tile<T>& tile, TileFaces<T>& faces) {
  faces.blocks.resize(faces.entries.size());
  for (int64_t begin = 0; begin < faces.entries.size(); begin += kGroup) {
    const int count = int(smaller<int64_t>(kGroup, faces.entries.size() - begin));
    const TileEntry* const entries = faces.entries.data() + begin;
    FaceBlocks* const out = faces.blocks.data() + begin;
    int columns = 0, rows = 0, sides = 3;
    for (int i = 0; i < count; ++i) {
      columns = larger(columns, entries[i].last_x - entries[i].first_x + 1);
      rows = larger(rows, entries[i].last_y - entries[i].first_y + 1);
      sides = larger<int>(sides, entries[i].sides);
    }
    if (columns <= kBlock && rows <= kBlock && sides == 3)
      look_by_face<3>(tile, faces.groups[begin / kGroup], entries, count, columns, rows, out);
    else
      for (int i = 0; i < count; ++i)
        out[i] = entries[i].sides == 3
                     ? look_by_block<3>(tile, entries[i], faces.face(begin + i))
                     : look_by_block<4>(tile, entries[i], faces.face(begin + i));
  }
}

LRAST_END
