// csrc/kernels/soft_nearest.h: pixels in which only the nearest faces count (CPU).
#pragma once
#include <limits.h>

#include "soft_tile.h"

LRAST_BEGIN

/// Bits of a number as an integer that orders alike.
inline int64_t ordered(float x) {
  int32_t bits;
  memcpy(&bits, &x, 4);
  return bits ^ (bits >> 31 & INT32_MAX);
}
inline int64_t ordered(double x) {
  int64_t bits;
  memcpy(&bits, &x, 8);
  return bits ^ (bits >> 63 & INT64_MAX);
}

/// A tile's part of SoftLast.
template <typename T, typename Key, typename Face> struct TileLast {
  SoftLast<Key, Face> last;
  int64_t origin, stride;
  int width, height;

  TileLast(const SoftLast<Key, Face>& last_, const SoftView<T>& view, const Tile<T>& tile)
      : last(last_),
        origin((view.index * view.height + tile.y) * view.width + tile.x),
        stride(view.width),
        width(tile.width),
        height(tile.height) {}

  /// Where a lane of a block is in the arrays, or -1 if outside the picture.
  int64_t place(int block, int lane) const {
    const int x = kBlock * (block % kBlocksX) + lane % kBlock;
    const int y = kBlock * (block / kBlocksX) + lane / kBlock;
    return x < width && y < height ? origin + stride * y + x : -1;
  }
  void clear() const {
    for (int y = 0; y < height; ++y)
      for (int x = 0; x < width; ++x) {
        last.key[origin + stride * y + x] = T(-INFINITY);
        last.face[origin + stride * y + x] = -1;
      }
  }
};

/// The last faces of a block's pixels, by lane.
template <typename T> struct BlockLast {
  alignas(64) T key[kBlockPixels];
  int32_t face[kBlockPixels];
};

/// Where a face is among the nearest. Equal keys are decided by number, lane by lane.
template <typename T>
PackMask<T> among_nearest(const BlockLast<T>& last, int part, Pack<T> key, int32_t number) {
  const int first = part * Pack<T>::kLanes;
  const Pack<T> last_key = load(last.key + first);
  const PackMask<T> nearer = less(last_key, key);
  const unsigned equal = kAllLanes<T> & ~(bits_of(nearer) | bits_of(less(key, last_key)));
  if (!equal) return nearer;
  alignas(64) T chosen[kBlockPixels];
  for (int i = 0; i < Pack<T>::kLanes; ++i)
    chosen[i] = T(bits_of(nearer) >> i & 1) +
                T((equal >> i & 1) && number <= last.face[first + i] ? 1 : 0);
  return less(Pack<T>(T(0)), load(chosen));
}

/// Scratch of choose_nearest().
template <typename T> struct NearestSpace {
  Buffer<T> keys, factors;  // per entry and pixel of the block; -inf where a face does not count
  Buffer<int32_t> numbers;
};

/// Pixels of a block of the tile, from its middle.
template <typename T> void block_pixels(int block, int part, Pack<T>& x, Pack<T>& y) {
  const int first = part * Pack<T>::kLanes;
  const int middle = (kBlock - kTile) / 2;
  x = Pack<T>(T(kBlock * (block % kBlocksX) + middle)) + load(kPixelLanes<T>.x + first);
  y = Pack<T>(T(kBlock * (block / kBlocksX) + middle)) + load(kPixelLanes<T>.y + first);
}

template <bool kLinear, int kSides, typename T>
void list_keys(const Tile<T>& tile, const TileEntry<T>& entry, const TileDepth<T>& depth,
               int block, T* keys, T* factors) {
  over_blocks<kSides>(tile, entry, uint64_t(1) << block,
                      [&](const Window<kSides, T>& window, int in_window, int) {
    for (int part = 0; part < kParts<T>; ++part) {
      const SideFrames<kSides, T> lanes = lane_frames<kSides>(entry.face, kPixelLanes<T>, part);
      const SideFrames<kSides, T> frames = window.at(lanes, in_window);
      const Factor<T> f = face_factor<kLinear, kSides>(tile, entry.face, frames);
      Pack<T> x, y;
      block_pixels(block, part, x, y);
      const int first = part * Pack<T>::kLanes;
      store(select(f.counts, key_at(depth, frames.across, x, y), Pack<T>(T(-INFINITY))),
            keys + first);
      store(f.factor, factors + first);
    }
  });
}

