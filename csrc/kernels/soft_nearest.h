// csrc/kernels/soft_nearest.h: pixels in which only the nearest faces count (CPU).
#pragma once
#include "soft_window.h"

LRAST_BEGIN

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
  bool ties;  // whether numbers decide anywhere: some face is not -1
};

/// Where a face is among the nearest. Equal keys are decided by number, lane by lane.
template <typename T>
PackMask<T> among_nearest(const BlockLast<T>& last, int part, Pack<T> key, int32_t number) {
  const int first = part * Pack<T>::kLanes;
  const Pack<T> last_key = load(last.key + first);
  const PackMask<T> nearer = less(last_key, key);
  if (!last.ties) return nearer;
  const unsigned equal = kAllLanes<T> & ~(bits_of(nearer) | bits_of(less(key, last_key)));
  alignas(64) T chosen[kBlockPixels];
  for (int i = 0; i < Pack<T>::kLanes; ++i)
    chosen[i] = T(bits_of(nearer) >> i & 1) +
                T((equal >> i & 1) && number <= last.face[first + i] ? 1 : 0);
  return less(Pack<T>(T(0)), load(chosen));
}

/// Scratch of choose_nearest().
template <typename T> struct NearestSpace {
  Buffer<TileDepth<T>> depths;  // of the tile's faces
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
void list_keys(const Tile<T>& tile, const FaceInTile<T>& face, const TileDepth<T>& depth,
               int block, T* keys, T* factors) {
  const T x = T(kBlock * (block % kBlocksX) + (kBlock - kTile) / 2);
  const T y = T(kBlock * (block / kBlocksX) + (kBlock - kTile) / 2);
  const FaceConstants<kSides, T> constants(tile, face);
  for (int part = 0; part < kParts<T>; ++part) {
    SideFrames<kSides, Pack<T>> frames = constants.lanes[part];
    for (int k = 0; k < kSides; ++k) {
      // In the order of Window::look(), for the same bits.
      const T across = (x * face.across_x(k) + y * face.across_y(k)) + face.across_0(k);
      const T along = (x * face.along_x(k) + y * face.along_y(k)) + face.along_0(k);
      frames.across[k] = frames.across[k] + Pack<T>(across);
      frames.along[k] = frames.along[k] + Pack<T>(along);
    }
    const FaceChance<Pack<T>> f = face_chance<kLinear, kSides, T>(constants, frames);
    Pack<T> pixel_x, pixel_y;
    block_pixels(block, part, pixel_x, pixel_y);
    const Pack<T> key = key_at(depth, frames.across, pixel_x, pixel_y);
    const int first = part * Pack<T>::kLanes;
    store(select(f.counts, key, Pack<T>(T(-INFINITY))), keys + first);
    store(f.chance.factor, factors + first);
  }
}

/// Depths of the faces of a tile.
template <typename T>
void list_depths(const SoftView<T>& view, const SoftFront& front, const Tile<T>& tile,
                 const TileFaces<T>& faces, Buffer<TileDepth<T>>& depths) {
  depths.resize(faces.entries.size());
  for (int64_t i = 0; i < depths.size(); ++i)
    depths[i] = depth_in_tile<T>(depth_of_face(view, front, faces.entries[i].number),
                                 front.perspective, tile.x + 0.5 * kTile, tile.y + 0.5 * kTile);
}

/// How many keys are `least` or more. Sums of whole numbers are the same in any order: four at once
/// wait less for each other.
template <typename T> Pack<T> count_from(Pack<T> least, const T* keys, int64_t count) {
  const Pack<T> one(T(1)), none(T(0));
  const auto at = [&](int64_t i) {
    return select(less(load(keys + kBlockPixels * i), least), none, one);
  };
  Pack<T> found[4] = {none, none, none, none};
  int64_t i = 0;
  for (; i + 4 <= count; i += 4)
    for (int j = 0; j < 4; ++j) found[j] = found[j] + at(i + j);
  for (; i < count; ++i) found[0] = found[0] + at(i);
  return (found[0] + found[1]) + (found[2] + found[3]);
}

/// The last of the `wanted` nearest faces of each lane, by bisection of the keys' range; -inf and
/// -1 where no more faces than that have a key. Returns whether numbers decide in any lane.
template <typename T>
bool find_last(const T* keys, const int32_t* numbers, int64_t count, T wanted, T* last_key,
               int32_t* last_face) {
  constexpr int kLanes = Pack<T>::kLanes;
  constexpr T kInfinity = T(INFINITY);
  const Pack<T> infinity(kInfinity), none(-kInfinity), limit(wanted);
  Pack<T> low = infinity, high = none;
  for (int64_t i = 0; i < count; ++i) {
    const Pack<T> key = load(keys + kBlockPixels * i);
    low = smaller(low, select(less(none, key), key, infinity));
    high = larger(high, key);
  }
  // At least `wanted` keys are >= low; fewer are >= high, unless all of these are equal.
  Pack<T> at_low = count_from(low, keys, count), at_high = count_from(high, keys, count);
  const PackMask<T> over = less(limit, at_low), top = less(at_high, limit);
  low = select(top, low, high);
  at_low = select(top, at_low, at_high);
  unsigned open = bits_of(both(over, top));
  while (open) {
    const Pack<T> middle = low + (high - low) * Pack<T>(T(0.5));
    const Pack<T> reached = count_from(middle, keys, count);
    const PackMask<T> fewer = less(reached, limit);
    // Between neighbouring numbers there is none: `low` itself is shared by several faces.
    const unsigned between = bits_of(less(low, middle)) & bits_of(less(middle, high));
    low = select(fewer, low, middle);
    at_low = select(fewer, at_low, reached);
    high = select(fewer, middle, high);
    open &= between & bits_of(less(limit, at_low));
  }
  // All keys >= low count: the largest of the others tells them apart.
  Pack<T> below = none;
  for (int64_t i = 0; i < count; ++i) {
    const Pack<T> key = load(keys + kBlockPixels * i);
    below = select(less(key, low), larger(below, key), below);
  }
  store(select(over, below, none), last_key);
  const unsigned tied = bits_of(over) & bits_of(less(limit, at_low));
  alignas(64) T lows[kLanes];
  store(low, lows);
  for (int lane = 0; lane < kLanes; ++lane) {
    last_face[lane] = -1;
    if (!(tied >> lane & 1)) continue;
    // Unless too many share `low`: the first of these.
    last_key[lane] = lows[lane];
    T left = wanted;
    for (int64_t i = 0; i < count; ++i) left -= keys[kBlockPixels * i + lane] > lows[lane] ? 1 : 0;
    for (int64_t i = 0; i < count && left > T(0); ++i) {
      if (keys[kBlockPixels * i + lane] != lows[lane]) continue;
      last_face[lane] = numbers[i];
      left -= T(1);
    }
  }
  return tied != 0;
}

/// Finds the last faces of a block's pixels, and their product again.
template <bool kLinear, typename T>
void choose_nearest(const SoftView<T>& view, const Tile<T>& tile, int block,
                    const TileFaces<T>& faces, const Buffer<uint64_t>& blocks,
                    NearestSpace<T>& space, T* product, const TileLast<T, T, int32_t>& last) {
  space.keys.clear();
  space.factors.clear();
  space.numbers.clear();
  for (int64_t i = 0; i < faces.entries.size(); ++i) {
    if (!(blocks[i] >> block & 1)) continue;
    T* keys = space.keys.reserve(kBlockPixels);
    T* factors = space.factors.reserve(kBlockPixels);
    if (faces.entries[i].sides == 3)
      list_keys<kLinear, 3>(tile, faces.face(i), space.depths[i], block, keys, factors);
    else
      list_keys<kLinear, 4>(tile, faces.face(i), space.depths[i], block, keys, factors);
    space.keys.resize(space.keys.size() + kBlockPixels);
    space.factors.resize(space.factors.size() + kBlockPixels);
    space.numbers.push(faces.entries[i].number);
  }
  const int64_t count = space.numbers.size();
  BlockLast<T> block_last;
  for (int part = 0; part < kParts<T>; ++part) {
    const int first = part * Pack<T>::kLanes;
    const T* keys = space.keys.data() + first;
    block_last.ties =
        find_last(keys, space.numbers.data(), count, T(view.model.faces_per_pixel),
                  block_last.key + first, block_last.face + first);
    Pack<T> p(T(1));
    for (int64_t i = 0; i < count; ++i) {
      const Pack<T> key = load(keys + kBlockPixels * i);
      const PackMask<T> chosen = both(less(Pack<T>(T(-INFINITY)), key),
                                      among_nearest(block_last, part, key, space.numbers[i]));
      const Pack<T> factor = load(space.factors.data() + kBlockPixels * i + first);
      p = smaller(p * select(chosen, factor, Pack<T>(T(1))), Pack<T>(Power<T>::kCap));
    }
    store(p, product + first);
  }
  for (int lane = 0; lane < kBlockPixels; ++lane) {
    const int64_t place = last.place(block, lane);
    if (place < 0) continue;
    last.last.key[place] = block_last.key[lane];
    last.last.face[place] = block_last.face[lane];
  }
}

LRAST_END
