// csrc/kernels/soft_nearest.h: pixels in which only the nearest faces count (CPU).
#pragma once
#include "soft_blocks.h"

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
};

/// Fills a view's part where all faces count everywhere: row by row, which is far faster than tile by
/// tile.
template <typename T>
void clear_last(const SoftView<T>& view, const SoftLast<T, int32_t>& last) {
  const int64_t pixels = int64_t(view.height) * view.width;
  const int chunks = num_chunks(pixels, view.threads);
  parallel_chunks(pixels, chunks, view.threads, [&](int, int64_t begin, int64_t end) {
    T* const key = last.key + pixels * view.index;
    int32_t* const face = last.face + pixels * view.index;
    for (int64_t i = begin; i < end; ++i) key[i] = T(-INFINITY);
    for (int64_t i = begin; i < end; ++i) face[i] = -1;
  });
}

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

/// Depths of up to sixteen faces of a tile, given by their places among its faces.
template <typename T>
void place_depths(const SoftView<T>& view, const SoftFront& front, const Tile<T>& tile,
                  const TileFaces<T>& faces, const int32_t* places, int count,
                  TileDepth<T>* depths) {
  int32_t numbers[kGroup];
  unsigned whole = 0;
  for (int i = 0; i < count; ++i) {
    numbers[i] = faces.record(places[i]).face;
    const int32_t* const face = view.faces + 3 * int64_t(numbers[i]);
    TileDepth<T>& depth = depths[places[i]];
    double sum = 0.0;
    for (int k = 0; k < 3; ++k) {
      const double key = front.keys[face[k == 0 ? 2 : k - 1]];
      depth.value[k] = T(key);
      sum += key;
    }
    whole |= unsigned(sum == sum) << i;
  }
  for (unsigned cut = ~whole & ((2u << (count - 1)) - 1); cut; cut &= cut - 1) {
    const int i = __builtin_ctz(cut);
    depths[places[i]] = depth_in_tile<T>(depth_of_face(view, front, numbers[i]), front.perspective,
                                         tile.x + 0.5 * kTile, tile.y + 0.5 * kTile);
  }
  if (!whole) return;
  GroupCorners corners;
  corners.read(front, numbers, count);
  // As make_soft_depth(), a lane per face.
  alignas(64) T weights[3][kGroup];
  const Doubles scale_x(view.model.scale_x), scale_y(view.model.scale_y);
  for (int first = 0; first < kGroup; first += Doubles::kLanes) {
    const auto corner = [&](const double(*of)[kGroup], int k) { return load(of[k % 3] + first); };
    Doubles length[3], longest(0.0);
    for (int k = 0; k < 3; ++k) {
      const Doubles x = (corner(corners.x, k + 1) - corner(corners.x, k)) * scale_x;
      const Doubles y = (corner(corners.y, k + 1) - corner(corners.y, k)) * scale_y;
      length[k] = root(x * x + y * y);
      longest = larger(longest, length[k]);
    }
    for (int k = 0; k < 3; ++k) store_rounded(length[k] / longest, weights[k] + first);
  }
  for (; whole; whole &= whole - 1) {
    const int i = __builtin_ctz(whole);
    TileDepth<T>& depth = depths[places[i]];
    for (int k = 0; k < 3; ++k) depth.weight[k] = weights[k][i];
    depth.whole = true;
    depth.perspective = front.perspective;
  }
}

/// Depths of the faces of a tile.
template <typename T>
void list_depths(const SoftView<T>& view, const SoftFront& front, const Tile<T>& tile,
                 const TileFaces<T>& faces, Buffer<TileDepth<T>>& depths) {
  depths.resize(faces.size());
  int32_t places[kGroup];
  for (int64_t first = 0; first < faces.size(); first += kGroup) {
    const int count = int(smaller<int64_t>(kGroup, faces.size() - first));
    for (int i = 0; i < count; ++i) places[i] = int32_t(first + i);
    place_depths(view, front, tile, faces, places, count, depths.data());
  }
}

