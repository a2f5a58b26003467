// csrc/kernels/soft_forward.h: soft coverage of a tile (CPU).
#pragma once
#include "soft_blocks.h"
#include "soft_nearest.h"

LRAST_BEGIN

/// Scratch of a thread.
template <typename T> struct ForwardSpace {
  TilePixels<T> product;  // of 1 / (1 - p), capped
  TilePixels<T> count;    // of faces, if only some may count
  TilePixels<T> free;     // 1 / product, or 0 at the cap
  TileFaces<T> faces;
  Pool<BlockLists> lists;  // one: too large for what each thread is born with
  NearestSpace<T> nearest;
};

/// Where so many times more faces may reach a block than may count in a pixel, most blocks have a
/// pixel in which too many count, and counting is wasted on them.
constexpr double kSurelyCrowded = 2.0;

/// Those of `blocks` in which more faces count in some pixel than may, so that choose_nearest() begins
/// anew.
template <typename T>
uint64_t find_over(const ForwardSpace<T>& space, uint64_t blocks, T most) {
  const Pack<T> limit(most);
  uint64_t found = 0;
  for (; blocks; blocks &= blocks - 1) {
    const int block = __builtin_ctzll(blocks);
    unsigned over = 0;
    for (int first = 0; first < kBlockPixels; first += Pack<T>::kLanes)
      over |= bits_of(less(limit, load(space.count.at[block] + first)));
    found |= uint64_t(over != 0) << block;
  }
  return found;
}

/// Those of `blocks` of which all pixels are at the cap: they need no further face.
template <typename T> uint64_t find_capped(const ForwardSpace<T>& space, uint64_t blocks) {
  const Pack<T> cap(Power<T>::kCap);
  uint64_t found = 0;
  for (; blocks; blocks &= blocks - 1) {
    const int block = __builtin_ctzll(blocks);
    unsigned open = 0;
    for (int first = 0; first < kBlockPixels; first += Pack<T>::kLanes)
      open |= bits_of(less(load(space.product.at[block] + first), cap));
    found |= uint64_t(open == 0) << block;
  }
  return found;
}

/// A face's exponents at a pack of pixels.
template <bool kLinear, int kSides, typename T>
LRAST_INLINE Pack<T> exponent_at(const Tile<T>& tile, const FaceRecord<T>& face, Pack<T> x,
                                 Pack<T> y) {
  const FaceConstants<kSides, T> constants(tile, face);
  return face_exponent<kLinear, kSides, T>(constants, constants.at(x, y));
}

// The processor looks ahead over few faces, of which each is a long chain of operations that wait for
// each other: so many are taken side by side.
constexpr int kTogether = 4;

/// Multiplies `count` listed faces in at a pack of pixels.
template <bool kLinear, bool kCounting, bool kMixed, int kCount, typename T>
LRAST_INLINE void multiply_in(const Tile<T>& tile, const TileFaces<T>& faces, int64_t begin,
                              const uint16_t* list, Pack<T> x, Pack<T> y, Pack<T>& product,
                              Pack<T>& found) {
  const Pack<T> end(-tile.reach), fade(tile.fade), one(T(1)), none(T(0));
  Pack<T> z[kCount], odds[kCount];
  for (int i = 0; i < kCount; ++i) {
    const FaceRecord<T>& face = faces.record(begin + list[i]);
    z[i] = kMixed && face.sides == 4 ? exponent_at<kLinear, 4>(tile, face, x, y)
                                     : exponent_at<kLinear, 3>(tile, face, x, y);
  }
  for (int i = 0; i < kCount; ++i) odds[i] = odds_for_cap<kLinear>(z[i], fade, less(end, z[i]));
  for (int i = 0; i < kCount; ++i) {
    product = with_face<T>(product, odds[i]);
    if (kCounting) found = found + select(less(end, z[i]), one, none);
  }
}

