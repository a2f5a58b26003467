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
    const SoftLast<Key, Face> to = last;  // a copy, which no store below can change
    const int columns = width, rows = height;
    for (int y = 0; y < rows; ++y) {
      const int64_t begin = origin + stride * y;
      for (int x = 0; x < columns; ++x) to.key[begin + x] = T(-INFINITY);
      for (int x = 0; x < columns; ++x) to.face[begin + x] = -1;
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

/// Scratch of choose_nearest(). A face has a row of pixels in each block that it reaches, and the
/// rows of a block follow each other.
template <typename T> struct NearestSpace {
  Buffer<TileDepth<T>> depths;  // of the tile's faces
  Buffer<T> keys, odds;         // (rows, pixels); keys are -inf where a face does not count
  Buffer<int32_t> numbers;      // (rows,)
  int64_t begin[kBlocks], end[kBlocks];  // rows
  int64_t reaching[kBlocks];             // faces that may reach a block
};

/// So many rows are filled at once, or those of a single block: 2 MB of floats, which caches hold.
constexpr int64_t kMostRows = 1 << 14;

/// Fills `reaching`.
template <typename T> void count_reaching(const TileFaces<T>& faces, NearestSpace<T>& space) {
  memset(space.reaching, 0, sizeof(space.reaching));
  for (int64_t i = 0; i < faces.blocks.size(); ++i)
    for (uint64_t left = faces.blocks[i].near; left; left &= left - 1)
      ++space.reaching[__builtin_ctzll(left)];
}

/// Blocks that more than so many faces may reach.
template <typename T> uint64_t blocks_above(const NearestSpace<T>& space, double faces) {
  uint64_t blocks = 0;
  for (int block = 0; block < kBlocks; ++block)
    blocks |= uint64_t(double(space.reaching[block]) > faces) << block;
  return blocks;
}

/// Fills a face's rows in `blocks`.
template <bool kLinear, int kSides, typename T>
__attribute__((flatten)) void list_keys(const Tile<T>& tile, const FaceRecord<T>& face,
                                        const TileDepth<T>& depth,
                                        uint64_t blocks, NearestSpace<T>& space) {
  using Two = Twin<Pack<T>>;
  const FaceConstants<kSides, T> constants(tile, face);
  for (uint64_t left = blocks; left;) {
      const BlockPair pair(left);
      const int* const at = pair.at;
      const int64_t row[2] = {space.end[at[0]], space.end[at[1]]};
      unsigned any[2] = {0, 0};
      for (int part = 0; part < kParts<T>; ++part) {
        Two x, y;
        block_pixels(at, part, x, y);
        const SideFrames<kSides, Two> frames = constants.at(x, y);
        const Two z = face_exponent<kLinear, kSides, T>(constants, frames);
        const MaskOf<Two> counts = less(Two(constants.end), z);
        const Two key = select(counts, key_at(depth, frames.across, x, y), Two(T(-INFINITY)));
        const auto put = [&](int i, Pack<T> key, Pack<T> z, PackMask<T> counts) {
          const int64_t place = kBlockPixels * row[i] + part * Pack<T>::kLanes;
          any[i] |= bits_of(counts);
          store(key, space.keys.data() + place);
          store(odds_for_cap<kLinear>(z, constants.fade, counts), space.odds.data() + place);
        };
        put(0, key.first, z.first, counts.first);
        if (pair.two) put(1, key.second, z.second, counts.second);
      }
      // A row without any pixel is overwritten by the next.
      for (int i = 0; i < 1 + int(pair.two); ++i) {
        space.numbers[row[i]] = face.face;
        space.end[at[i]] += any[i] != 0;
      }
    }
}

/// Depths of the faces of a tile.
template <typename T>
void list_depths(const SoftView<T>& view, const SoftFront& front, const Tile<T>& tile,
                 const TileFaces<T>& faces, Buffer<TileDepth<T>>& depths) {
  depths.resize(faces.size());
  for (int64_t i = 0; i < depths.size(); ++i)
    depths[i] = depth_in_tile<T>(depth_of_face(view, front, faces.record(i).face),
                                 front.perspective, tile.x + 0.5 * kTile, tile.y + 0.5 * kTile);
}

/// How many keys are `least` or more. Sums of whole numbers are the same in any order: four at once
/// wait less for each other.
template <typename T> Pack<T> count_from(Pack<T> least, const T* keys, int64_t count) {
  const Pack<T> one(T(1)), none(T(0));
  const auto count_one = [&](int64_t i, Pack<T>& found) {
    found = select(less(load(keys + kBlockPixels * i), least), found, found + one);
  };
  Pack<T> found[4] = {none, none, none, none};
  int64_t i = 0;
  for (; i + 4 <= count; i += 4)
    for (int j = 0; j < 4; ++j) count_one(i + j, found[j]);
  for (; i < count; ++i) count_one(i, found[0]);
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

/// Finds the last faces of a block's pixels from its rows, and the product of these faces.
template <typename T>
void choose_in_block(int block, int faces_per_pixel, const NearestSpace<T>& space, T* product,
                     const TileLast<T, T, int32_t>& last) {
  const int64_t begin = space.begin[block], count = space.end[block] - begin;
  const int32_t* numbers = space.numbers.data() + begin;
  BlockLast<T> block_last;
  for (int part = 0; part < kParts<T>; ++part) {
    const int first = part * Pack<T>::kLanes;
    const T* keys = space.keys.data() + kBlockPixels * begin + first;
    const T* odds = space.odds.data() + kBlockPixels * begin + first;
    block_last.ties = find_last(keys, numbers, count, T(faces_per_pixel), block_last.key + first,
                                block_last.face + first);
    Pack<T> p(T(1));
    for (int64_t i = 0; i < count; ++i) {
      const Pack<T> key = load(keys + kBlockPixels * i);
      const PackMask<T> chosen = both(less(Pack<T>(T(-INFINITY)), key),
                                      among_nearest(block_last, part, key, numbers[i]));
      p = with_face<T>(p, select(chosen, load(odds + kBlockPixels * i), Pack<T>(T(0))));
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

/// The same for a set of blocks.
template <bool kLinear, typename T>
void choose_nearest(const SoftView<T>& view, const Tile<T>& tile, uint64_t blocks,
                    const TileFaces<T>& faces, NearestSpace<T>& space, TilePixels<T>& product,
                    const TileLast<T, T, int32_t>& last) {
  while (blocks) {
    uint64_t batch = 0;
    int64_t total = 0;
    do {
      const int block = __builtin_ctzll(blocks);
      space.begin[block] = space.end[block] = total;
      total += space.reaching[block];
      batch |= blocks & -blocks;
      blocks &= blocks - 1;
    } while (blocks && total + space.reaching[__builtin_ctzll(blocks)] <= kMostRows);
    space.keys.resize(kBlockPixels * total);
    space.odds.resize(kBlockPixels * total);
    space.numbers.resize(total);
    for (int64_t i = 0; i < faces.blocks.size(); ++i) {
      const uint64_t reached = faces.blocks[i].near & batch;
      if (!reached) continue;
      const FaceRecord<T>& face = faces.record(i);
      const auto list = face.sides == 3 ? list_keys<kLinear, 3, T> : list_keys<kLinear, 4, T>;
      list(tile, face, space.depths[i], reached, space);
    }
    for (uint64_t left = batch; left; left &= left - 1) {
      const int block = __builtin_ctzll(left);
      choose_in_block(block, view.model.faces_per_pixel, space, product.at[block], last);
    }
  }
}

LRAST_END
