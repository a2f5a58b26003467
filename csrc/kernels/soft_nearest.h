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
  alignas(64) double over[3][kGroup], under[3][kGroup];  // of the keys of corners
  unsigned whole = 0;
  for (int i = 0; i < count; ++i) {
    numbers[i] = faces.record(places[i]).face;
    const int32_t* const face = view.faces + 3 * int64_t(numbers[i]);
    bool seen = true;
    for (int k = 0; k < 3; ++k) {
      seen = seen && !is_hidden(front.screen[face[k]]);
      const T* const clip = view.verts + 4 * int64_t(face[k]);
      over[k][i] = front.perspective ? 1.0 : -double(clip[2]);
      under[k][i] = double(clip[3]);
    }
    whole |= unsigned(seen) << i;
    if (!seen)
      depths[places[i]] =
          depth_in_tile<T>(depth_of_face(view, front, numbers[i]), front.perspective,
                           tile.x + 0.5 * kTile, tile.y + 0.5 * kTile);
  }
  if (!whole) return;
  for (int i = count; i < kGroup; ++i)
    for (int k = 0; k < 3; ++k) over[k][i] = under[k][i] = 1.0;
  GroupCorners corners;
  corners.read(front, numbers, count);
  // As make_soft_depth(), a lane per face.
  alignas(64) T weights[3][kGroup], values[3][kGroup];
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
    for (int k = 0; k < 3; ++k) {
      store_rounded(length[k] / longest, weights[k] + first);
      store_rounded(corner(over, k + 2) / corner(under, k + 2), values[k] + first);
    }
  }
  for (; whole; whole &= whole - 1) {
    const int i = __builtin_ctz(whole);
    TileDepth<T>& depth = depths[places[i]];
    for (int k = 0; k < 3; ++k) {
      depth.weight[k] = weights[k][i];
      depth.value[k] = values[k][i];
    }
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
  Buffer<unsigned char> known;
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

/// The last of the `wanted` nearest faces of each lane, of which `found` count, by bisection of the
/// keys' range; -inf and -1 where no more count than that. Returns whether numbers decide in any
/// lane.
template <typename T>
bool find_last(const T* keys, const int32_t* places, const TileFaces<T>& faces, int64_t count,
               T wanted, Pack<T> found, Pack<T> low, Pack<T> top, T* last_key,
               int32_t* last_face) {
  constexpr int kLanes = Pack<T>::kLanes;
  constexpr T kInfinity = T(INFINITY), kHalf = T(0.5);
  const Pack<T> none(-kInfinity), limit(wanted), half(kHalf);
  // More than `wanted` keys are >= low until as many are; fewer are >= high.
  constexpr T kSlack = sizeof(T) == 4 ? T(0x1p-21) : T(0x1p-50), kLeast = T(1e-37), kNone = T(0);
  Pack<T> high = (top + magnitude(top) * Pack<T>(kSlack)) + Pack<T>(kLeast);
  Pack<T> at_low = found, at_high(kNone);
  const PackMask<T> over = less(limit, found);
  unsigned open = bits_of(over);
  for (int turn = 1; open; ++turn) {
    // Keys are rather even: what their numbers say is near, and every now and then the middle, for
    // where they are not.
    const Pack<T> share = turn % 4 ? (at_low - limit + half) / (at_low - at_high) : half;
    Pack<T> middle = low + (high - low) * share;
    const PackMask<T> inside = both(less(low, middle), less(middle, high));
    middle = select(inside, middle, low + (high - low) * half);
    const Pack<T> reached = count_from(middle, keys, count);
    const PackMask<T> fewer = less(reached, limit);
    // Between neighbouring numbers there is none: `low` itself is shared by several faces.
    const unsigned between = bits_of(less(low, middle)) & bits_of(less(middle, high));
    low = select(fewer, low, middle);
    at_low = select(fewer, at_low, reached);
    high = select(fewer, middle, high);
    at_high = select(fewer, reached, at_high);
    open &= between & bits_of(less(limit, at_low));
  }
  // All keys >= low count: the largest of the others tells them apart.
  Pack<T> below = none;
  for (int64_t i = 0; i < count; ++i) {
    const Pack<T> key = load(keys + kLanes * i);
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
    for (int64_t i = 0; i < count; ++i) left -= keys[kLanes * i + lane] > lows[lane] ? 1 : 0;
    for (int64_t i = 0; i < count && left > T(0); ++i) {
      if (keys[kLanes * i + lane] != lows[lane]) continue;
      last_face[lane] = faces.record(places[i]).face;
      left -= T(1);
    }
  }
  return tied != 0;
}

/// Makes the depths of some faces known.
template <typename T>
void know_depths(const SoftView<T>& view, const SoftFront& front, const Tile<T>& tile,
                 const TileFaces<T>& faces, int64_t count, NearestSpace<T>& space) {
  int32_t unknown[kGroup];
  int waiting = 0;
  const auto place = [&] {
    if (waiting) place_depths(view, front, tile, faces, unknown, waiting, space.depths.data());
    waiting = 0;
  };
  for (int64_t i = 0; i < count; ++i) {
    const int32_t face = space.places[i];
    if (space.known[face]) continue;
    space.known[face] = 1;
    unknown[waiting++] = face;
    if (waiting == kGroup) place();
  }
  place();
}

/// Finds the last faces of a pack of a block's pixels, if there are any, and the product of the
/// faces that count.
template <bool kLinear, bool kMixed, typename T>
bool choose_in_pack(const SoftView<T>& view, const SoftFront& front, const Tile<T>& tile,
                    int block, int part, const TileFaces<T>& faces,
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
  const T wanted = T(view.model.faces_per_pixel);
  if (!bits_of(less(Pack<T>(wanted), found))) {
    store(product, products.at[block] + first);
    return false;
  }
  know_depths(view, front, tile, faces, count, space);
  constexpr T kInfinity = T(INFINITY);
  const Pack<T> infinity(kInfinity), none(-kInfinity);
  Pack<T> low = infinity, top = none;
  for (int64_t i = 0; i < count; ++i) {
    const Pack<T> key = keys_of(faces.record(places[i]), space.depths[places[i]],
                                load(odds + kLanes * i), x, y);
    low = smaller(low, select(less(none, key), key, infinity));
    top = larger(top, key);
    store(key, keys + kLanes * i);
  }
  last.ties = find_last(keys, places, faces, count, wanted, found, low, top, last.key + first,
                        last.face + first);
  Pack<T> p(T(1));
  for (int64_t i = 0; i < count; ++i) {
    const Pack<T> key = load(keys + kLanes * i);
    const PackMask<T> chosen =
        both(less(none, key), among_nearest(last, part, key, faces.record(places[i]).face));
    p = with_face<T>(p, select(chosen, load(odds + kLanes * i), Pack<T>(T(0))));
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
  space.known.zero(faces.size());
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
      if (!choose(view, front, tile, block, part, faces, space, product, found)) continue;
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