/// Scratch of choose_nearest(). A row is a face at the pixels of a pack, in some of which it counts.
template <typename T> struct NearestSpace {
  Buffer<TileDepth<T>> depths;   // of the tile's faces, where known
  Buffer<uint64_t> known;        // (groups of 64 faces,)
  Buffer<int32_t> reaching;      // faces that may reach a block
  Buffer<int32_t> places;        // (rows,): of the faces
  Buffer<T> odds, keys;          // (rows, pixels); odds are negative where a face does not count
};

/// Appends rows of kTogether listed faces, those without any pixel to be overwritten by the next; also
/// multiplies them in at `product` and counts them in `found`.
template <bool kLinear, bool kMixed, typename T>
LRAST_INLINE void list_odds(const Tile<T>& tile, const TileFaces<T>& faces, const int32_t* list,
                            Pack<T> x, Pack<T> y, int32_t* places, T* rows, int64_t& count,
                            Pack<T>& product, Pack<T>& found) {
  const Pack<T> end(-tile.reach), fade(tile.fade), one(T(1)), none(T(0)), nowhere(T(-1));
  Pack<T> z[kTogether], odds[kTogether];
  for (int i = 0; i < kTogether; ++i)
    z[i] = exponent_of<kLinear, kMixed>(tile, faces.record(list[i]), x, y);
  for (int i = 0; i < kTogether; ++i) odds[i] = odds_for_cap<kLinear>(z[i], fade, less(end, z[i]));
  for (int i = 0; i < kTogether; ++i) {
    const PackMask<T> counts = less(end, z[i]);
    product = with_face<T>(product, odds[i]);
    found = found + select(counts, one, none);
    store(select(counts, odds[i], nowhere), rows + Pack<T>::kLanes * count);
    places[count] = list[i];
    count += bits_of(counts) != 0;
  }
}

/// The keys of a row, -inf where it does not count.
template <typename T>
LRAST_INLINE Pack<T> keys_of(const FaceRecord<T>& face, const TileDepth<T>& depth, Pack<T> odds,
                             Pack<T> x, Pack<T> y) {
  Pack<T> across[3];
  for (int k = 0; k < 3; ++k)
    across[k] = linear_at(x, y, Pack<T>(face.across_x(k)), Pack<T>(face.across_y(k)),
                          Pack<T>(face.across_0(k)));
  return select(less(odds, Pack<T>(T(0))), Pack<T>(T(-INFINITY)), key_at(depth, across, x, y));
}

/// How many keys are `least` or more. Sums of whole numbers are the same in any order: four at once
/// wait less for each other.
template <typename T> Pack<T> count_from(Pack<T> least, const T* keys, int64_t count) {
  const Pack<T> one(T(1)), none(T(0));
  const auto count_one = [&](int64_t i, Pack<T>& found) {
    found = select(less(load(keys + Pack<T>::kLanes * i), least), found, found + one);
  };
  Pack<T> found[4] = {none, none, none, none};
  int64_t i = 0;
  for (; i + 4 <= count; i += 4)
    for (int j = 0; j < 4; ++j) count_one(i + j, found[j]);
  for (; i < count; ++i) count_one(i, found[0]);
  return (found[0] + found[1]) + (found[2] + found[3]);
}