/// Multiplies the listed faces from `begin` on in at `blocks`; kMixed: some of these faces may have
/// four sides.
template <bool kLinear, bool kCounting, bool kMixed, typename T>
void multiply_blocks(const Tile<T>& tile, const TileFaces<T>& faces, int64_t begin,
                     const BlockLists& lists, uint64_t blocks, TilePixels<T>& products,
                     TilePixels<T>& counts) {
  for (uint64_t left = lists.filled & blocks; left; left &= left - 1) {
    const int block = __builtin_ctzll(left), count = lists.count[block];
    const uint16_t* const list = lists.list[block];
    for (int part = 0; part < kParts<T>; ++part) {
      const int first = part * Pack<T>::kLanes;
      Pack<T> x, y;
      block_pixels(block, part, x, y);
      Pack<T> product = load(products.at[block] + first), found(T(0));
      if (kCounting) found = load(counts.at[block] + first);
      int i = 0;
      for (; i + kTogether <= count; i += kTogether)
        multiply_in<kLinear, kCounting, kMixed, kTogether>(tile, faces, begin, list + i, x, y,
                                                           product, found);
      for (; i < count; ++i)
        multiply_in<kLinear, kCounting, kMixed, 1>(tile, faces, begin, list + i, x, y, product,
                                                   found);
      store(product, products.at[block] + first);
      if (kCounting) store(found, counts.at[block] + first);
    }
  }
}

/// Lists the faces from `begin` on for the `blocks` that are to take them in; in those `counted` they
/// also count.
template <typename T>
void list_blocks(int64_t begin, int64_t end, uint64_t blocks, uint64_t counted,
                 ForwardSpace<T>& space) {
  BlockLists& lists = space.lists[0];
  lists.clear();
  for (int64_t group = begin; group < end; group += kWord) {
    const int count = int(smaller<int64_t>(kWord, end - group));
    const FaceBlocks* const found = space.faces.blocks.data() + group;
    uint64_t sets[kWord];
    for (int i = 0; i < count; ++i) {
      for (uint64_t left = found[i].deep & blocks; left; left &= left - 1) {
        const int block = __builtin_ctzll(left);
        const T more = T(counted >> block & 1);
        for (int pixel = 0; pixel < kBlockPixels; ++pixel) {
          space.product.at[block][pixel] = Power<T>::kCap;
          space.count.at[block][pixel] += more;
        }
      }
      // Where a pixel is at the cap no other face changes it, but it may count.
      blocks &= ~found[i].deep | counted;
      sets[i] = found[i].near & ~found[i].deep & blocks;
    }
    lists.append(sets, count, int(group - begin));
  }
}

/// Multiplies all faces of the tile in at `blocks`; in those `counted` they are also counted.
template <bool kLinear, typename T>
void multiply_faces(const Tile<T>& tile, uint64_t blocks, uint64_t counted, T most,
                    ForwardSpace<T>& space) {
  const int64_t total = space.faces.size();
  const bool mixed = space.faces.mixed;
  const auto plain =
      mixed ? multiply_blocks<kLinear, false, true, T> : multiply_blocks<kLinear, false, false, T>;
  const auto count =
      mixed ? multiply_blocks<kLinear, true, true, T> : multiply_blocks<kLinear, true, false, T>;
  for (int64_t begin = 0; begin < total && blocks; begin += kListed) {
    const BlockLists& lists = space.lists[0];
    list_blocks(begin, smaller<int64_t>(begin + kListed, total), blocks, counted, space);
    plain(tile, space.faces, begin, lists, ~counted, space.product, space.count);
    if (counted) count(tile, space.faces, begin, lists, counted, space.product, space.count);
    if (begin + kListed < total)
      blocks &= ~(find_capped(space, blocks & ~counted) | find_over(space, blocks & counted, most));
  }
}

/// Copies the pixels of a tile that the picture has.
template <typename T>
void copy_tile(const SoftView<T>& view, const Tile<T>& tile, const TilePixels<T>& from, T* to) {
  T* const origin = to + (view.index * view.height + tile.y) * view.width + tile.x;
  for (int y = 0; y < tile.height; ++y) {
    T* const row = origin + int64_t(view.width) * y;
    const T* const pixels = from.at[kBlocksX * (y / kBlock)] + kBlock * (y % kBlock);
    int x = 0;
    for (; x + kBlock <= tile.width; x += kBlock)  // instructions rather than calls
      memcpy(row + x, pixels + kBlock * x, kBlock * sizeof(T));
    if (x < tile.width) memcpy(row + x, pixels + kBlock * x, size_t(tile.width - x) * sizeof(T));
  }
}

