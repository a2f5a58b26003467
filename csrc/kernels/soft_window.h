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
LRAST_INLINE V face_exponent(const FaceConstants<kSides, T>& face,
                             const SideFrames<kSides, V>& frames) {
  V half[kSides];
  for (int k = 0; k < kSides; ++k) half[k] = face.half[k];
  return soft_exponent<kLinear>(outline_distance2<kSides>(frames.across, frames.along, half),
                                side_of_outline<kSides>(frames.across));
}
/// A face's exponents at a pack of pixels; kMixed: it may have four sides.
template <bool kLinear, bool kMixed, typename T>
LRAST_INLINE Pack<T> exponent_of(const Tile<T>& tile, const FaceRecord<T>& face, Pack<T> x,
                                 Pack<T> y) {
  if (kMixed && face.sides == 4) {
    const FaceConstants<4, T> constants(tile, face);
    return face_exponent<kLinear, 4, T>(constants, constants.at(x, y));
  }
  const FaceConstants<3, T> constants(tile, face);
  return face_exponent<kLinear, 3, T>(constants, constants.at(x, y));
}
// The processor looks ahead over few faces, of which each is a long chain of operations that wait for
// each other: so many are taken side by side. Fewer where fused multiply-adds are imitated, because
// lists are filled up to such numbers.
#if defined(__SSE4_1__) && !defined(__FMA__)
constexpr int kTogether = 2;
#else
constexpr int kTogether = 4;
#endif

template <bool kLinear, int kSides, typename T, typename V>
LRAST_INLINE FaceChance<V> face_chance(const FaceConstants<kSides, T>& face,
                                       const SideFrames<kSides, V>& frames) {
  const V z = face_exponent<kLinear, kSides, T>(face, frames);
  return {soft_chance<kLinear, T>(z, V(face.fade)), less(V(face.end), z)};
}