/// Keys so that `wanted` keys of each lane that has more are no less, by bisection of their range from
/// `low` to `top`; `at_low` says how many, and is more than `wanted` where that many share one.
template <typename T>
void find_threshold(const T* keys, int64_t count, Pack<T> wanted, Pack<T> top, Pack<T>& low,
                    Pack<T>& at_low) {
  constexpr T kSlack = sizeof(T) == 4 ? T(0x1p-21) : T(0x1p-50), kLeast = T(1e-37);
  constexpr T kHalf = T(0.5), kNone = T(0);
  const Pack<T> half(kHalf);
  Pack<T> high = (top + magnitude(top) * Pack<T>(kSlack)) + Pack<T>(kLeast), at_high(kNone);
  unsigned open = bits_of(less(wanted, at_low));
  for (int turn = 1; open; ++turn) {
    // Keys are rather even: what their numbers say is near, and every now and then the middle, for
    // where they are not.
    const Pack<T> share = turn % 4 ? (at_low - wanted + half) / (at_low - at_high) : half;
    Pack<T> middle = low + (high - low) * share;
    const PackMask<T> inside = both(less(low, middle), less(middle, high));
    middle = select(inside, middle, low + (high - low) * half);
    const Pack<T> reached = count_from(middle, keys, count);
    const PackMask<T> fewer = less(reached, wanted);
    // Between neighbouring numbers there is none: `low` itself is shared by several faces.
    const unsigned between = bits_of(less(low, middle)) & bits_of(less(middle, high));
    low = select(fewer, low, middle);
    at_low = select(fewer, at_low, reached);
    high = select(fewer, middle, high);
    at_high = select(fewer, reached, at_high);
    open &= between & bits_of(less(wanted, at_low));
  }
}

/// Where too many faces share the last key, which is `low`: the first of these count, by number.
template <typename T>
void find_tied(unsigned tied, const T* keys, const int32_t* places, const TileFaces<T>& faces,
               int64_t count, T wanted, Pack<T> low, T* last_key, int32_t* last_face) {
  constexpr int kLanes = Pack<T>::kLanes;
  alignas(64) T lows[kLanes];
  store(low, lows);
  for (; tied; tied &= tied - 1) {
    const int lane = __builtin_ctz(tied);
    last_key[lane] = lows[lane];
    T left = wanted;
    for (int64_t i = 0; i < count; ++i) left -= keys[kLanes * i + lane] > lows[lane] ? 1 : 0;
    for (int64_t i = 0; i < count && left > T(0); ++i) {
      if (keys[kLanes * i + lane] != lows[lane]) continue;
      last_face[lane] = faces.record(places[i]).face;
      left -= T(1);
    }
  }
}

/// Makes the depths of the faces known that may reach a block.
template <typename T>
void know_depths(const SoftView<T>& view, const SoftFront& front, const Tile<T>& tile, int block,
                 const TileFaces<T>& faces, const BlockSets& sets, NearestSpace<T>& space) {
  int32_t unknown[kGroup];
  int waiting = 0;
  const auto place = [&] {
    if (waiting) place_depths(view, front, tile, faces, unknown, waiting, space.depths.data());
    waiting = 0;
  };
  for (int64_t group = 0; group < sets.any.size(); ++group) {
    const uint64_t set = sets.words[kWord * group + block];
    for (uint64_t left = set & ~space.known[group]; left; left &= left - 1) {
      unknown[waiting++] = int32_t(kWord * group + __builtin_ctzll(left));
      if (waiting == kGroup) place();
    }
    space.known[group] |= set;
  }
  place();
}

