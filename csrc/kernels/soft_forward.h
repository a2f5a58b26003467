// csrc/kernels/soft_forward.h: soft coverage of a tile (CPU).
#pragma once
#include "soft_nearest.h"

LRAST_BEGIN

/// Scratch of a thread.
template <typename T> struct ForwardSpace {
  TilePixels<T> product;  // of 1 / (1 - p), capped
  TilePixels<T> free;     // 1 / product, or 0 at the cap
  TileFaces<T> faces;
  BlockSets sets;         // of these
  Pool<BlockLists> lists;  // one: too large for what each thread is born with
  NearestSpace<T> nearest;
};

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

/// Multiplies kTogether listed faces in at a pack of pixels.
template <bool kLinear, bool kMixed, typename T>
LRAST_INLINE void multiply_in(const Tile<T>& tile, const TileFaces<T>& faces, const int32_t* list,
                              Pack<T> x, Pack<T> y, Pack<T>& product) {
  const Pack<T> end(-tile.reach), fade(tile.fade);
  Pack<T> z[kTogether], odds[kTogether];
  for (int i = 0; i < kTogether; ++i)
    z[i] = exponent_of<kLinear, kMixed>(tile, faces.record(list[i]), x, y);
  for (int i = 0; i < kTogether; ++i)
    odds[i] = odds_for_cap<kLinear>(z[i], fade, less(end, z[i]));
  for (int i = 0; i < kTogether; ++i) product = with_face<T>(product, odds[i]);
}

/// Multiplies the listed faces in; kMixed: some may have four sides.
template <bool kLinear, bool kMixed, typename T>
void multiply_blocks(const Tile<T>& tile, const TileFaces<T>& faces, BlockLists& lists,
                     TilePixels<T>& products) {
  for (uint64_t left = lists.filled; left; left &= left - 1) {
    const int block = __builtin_ctzll(left);
    int32_t* const list = lists.list[block];
    const int count = fill_up(list, lists.count[block], faces.nobody());
    for (int part = 0; part < kParts<T>; ++part) {
      const int first = part * Pack<T>::kLanes;
      Pack<T> x, y;
      block_pixels(block, part, x, y);
      Pack<T> product = load(products.at[block] + first);
      for (int i = 0; i < count; i += kTogether)
        multiply_in<kLinear, kMixed>(tile, faces, list + i, x, y, product);
      store(product, products.at[block] + first);
    }
  }
}

/// Lists the faces of some groups for the `blocks` that are to take them in.
template <typename T>
void list_blocks(int64_t first_group, int64_t end_group, uint64_t& blocks, ForwardSpace<T>& space) {
  BlockLists& lists = space.lists[0];
  lists.clear();
  for (int64_t group = first_group; group < end_group; ++group) {
    // Where a pixel is at the cap no other face changes it.
    const uint64_t deep = space.sets.any[group].deep & blocks;
    for (uint64_t left = deep; left; left &= left - 1)
      for (T& product : space.product.at[__builtin_ctzll(left)]) product = Power<T>::kCap;
    blocks &= ~deep;
    lists.append(space.sets, group, blocks);
  }
}

/// Multiplies all faces of the tile in at `blocks`.
template <bool kLinear, typename T>
void multiply_faces(const Tile<T>& tile, uint64_t blocks, ForwardSpace<T>& space) {
  const int64_t groups = space.sets.any.size();
  constexpr int64_t kStep = kListed / kWord;
  const auto multiply = space.faces.mixed ? multiply_blocks<kLinear, true, T>
                                          : multiply_blocks<kLinear, false, T>;
  for (int64_t group = 0; group < groups && blocks; group += kStep) {
    list_blocks(group, smaller(group + kStep, groups), blocks, space);
    multiply(tile, space.faces, space.lists[0], space.product);
    if (group + kStep < groups) blocks &= ~find_capped(space, blocks);
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
  const TileLast<T, T, int32_t> last(args.last, view, tile);
  if (front.place_of(number) == front.place_of(number + 1)) {
    return write_empty_tile(args, view, tile);
  }
  list_faces(view, front, number, tile, space.faces);
  space.faces.add_nobody();
  fetch_tile(args, view, tile);
  space.lists.resize(1);
  for (int block = 0; block < kBlocks; ++block)
    for (int i = 0; i < kBlockPixels; ++i) space.product.at[block][i] = T(1);
  space.sets.fill(space.faces);
  const int most = view.model.faces_per_pixel;
  const uint64_t crowded =
      args.last.key && space.faces.size() > most ? space.sets.blocks_above(most) : 0;
  multiply_faces<kLinear>(tile, ~crowded, space);
  if (crowded)
    choose_nearest<kLinear>(view, front, tile, crowded, space.faces, space.sets, space.nearest,
                            space.product, last);
  write_tile(args, view, tile, space.product, space.free);
}

LRAST_END