/// The odds of soft_chance(), to be multiplied in by with_face(): 0 where the face does not count.
template <bool kLinear, typename T>
LRAST_INLINE Pack<T> odds_for_cap(Pack<T> z, Pack<T> fade, PackMask<T> counts) {
  const Pack<T> power = power_for_cap<kLinear>(z, counts);
  return kLinear ? larger(power - fade, Pack<T>(T(0))) : power;
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

/// Blocks of the tile in the box of a face, inclusive.
struct BlockBox {
  int32_t first_x, first_y, last_x, last_y;

  BlockBox() = default;
  template <typename T> BlockBox(const Tile<T>& tile, const SoftFace& face) {
    const int32_t* const pixels = &face.first_x;  // in the same order
    const int32_t corner[2] = {tile.x, tile.y};
    int32_t* const out = &first_x;
    for (int i = 0; i < 4; ++i)
      out[i] = int32_t(uint32_t(smaller(larger(pixels[i] - corner[i % 2], 0), kTile - 1)) / kBlock);
  }
  uint64_t blocks() const {
    static_assert(kBlocksX == 8, "a row is a byte");
    const uint64_t row = (uint64_t(2) << last_x) - (uint64_t(1) << first_x);
    return row * 0x0101010101010101u & ~uint64_t(0) << 8 * first_y &
           ~uint64_t(0) >> 8 * (kBlocksX - 1 - last_y);
  }
};

/// Signed squared distances of points, positive inside.
template <int kSides, typename T>
LRAST_INLINE Pack<T> signed_distance2(const SideFrames<kSides, Pack<T>>& frames,
                                      const Pack<T>* half) {
  return soft_exponent<false>(outline_distance2<kSides>(frames.across, frames.along, half),
                              side_of_outline<kSides>(frames.across));
}

/// Which blocks are out of reach, given signed_distance2() of their middles.
template <typename T> LRAST_INLINE PackMask<T> beyond_reach(const Tile<T>& tile, Pack<T> distance2) {
  return less(distance2, Pack<T>(-tile.near2));
}
/// Which are covered in all digits; seldom any.
template <typename T> LRAST_INLINE bool may_be_deep(const Tile<T>& tile, Pack<T> distance2) {
  return bits_of(less(Pack<T>(tile.deep * tile.deep), distance2)) != 0;
}
template <int kSides, typename T>
LRAST_INLINE PackMask<T> is_deep(const Tile<T>& tile, const SideFrames<kSides, Pack<T>>& frames) {
  Pack<T> inner = frames.across[0];
  for (int k = 1; k < kSides; ++k) inner = smaller(inner, frames.across[k]);
  return less(Pack<T>(tile.deep), inner);
}

/// Bits of a window of 4 x 4 blocks as bits of the tile's blocks. Those beyond its edges are lost,
/// or must not be set.
LRAST_INLINE uint64_t tile_bits(uint64_t window, int block_x, int block_y) {
  const uint64_t rows = (window & 0xf) | (window & 0xf0) << 4 | (window & 0xf00) << 8 |
                        (window & 0xf000) << 12;
  return rows << (kBlocksX * block_y + block_x);
}

/// Looks at the blocks in a face's box, a lane per block of two rows of the tile.
template <int kSides, typename T>
FaceBlocks look_by_block(const Tile<T>& tile, const FaceRecord<T>& face, BlockBox box) {
  const FaceConstants<kSides, T> constants(tile, face);
  FaceBlocks found{0, 0};
  for (int row = box.first_y; row <= box.last_y; row += 2) {
    const Pack<T> y(T(kBlock * row + kBlock - kTile / 2));
    uint64_t near = 0, deep = 0;
    for (int first = 0; first < kBlockPixels; first += Pack<T>::kLanes) {
      const SideFrames<kSides, Pack<T>> frames =
          constants.at(load(kRowLanes<T>.x + first), y + load(kRowLanes<T>.y + first));
      const Pack<T> distance2 = signed_distance2(frames, constants.half);
      near |= uint64_t(kAllLanes<T> & ~bits_of(beyond_reach(tile, distance2))) << first;
      if (may_be_deep(tile, distance2)) deep |= uint64_t(bits_of(is_deep(tile, frames))) << first;
    }
    found.near |= near << kBlocksX * row;
    found.deep |= deep << kBlocksX * row;
  }
  const uint64_t blocks = box.blocks();
  return {found.near & blocks, found.deep & blocks};
}

/// Boxes of a group of faces.
struct GroupBoxes {
  BlockBox at[kGroup];
  int columns = 0, rows = 0;  // of a window that all `fitting` faces fit
  unsigned fitting = 0;       // those of three sides whose boxes are no larger than 4 x 4 blocks

  template <typename T>
  GroupBoxes(const SoftFront& front, const int32_t* numbers, int count, const Tile<T>& tile) {
    int32_t three[kGroup];
    for (int i = 0; i < kGroup; ++i) {
      const SoftFace& face = front.faces[numbers[smaller(i, count - 1)]];
      at[i] = BlockBox(tile, face);
      three[i] = face.sides == 3;
    }
    // Without branches, which a processor would often guess wrong.
    for (int i = 0; i < kGroup; ++i) {
      const BlockBox& box = at[i];
      const int32_t wide = box.last_x - box.first_x, high = box.last_y - box.first_y;
      const int32_t fits = three[i] & int32_t(larger(wide, high) < kBlock);
      fitting |= unsigned(fits) << i;
      columns = larger(columns, (wide + 1) & -fits);
      rows = larger(rows, (high + 1) & -fits);
    }
    fitting &= (2u << (count - 1)) - 1;
  }
};

/// Looks at the blocks in the boxes of the fitting faces of a group, a lane per face.
template <typename T>
void look_by_face(const Tile<T>& tile, const FaceGroup<T>& group, const GroupBoxes& boxes,
                  FaceBlocks* out) {
  constexpr int kSides = 3;
  alignas(64) T first_x[kGroup], first_y[kGroup], near[kGroup], deep[kGroup];
  for (int i = 0; i < kGroup; ++i) {
    first_x[i] = T(kBlock * boxes.at[i].first_x) + T(0.5) * T(kBlock - kTile);
    first_y[i] = T(kBlock * boxes.at[i].first_y) + T(0.5) * T(kBlock - kTile);
  }
  const Pack<T> none(T(0));
  for (int first = 0; first < kGroup; first += Pack<T>::kLanes) {
    const auto numbers = [&](int i, int k) { return load(group.number[i][k] + first); };
    Pack<T> half[kSides], nears = none, deeps = none;  // bits of a window, as numbers
    for (int k = 0; k < kSides; ++k) half[k] = numbers(6, k);
    for (int row = 0; row < boxes.rows; ++row) {
      const Pack<T> y = load(first_y + first) + Pack<T>(T(kBlock * row));
      SideFrames<kSides, Pack<T>> start, frames;  // where x is 0
      for (int k = 0; k < kSides; ++k) {
        start.across[k] = multiply_add(y, numbers(1, k), numbers(2, k));
        start.along[k] = multiply_add(y, numbers(4, k), numbers(5, k));
      }
      for (int column = 0; column < boxes.columns; ++column) {
        const Pack<T> x = load(first_x + first) + Pack<T>(T(kBlock * column));
        for (int k = 0; k < kSides; ++k) {
          frames.across[k] = multiply_add(x, numbers(0, k), start.across[k]);
          frames.along[k] = multiply_add(x, numbers(3, k), start.along[k]);
        }
        const Pack<T> distance2 = signed_distance2(frames, half);
        const Pack<T> bit(T(1 << (kBlock * row + column)));
        nears = nears + select(beyond_reach(tile, distance2), none, bit);
        if (may_be_deep(tile, distance2)) deeps = deeps + select(is_deep(tile, frames), bit, none);
      }
    }
    store(nears, near + first);
    store(deeps, deep + first);
  }
  for (unsigned left = boxes.fitting; left; left &= left - 1) {
    const int i = __builtin_ctz(left);
    const BlockBox& box = boxes.at[i];
    const uint64_t blocks = box.blocks();
    out[i].near = tile_bits(uint64_t(int32_t(near[i])), box.first_x, box.first_y) & blocks;
    out[i].deep = tile_bits(uint64_t(int32_t(deep[i])), box.first_x, box.first_y) & blocks;
  }
}

/// So many faces of a group are looked at together; fewer one by one.
constexpr int kWorthLanes = 4;

/// The faces of a tile, and which blocks they may reach.
template <typename T>
void list_faces(const SoftView<T>& view, const SoftFront& front, int64_t number,
                const Tile<T>& tile, TileFaces<T>& out) {
  const int64_t begin = front.place_of(number), total = front.place_of(number + 1) - begin;
  out.resize(total);
  out.mixed = false;
  GroupCorners corners;
  FaceGroup<T> group;
  for (int64_t first = 0; first < total; first += kGroup) {
    const int32_t* const numbers = front.tile_faces.data() + begin + first;
    const int count = int(smaller<int64_t>(kGroup, total - first));
    corners.read(front, numbers, count);
    place_group(corners, view.model, tile, group);
    write_records(group, count, out.kStride, &out.record(first));
    for (int i = 0; i < count; ++i) {
      out.record(first + i).face = numbers[i];
      out.record(first + i).sides = corners.of_face[i];
    }
    out.mixed |= corners.sides == 4;
    GroupBoxes boxes(front, numbers, count, tile);
    if (__builtin_popcount(boxes.fitting) < kWorthLanes) boxes.fitting = 0;
    FaceBlocks* const blocks = out.blocks.data() + first;
    if (boxes.fitting) look_by_face(tile, group, boxes, blocks);
    for (unsigned left = ~boxes.fitting & ((2u << (count - 1)) - 1); left; left &= left - 1) {
      const int i = __builtin_ctz(left);
      const FaceRecord<T>& record = out.record(first + i);
      blocks[i] = record.sides == 3 ? look_by_block<3>(tile, record, boxes.at[i])
                                    : look_by_block<4>(tile, record, boxes.at[i]);
    }
  }
}

LRAST_END