/// Finds the last faces of a pack of a block's pixels, if there are any, and the product of the
/// faces that count.
template <bool kLinear, bool kMixed, typename T>
bool choose_in_pack(const SoftView<T>& view, const SoftFront& front, const Tile<T>& tile,
                    int block, int part, const TileFaces<T>& faces, const BlockSets& sets,
                    NearestSpace<T>& space, TilePixels<T>& products, BlockLast<T>& last) {
  constexpr int kLanes = Pack<T>::kLanes;
  const int first = part * kLanes;
  const int32_t* const list = space.reaching.data();
  int32_t* const places = space.places.data();
  T* const odds = space.odds.data();
  T* const keys = space.keys.data();
  Pack<T> x, y, product(T(1)), found(T(0));
  block_pixels(block, part, x, y);
  int64_t count = 0;
  for (int64_t i = 0; i < space.reaching.size(); i += kTogether)
    list_odds<kLinear, kMixed>(tile, faces, list + i, x, y, places, odds, count, product, found);
  const Pack<T> wanted(T(view.model.faces_per_pixel));
  const PackMask<T> over = less(wanted, found);
  if (!bits_of(over)) {
    store(product, products.at[block] + first);
    return false;
  }
  know_depths(view, front, tile, block, faces, sets, space);
  constexpr T kInfinity = T(INFINITY), kLowest = sizeof(T) == 4 ? T(-0x1.fffffep127) : T(-0x1.fffffffffffffp1023), kNone = T(0);
  const Pack<T> infinity(kInfinity), nowhere(-kInfinity), none(kNone);
  Pack<T> low = infinity, top = nowhere;
  for (int64_t i = 0; i < count; ++i) {
    const Pack<T> key = keys_of(faces.record(places[i]), space.depths[places[i]],
                                load(odds + kLanes * i), x, y);
    low = smaller(low, select(less(nowhere, key), key, infinity));
    top = larger(top, key);
    store(key, keys + kLanes * i);
  }
  find_threshold(keys, count, wanted, top, low, found);
  // All keys >= low count: the largest of the others tells them apart.
  const Pack<T> least = select(over, low, Pack<T>(kLowest));
  Pack<T> below = nowhere, p(T(1));
  for (int64_t i = 0; i < count; ++i) {
    const Pack<T> key = load(keys + kLanes * i);
    const PackMask<T> other = less(key, least);
    below = select(other, larger(below, key), below);
    const PackMask<T> chosen = without(less(nowhere, key), other);
    p = with_face<T>(p, select(chosen, load(odds + kLanes * i), none));
  }
  store(below, last.key + first);
  for (int lane = 0; lane < kLanes; ++lane) last.face[first + lane] = -1;
  const unsigned tied = bits_of(over) & bits_of(less(wanted, found));
  if (tied) {
    find_tied(tied, keys, places, faces, count, T(view.model.faces_per_pixel), low,
              last.key + first, last.face + first);
    last.ties = true;
    p = Pack<T>(T(1));
    for (int64_t i = 0; i < count; ++i) {
      const Pack<T> key = load(keys + kLanes * i);
      const PackMask<T> chosen =
          both(less(nowhere, key), among_nearest(last, part, key, faces.record(places[i]).face));
      p = with_face<T>(p, select(chosen, load(odds + kLanes * i), none));
    }
  }
  store(p, products.at[block] + first);
  return true;
}

/// Finds the last faces of the pixels of `blocks`, and the products of the faces that count.
template <bool kLinear, typename T>
void choose_nearest(const SoftView<T>& view, const SoftFront& front, const Tile<T>& tile,
                    uint64_t blocks, const TileFaces<T>& faces, const BlockSets& sets,
                    NearestSpace<T>& space, TilePixels<T>& product,
                    const TileLast<T, T, int32_t>& last) {
  space.depths.resize(faces.size());
  space.known.zero(sets.any.size());
  const auto choose =
      faces.mixed ? choose_in_pack<kLinear, true, T> : choose_in_pack<kLinear, false, T>;
  for (; blocks; blocks &= blocks - 1) {
    const int block = __builtin_ctzll(blocks);
    sets.list(block, space.reaching);
    const int64_t rows =
        fill_up(space.reaching.data(), int(space.reaching.size()), faces.nobody());
    space.reaching.resize(rows);
    space.places.resize(rows);
    space.odds.resize(rows * Pack<T>::kLanes);
    space.keys.resize(rows * Pack<T>::kLanes);
    BlockLast<T> found;
    for (int part = 0; part < kParts<T>; ++part) {
      if (!choose(view, front, tile, block, part, faces, sets, space, product, found))
        continue;
      for (int lane = part * Pack<T>::kLanes; lane < (part + 1) * Pack<T>::kLanes; ++lane) {
        const int64_t place = last.place(block, lane);
        if (place < 0) continue;
        last.last.key[place] = found.key[lane];
        last.last.face[place] = found.face[lane];
      }
    }
  }
}

LRAST_END