/// The last of the `wanted` nearest of a lane's faces, of which there are more.
template <typename T>
void find_last(const T* keys, const int32_t* numbers, int64_t count, int wanted, T& last_key,
               int32_t& last_face) {
  const int64_t none = ordered(T(-INFINITY));
  int64_t low = INT64_MAX, high = INT64_MIN;
  for (int64_t i = 0; i < count; ++i) {
    const int64_t key = ordered(keys[i * kBlockPixels]);
    if (key <= none) continue;
    low = smaller(low, key);
    high = larger(high, key);
  }
  ++high;
  // At least `wanted` keys are >= low, fewer are >= high.
  int64_t at_low = wanted + 1, at_high = 0;
  while (uint64_t(high) - uint64_t(low) > 1 && at_low != wanted) {
    const int64_t middle = low + int64_t((uint64_t(high) - uint64_t(low)) >> 1);
    int64_t reached = 0;
    for (int64_t i = 0; i < count; ++i) reached += ordered(keys[i * kBlockPixels]) >= middle;
    if (reached >= wanted) {
      low = middle;
      at_low = reached;
    } else {
      high = middle;
      at_high = reached;
    }
  }
  last_key = T(-INFINITY);
  last_face = -1;
  int64_t left = wanted - at_high;
  for (int64_t i = 0; i < count; ++i) {
    const T key = keys[i * kBlockPixels];
    if (at_low == wanted) {
      // All keys >= low count: the largest of the others tells them apart.
      if (ordered(key) < low) last_key = larger(last_key, key);
    } else if (ordered(key) == low && left-- > 0) {
      last_key = key;
      last_face = numbers[i];
    }
  }
}

/// Finds the last faces of a block's pixels, and their product again.
template <bool kLinear, typename T>
void choose_nearest(const SoftView<T>& view, const SoftFront& front, const Tile<T>& tile,
                    int block, const Buffer<TileEntry<T>>& entries, const Buffer<uint64_t>& blocks,
                    NearestSpace<T>& space, T* product, const TileLast<T, T, int32_t>& last) {
  space.keys.clear();
  space.factors.clear();
  space.numbers.clear();
  const double x = tile.x + 0.5 * kTile, y = tile.y + 0.5 * kTile;
  for (int64_t i = 0; i < entries.size(); ++i) {
    if (!(blocks[i] >> block & 1)) continue;
    const TileEntry<T>& entry = entries[i];
    const TileDepth<T> depth =
        depth_in_tile<T>(front.depths[entry.number], front.perspective, x, y);
    T* keys = space.keys.reserve(kBlockPixels);
    T* factors = space.factors.reserve(kBlockPixels);
    if (entry.sides == 3)
      list_keys<kLinear, 3>(tile, entry, depth, block, keys, factors);
    else
      list_keys<kLinear, 4>(tile, entry, depth, block, keys, factors);
    space.keys.resize(space.keys.size() + kBlockPixels);
    space.factors.resize(space.factors.size() + kBlockPixels);
    space.numbers.push(entry.number);
  }
  const int64_t count = space.numbers.size();
  const int wanted = view.model.faces_per_pixel;
  for (int lane = 0; lane < kBlockPixels; ++lane) {
    const int64_t place = last.place(block, lane);
    if (place < 0) continue;
    const T* keys = space.keys.data() + lane;
    int64_t found = 0;
    for (int64_t i = 0; i < count; ++i) found += keys[i * kBlockPixels] > T(-INFINITY);
    if (found <= wanted) continue;
    T key;
    int32_t face;
    find_last(keys, space.numbers.data(), count, wanted, key, face);
    last.last.key[place] = key;
    last.last.face[place] = face;
    T p = T(1);
    for (int64_t i = 0; i < count; ++i) {
      const T own = keys[i * kBlockPixels];
      if (own > key || (own == key && space.numbers[i] <= face))
        p = smaller(p * space.factors[i * kBlockPixels + lane], Power<T>::kCap);
    }
    product[lane] = p;
  }
}

LRAST_END
