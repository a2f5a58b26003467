// csrc/kernels/soft_forward.h: soft coverage of a tile (CPU).
#pragma once
#include "soft_nearest.h"

LRAST_BEGIN

/// Scratch of a thread.
template <typename T> struct ForwardSpace {
  TilePixels<T> product;  // of 1 / (1 - p), capped
  TilePixels<T> count;    // of faces, if only some may count; then coverage
  TileFaces<T> faces;
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

/// Multiplies a face's factors in those of the `blocks` that it reaches.
template <bool kLinear, int kSides, bool kCounting, typename T>
void multiply_face(const Tile<T>& tile, const TileEntry& entry, const FaceInTile<T>& face,
                   uint64_t blocks, ForwardSpace<T>& space) {
  const Pack<T> cap(Power<T>::kCap), one(T(1)), none(T(0));
  const FaceConstants<kSides, T> constants(tile, face);
  for (WindowWalk<kSides, T> walk(entry, blocks); walk.next(tile, face);) {
    const unsigned deep = walk.wanted & walk.window.deep;
    for (unsigned left = deep; left; left &= left - 1) {
      const int block = walk.block(__builtin_ctz(left));
      for (int i = 0; i < kBlockPixels; ++i) {
        space.product.at[block][i] = Power<T>::kCap;
        if (kCounting) space.count.at[block][i] += T(1);
      }
    }
    for (unsigned left = walk.wanted & ~deep; left;) {
      const BlockPair pair(left);
      const int at_block[2] = {walk.block(pair.first), walk.block(pair.second)};
      for (int part = 0; part < kParts<T>; ++part) {
        const FaceChance<Twin<Pack<T>>> f = face_chance<kLinear, kSides, T>(
            constants, walk.window.at(constants.lanes[part], pair.first, pair.second));
        const int at = part * Pack<T>::kLanes;
        T* product[2] = {space.product.at[at_block[0]] + at, space.product.at[at_block[1]] + at};
        const Twin<Pack<T>> before(load(product[0]), load(product[1]));
        const Twin<Pack<T>> after =
            select(f.counts, smaller(before * f.chance.factor, Twin<Pack<T>>(cap)), before);
        store(after.first, product[0]);
        if (pair.two) store(after.second, product[1]);
        if (!kCounting) continue;
        T* count[2] = {space.count.at[at_block[0]] + at, space.count.at[at_block[1]] + at};
        store(load(count[0]) + select(f.counts.first, one, none), count[0]);
        if (pair.two) store(load(count[1]) + select(f.counts.second, one, none), count[1]);
      }
    }
  }
}

template <typename T>
void write_tile(const SoftCoverageArgs<T>& args, const SoftView<T>& view, const Tile<T>& tile,
                TilePixels<T>& product, TilePixels<T>& coverage) {
  const Pack<T> one(T(1)), none(T(0)), cap(Power<T>::kCap);
  for (int block = 0; block < kBlocks; ++block)
    for (int first = 0; first < kBlockPixels; first += Pack<T>::kLanes) {
      const Pack<T> p = load(product.at[block] + first);
      store((p - one) / p, coverage.at[block] + first);
      store(select(less(p, cap), one / p, none), product.at[block] + first);
    }
  over_block_rows(view, tile, [&](int block, int lane, int64_t place, int count) {
    const size_t bytes = size_t(count) * sizeof(T);
    memcpy(args.coverage + place, coverage.at[block] + lane, bytes);
    memcpy(args.uncovered + place, product.at[block] + lane, bytes);
  });
}

template <bool kLinear, typename T>
void forward_tile(const SoftCoverageArgs<T>& args, const SoftView<T>& view, const SoftFront& front,
                  int64_t number, ForwardSpace<T>& space) {
  const Tile<T> tile = make_tile(view, number);
  list_faces(view, front, number, tile, space.faces);
  for (int block = 0; block < kBlocks; ++block)
    for (int i = 0; i < kBlockPixels; ++i) space.product.at[block][i] = T(1);
  const int64_t num_entries = space.faces.entries.size();
  const double most = view.model.faces_per_pixel;
  uint64_t crowded = 0;  // blocks in which only the nearest faces count
  bool counting = false;
  if (args.last.key && double(num_entries) > most) {
    find_reached(space.faces, space.nearest);
    crowded = blocks_above(space.nearest, kSurelyCrowded * most);
    counting = (blocks_above(space.nearest, most) & ~crowded) != 0;
    if (counting) memset(&space.count, 0, sizeof(space.count));
  }
  const bool knows_blocks = counting || crowded;
  uint64_t done = crowded;  // blocks that no further face changes
  for (int64_t i = 0; i < num_entries; ++i) {
    if (i % kGroup == 0 && i > 0) done |= find_done(space, counting, T(most));
    const uint64_t blocks = (knows_blocks ? space.nearest.reached[i] : ~uint64_t(0)) & ~done;
    if (!blocks) continue;
    const TileEntry& entry = space.faces.entries[i];
    const FaceInTile<T> face = space.faces.face(i);
    const auto multiply =
        entry.sides == 3
            ? (counting ? multiply_face<kLinear, 3, true, T> : multiply_face<kLinear, 3, false, T>)
            : (counting ? multiply_face<kLinear, 4, true, T> : multiply_face<kLinear, 4, false, T>);
    multiply(tile, entry, face, blocks, space);
  }
  if (args.last.key) {
    const TileLast<T, T, int32_t> last(args.last, view, tile);
    last.clear();
    if (counting) crowded |= find_done(space, true, T(most));
    if (crowded) {
      list_depths(view, front, tile, space.faces, space.nearest.depths);
      choose_nearest<kLinear>(view, tile, crowded, space.faces, space.nearest, space.product,
                              last);
    }
  }
  write_tile(args, view, tile, space.product, space.count);
}

LRAST_END
