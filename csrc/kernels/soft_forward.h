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

/// Blocks that need no further face: all their pixels are at the cap, or more faces count in one of
/// them than may, so that choose_nearest() begins anew.
template <typename T> uint64_t find_done(const ForwardSpace<T>& space, bool counting, T most) {
  const Pack<T> limit(most), cap(Power<T>::kCap);
  uint64_t done = 0;
  for (int block = 0; block < kBlocks; ++block) {
    unsigned open = 0, over = 0;
    for (int first = 0; first < kBlockPixels; first += Pack<T>::kLanes)
      if (counting)
        over |= bits_of(less(limit, load(space.count.at[block] + first)));
      else
        open |= bits_of(less(load(space.product.at[block] + first), cap));
    done |= uint64_t(counting ? over != 0 : open == 0) << block;
  }
  return done;
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

/// Multiplies the listed faces from `begin` on in at all blocks; kMixed: some of these may have four
/// sides.
template <bool kLinear, bool kCounting, bool kMixed, typename T>
void multiply_blocks(const Tile<T>& tile, const TileFaces<T>& faces, int64_t begin,
                     const BlockLists& lists, TilePixels<T>& products, TilePixels<T>& counts) {
  for (uint64_t left = lists.filled; left; left &= left - 1) {
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

/// Lists the faces from `begin` on for the `blocks` that are to take them in.
template <bool kCounting, typename T>
void list_blocks(int64_t begin, int64_t end, uint64_t blocks, ForwardSpace<T>& space) {
  BlockLists& lists = space.lists[0];
  lists.clear();
  for (int64_t group = begin; group < end; group += kWord) {
    const int count = int(smaller<int64_t>(kWord, end - group));
    const FaceBlocks* const found = space.faces.blocks.data() + group;
    uint64_t sets[kWord];
    for (int i = 0; i < count; ++i) {
      for (uint64_t left = found[i].deep & blocks; left; left &= left - 1) {
        const int block = __builtin_ctzll(left);
        for (int pixel = 0; pixel < kBlockPixels; ++pixel) {
          space.product.at[block][pixel] = Power<T>::kCap;
          if (kCounting) space.count.at[block][pixel] += T(1);
        }
      }
      // Where a pixel is at the cap no other face changes it, but it counts.
      if (!kCounting) blocks &= ~found[i].deep;
      sets[i] = found[i].near & ~found[i].deep & blocks;
    }
    lists.append(sets, count, int(group - begin));
  }
}

/// Multiplies all faces of the tile in at `blocks`.
template <bool kLinear, bool kCounting, typename T>
void multiply_faces(const Tile<T>& tile, uint64_t blocks, T most, ForwardSpace<T>& space) {
  const int64_t total = space.faces.size();
  const auto multiply = space.faces.mixed ? multiply_blocks<kLinear, kCounting, true, T>
                                          : multiply_blocks<kLinear, kCounting, false, T>;
  for (int64_t begin = 0; begin < total && blocks; begin += kListed) {
    list_blocks<kCounting>(begin, smaller<int64_t>(begin + kListed, total), blocks, space);
    multiply(tile, space.faces, begin, space.lists[0], space.product, space.count);
    if (begin + kListed < total) blocks &= ~find_done(space, kCounting, most);
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

template <bool kLinear, typename T>
void forward_tile(const SoftCoverageArgs<T>& args, const SoftView<T>& view, const SoftFront& front,
                  int64_t number, ForwardSpace<T>& space) {
  const Tile<T> tile = make_tile(view, number);
  // Early, so that memory takes it in while faces are looked at.
  const TileLast<T, T, int32_t> last(args.last, view, tile);
  if (args.last.key) last.clear();
  list_faces(view, front, number, tile, space.faces);
  space.lists.resize(1);
  for (int block = 0; block < kBlocks; ++block)
    for (int i = 0; i < kBlockPixels; ++i) space.product.at[block][i] = T(1);
  const int64_t num_entries = space.faces.size();
  const double most = view.model.faces_per_pixel;
  uint64_t crowded = 0;  // blocks in which only the nearest faces count
  bool counting = false;
  if (args.last.key && double(num_entries) > most) {
    count_reaching(space.faces, space.nearest);
    crowded = blocks_above(space.nearest, kSurelyCrowded * most);
    counting = (blocks_above(space.nearest, most) & ~crowded) != 0;
    if (counting) memset(&space.count, 0, sizeof(space.count));
  }
  if (counting)
    multiply_faces<kLinear, true>(tile, ~crowded, T(most), space);
  else
    multiply_faces<kLinear, false>(tile, ~crowded, T(most), space);
  if (args.last.key) {
    if (counting) crowded |= find_done(space, true, T(most));
    if (crowded) {
      list_depths(view, front, tile, space.faces, space.nearest.depths);
      choose_nearest<kLinear>(view, tile, crowded, space.faces, space.nearest, space.product,
                              last);
    }
  }
  write_tile(args, view, tile, space.product, space.free);
}

LRAST_END