/// Writes the picture; `product` is lost.
template <typename T>
void write_tile(const SoftCoverageArgs<T>& args, const SoftView<T>& view, const Tile<T>& tile,
                TilePixels<T>& product, TilePixels<T>& free) {
  const Pack<T> one(T(1)), none(T(0)), cap(Power<T>::kCap);
  for (int block = 0; block < kBlocks; ++block)
    for (int first = 0; first < kBlockPixels; first += Pack<T>::kLanes) {
      const Pack<T> p = load(product.at[block] + first);
      const bool touched = bits_of(less(one, p)) != 0, open = bits_of(less(p, cap)) != 0;
      // Without divisions where all pixels are free, or all covered: the same numbers.
      const bool between = touched && open;
      store(between ? (p - one) / p : touched ? one : none, product.at[block] + first);
      store(between ? select(less(p, cap), one / p, none) : touched ? none : one,
            free.at[block] + first);
    }
  copy_tile(view, tile, product, args.coverage);
  copy_tile(view, tile, free, args.uncovered);
}

/// Fetches the memory of a tile's part of the outputs, which is to be written soon: its rows are too
/// short for the processor to see by itself what comes next.
template <typename T>
LRAST_INLINE void fetch_tile(const SoftCoverageArgs<T>& args, const SoftView<T>& view,
                             const Tile<T>& tile) {
  constexpr int kLine = 64 / int(sizeof(T));
  const int64_t origin = (view.index * view.height + tile.y) * view.width + tile.x;
  for (int y = 0; y < tile.height; ++y)
    for (int x = 0; x < tile.width; x += kLine) {
      __builtin_prefetch(args.coverage + origin + int64_t(view.width) * y + x, 1);
      __builtin_prefetch(args.uncovered + origin + int64_t(view.width) * y + x, 1);
    }
}

/// Writes a tile's part of the picture where there are no faces.
template <typename T>
void write_empty_tile(const SoftCoverageArgs<T>& args, const SoftView<T>& view,
                      const Tile<T>& tile) {
  T* const coverage = args.coverage;
  T* const uncovered = args.uncovered;
  for (int y = 0; y < tile.height; ++y) {
    const int64_t begin = (view.index * view.height + tile.y + y) * view.width + tile.x;
    for (int x = 0; x < tile.width; ++x) coverage[begin + x] = T(0);
    for (int x = 0; x < tile.width; ++x) uncovered[begin + x] = T(1);
  }
}

template <bool kLinear, typename T>
void forward_tile(const SoftCoverageArgs<T>& args, const SoftView<T>& view, const SoftFront& front,
                  int64_t number, ForwardSpace<T>& space) {
  const Tile<T> tile = make_tile(view, number);
  // Early, so that memory takes it in while faces are looked at.
  const TileLast<T, T, int32_t> last(args.last, view, tile);
  if (args.last.key) last.clear();
  if (front.place_of(number) == front.place_of(number + 1))
    return write_empty_tile(args, view, tile);
  list_faces(view, front, number, tile, space.faces);
  fetch_tile(args, view, tile);
  space.lists.resize(1);
  for (int block = 0; block < kBlocks; ++block)
    for (int i = 0; i < kBlockPixels; ++i) space.product.at[block][i] = T(1);
  const double most = view.model.faces_per_pixel;
  // Blocks in which only the nearest faces count, and those where that depends on how many do.
  uint64_t crowded = 0, counted = 0;
  if (args.last.key && double(space.faces.size()) > most) {
    count_reaching(space.faces, space.nearest);
    crowded = blocks_above(space.nearest, kSurelyCrowded * most);
    counted = blocks_above(space.nearest, most) & ~crowded;
    if (counted) memset(&space.count, 0, sizeof(space.count));
  }
  multiply_faces<kLinear>(tile, ~crowded, counted, T(most), space);
  crowded |= find_over(space, counted, T(most));
  if (crowded) {
    list_depths(view, front, tile, space.faces, space.nearest.depths);
    choose_nearest<kLinear>(view, tile, crowded, space.faces, space.nearest, space.product, last);
  }
  write_tile(args, view, tile, space.product, space.free);
}

LRAST_END
