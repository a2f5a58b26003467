// csrc/kernels/rasterize_resolve.h: from visibility to face numbers, weights and depth (CPU).
#pragma once
#include "../core/fragment.h"
#include "rasterize_tile.h"

LRAST_BEGIN

/// Corners and face of each of `lanes`; the other lanes get those of one of them. Neighbours mostly
/// show few faces: each of these is spread over its lanes.
inline void spread_records(const RasterRecord* records, const Ints& number, const int32_t* numbers,
                           unsigned lanes, FragmentCorners<Doubles>& corners, Ints& face) {
  const int32_t first = numbers[__builtin_ctz(lanes)];
  for (int j = 0; j < 3; ++j) {
    corners.x[j] = all_lanes(records[first].x[j]);
    corners.y[j] = all_lanes(records[first].y[j]);
    corners.w[j] = all_lanes(records[first].w[j]);
  }
  face = Ints{} + records[first].face;
  for (unsigned rest = lanes & ~equal(number, first); rest;) {
    const int32_t next = numbers[__builtin_ctz(rest)];
    const RasterRecord& record = records[next];
    const unsigned mine = equal(number, next);
    rest &= ~mine;
    for (int j = 0; j < 3; ++j) {
      corners.x[j] = where(mine, all_lanes(record.x[j]), corners.x[j]);
      corners.y[j] = where(mine, all_lanes(record.y[j]), corners.y[j]);
      corners.w[j] = where(mine, all_lanes(record.w[j]), corners.w[j]);
    }
    face = where(mine, Ints{} + record.face, face);
  }
}

/// Fragments of the lanes whose sums leave the range of double; see fragment_rescaled().
[[gnu::noinline]] inline void resolve_far_lanes(const RasterRecord* records, const int32_t* number,
                                                unsigned lanes, const double* x, double y,
                                                FragmentOf<Doubles>& out) {
  for (; lanes; lanes &= lanes - 1) {
    const int lane = __builtin_ctz(lanes);
    const RasterRecord& record = records[number[lane]];
    FragmentCorners<double> corners;
    for (int j = 0; j < 3; ++j) {
      corners.x[j] = record.x[j];
      corners.y[j] = record.y[j];
      corners.w[j] = record.w[j];
    }
    const Fragment fragment = fragment_rescaled(corners, x[lane], y);
    for (int j = 0; j < 3; ++j) out.bary[j][lane] = fragment.bary[j];
    out.depth[lane] = fragment.depth;
  }
}

/// Face and fragment of kLanes pixels, those of `lanes` with the face number `number` in the tile.
template <typename T>
inline void resolve_lanes(const RasterTile<T>& tile, const Ints& number, unsigned lanes,
                          const double* x, double y, Ints& face, FragmentOf<Doubles>& out) {
  int32_t numbers[kLanes];
  store_lanes(number, numbers);
  FragmentCorners<Doubles> corners;
  spread_records(tile.records, number, numbers, lanes, corners, face);
  Doubles sum;
  fragment_unchecked(corners, load_lanes<Doubles>(x), all_lanes(y), out, sum);
  const unsigned good =
      at_least(sum, all_lanes(kLeastGoodSum)) & at_least(all_lanes(kMostGoodSum), sum);
  if (lanes & ~good) {
    FragmentOf<Doubles> mended = out;  // a copy, or `out` would live in memory
    resolve_far_lanes(tile.records, numbers, lanes & ~good, x, y, mended);
    out = mended;
  }
}

/// Numbers of the faces of kLanes pixels in a layer, -1 where there is none.
template <bool kLayered>
inline Ints numbers_in_layer(const int64_t* nearest, int num_layers) {
  if (!kLayered) return ~__builtin_convertvector(load_lanes<Longs>(nearest), Ints);
  int32_t number[kLanes];
  for (int lane = 0; lane < kLanes; ++lane) number[lane] = face_of(nearest[lane * num_layers]);
  return load_lanes<Ints>(number);
}

/// Stores the first `count` of kLanes pixels.
template <typename T>
[[gnu::noinline]] void store_some_pixels(const RasterizeArgs<T>& args, int64_t at, int count,
                                         unsigned lanes, const Ints& face,
                                         const FragmentOf<Doubles>& out) {
  for (int lane = 0; lane < count; ++lane) {
    const bool shown = lanes >> lane & 1;
    args.face_idx[at + lane] = shown ? face[lane] : -1;
    args.depth[at + lane] = shown ? T(out.depth[lane]) : T(0);
    for (int j = 0; j < 3; ++j)
      args.bary[3 * (at + lane) + j] = shown ? T(out.bary[j][lane]) : T(0);
  }
}

/// Stores kLanes pixels, background but for `lanes`. Not by way of an array: loads from what was just
/// stored in other sizes wait until all stores before, to slow memory, are done.
template <typename T>
inline void store_pixels(const RasterizeArgs<T>& args, int64_t at, unsigned lanes, const Ints& face,
                         const FragmentOf<Doubles>& out) {
  store_lanes(where(lanes, face, Ints{} - 1), args.face_idx + at);
  store_lanes(rounded<T>(lanes, out.depth), args.depth + at);
  store_interleaved(rounded<T>(lanes, out.bary[0]), rounded<T>(lanes, out.bary[1]),
                    rounded<T>(lanes, out.bary[2]), args.bary + 3 * at);
}

constexpr int kRowsAhead = 8;  // of the one that is written; the first ones while faces are drawn

/// Fetches the memory of `count` items, which are to be written soon. A tile's rows are too short, and
/// too far from each other, for the processor to see by itself what comes next.
template <typename Item>  // Always inline: a function that only fetches counts as one without effect.
[[gnu::always_inline]] inline void fetch_to_write(const Item* memory, int64_t count) {
  const char* const end = reinterpret_cast<const char*>(memory + count);
  for (const char* line = reinterpret_cast<const char*>(memory); line < end; line += 64)
    __builtin_prefetch(line, 1);
}
/// The same for a row of a tile in picture view * num_layers + layer.
template <typename T>
[[gnu::always_inline]] inline void fetch_row(const RasterizeArgs<T>& args, int64_t picture,
                                             const RasterBox& box, int row) {
  if (row >= box.bottom) return;
  const int64_t at = (picture * args.height + row) * args.width + box.left;
  const int width = box.right - box.left;
  fetch_to_write(args.face_idx + at, width);
  if (!args.bary) return fetch_to_write(args.coverage + at, width);
  fetch_to_write(args.depth + at, width);
  fetch_to_write(args.bary + 3 * at, 3 * width);
}

/// Writes a tile's part of the outputs where only faces are asked for.
template <typename T>
void resolve_faces(const RasterizeArgs<T>& args, int64_t view, const RasterTile<T>& tile) {
  typedef T Out __attribute__((vector_size(kLanes * sizeof(T))));
  const RasterBox& box = tile.box;
  for (int row = box.top; row < box.bottom; ++row) {
    const int64_t row_at = (view * args.height + row) * args.width;
    const int64_t* const nearest = tile.nearest + tile.place(box.left, row);
    fetch_row(args, view, box, row + kRowsAhead);
    for (int column = box.left; column < box.right; column += kLanes) {
      const Longs seen = load_lanes<Longs>(nearest + (column - box.left));
      const Ints face = ~__builtin_convertvector(seen, Ints);
      const Out coverage = __builtin_convertvector(face >> 31, Out) + T(1);
      const int64_t at = row_at + column;
      if (column + kLanes <= box.right) {
        store_lanes(face, args.face_idx + at);
        store_lanes(coverage, args.coverage + at);
        continue;
      }
      for (int lane = 0; lane < box.right - column; ++lane) {
        args.face_idx[at + lane] = face[lane];
        args.coverage[at + lane] = coverage[lane];
      }
    }
  }
}

/// Writes a tile's part of one layer of the outputs. `ndc_x` holds the NDC of the picture's columns.
template <bool kLayered, typename T>
void resolve_layer(const RasterizeArgs<T>& args, int64_t view, int layer, const double* ndc_x,
                   const RasterTile<T>& tile_of_picture) {
  const RasterTile<T> tile = tile_of_picture;
  const RasterizeArgs<T> outputs = args;  // copies, whose members no store below can change
  const int num_layers = kLayered ? tile.num_layers : 1;
  const int left = tile.box.left, right = tile.box.right, bottom = tile.box.bottom;
  for (int row = tile.box.top; row < bottom; ++row) {
    const double y = ndc_of_row(row, outputs.height);
    const int64_t row_at = ((view * num_layers + layer) * outputs.height + row) * outputs.width;
    const int64_t* nearest = tile.nearest + layer +
                             int64_t(row - tile.box.top) * RasterTile<T>::kPitch * num_layers;
    fetch_row(outputs, view * num_layers + layer, tile.box, row + kRowsAhead);
    for (int column = left; column < right; column += kLanes, nearest += kLanes * num_layers) {
      const Ints number = numbers_in_layer<kLayered>(nearest, num_layers);
      const int count = smaller(right - column, kLanes);
      const unsigned lanes = ((1u << count) - 1) & not_negative(number);
      Ints face{};
      FragmentOf<Doubles> out{};
      if (lanes) resolve_lanes(tile, number, lanes, ndc_x + column, y, face, out);
      if (count == kLanes) {
        store_pixels(outputs, row_at + column, lanes, face, out);
      } else {
        const FragmentOf<Doubles> last = out;  // a copy, as above
        store_some_pixels(outputs, row_at + column, count, lanes, face, last);
      }
    }
  }
}

template <typename T>
void resolve_tile(const RasterizeArgs<T>& args, int64_t view, const double* ndc_x,
                  const RasterTile<T>& tile) {
  if (tile.num_layers == 1) return resolve_layer<false>(args, view, 0, ndc_x, tile);
  for (int layer = 0; layer < tile.num_layers; ++layer)
    resolve_layer<true>(args, view, layer, ndc_x, tile);
}

LRAST_END
