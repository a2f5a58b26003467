// csrc/kernels/rasterize_resolve.h: from visibility to face numbers, weights and depth (CPU).
#pragma once
#include "../core/fragment.h"
#include "rasterize_tile.h"

LRAST_BEGIN

/// Corners and numbers of the faces records[number[lane]].
template <typename T>
void gather_records(const FaceRecord<T>* records, const int32_t* number,
                    FragmentCorners<Doubles>& corners, Ints& face) {
  for (int j = 0; j < 3; ++j) {
    corners.x[j] = each_lane([&](int lane) { return double(records[number[lane]].x[j]); });
    corners.y[j] = each_lane([&](int lane) { return double(records[number[lane]].y[j]); });
    corners.w[j] = each_lane([&](int lane) { return double(records[number[lane]].w[j]); });
  }
  int32_t faces[kLanes];
  for (int lane = 0; lane < kLanes; ++lane) faces[lane] = records[number[lane]].face;
  face = load_lanes<Ints>(faces);
}

#ifdef __AVX2__
/// Loads four floats of kLanes records, `first` and three more, and turns them into lanes.
template <typename Pointer>
inline void load_turned(Pointer&& from, Floats* out) {
#ifdef __AVX512F__
  // Within the halves of a register: those shuffles can be done two at a time.
  __m256 row[4];
  for (int i = 0; i < 4; ++i)
    row[i] = _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(from(i))),
                                  _mm_loadu_ps(from(i + 4)), 1);
  const __m256 low01 = _mm256_unpacklo_ps(row[0], row[1]), low23 = _mm256_unpacklo_ps(row[2], row[3]);
  const __m256 high01 = _mm256_unpackhi_ps(row[0], row[1]), high23 = _mm256_unpackhi_ps(row[2], row[3]);
  out[0] = Floats(_mm256_shuffle_ps(low01, low23, 0x44));
  out[1] = Floats(_mm256_shuffle_ps(low01, low23, 0xee));
  out[2] = Floats(_mm256_shuffle_ps(high01, high23, 0x44));
  out[3] = Floats(_mm256_shuffle_ps(high01, high23, 0xee));
#else
  __m128 row[4];
  for (int i = 0; i < 4; ++i) row[i] = _mm_loadu_ps(from(i));
  _MM_TRANSPOSE4_PS(row[0], row[1], row[2], row[3]);
  for (int i = 0; i < 4; ++i) out[i] = Floats(row[i]);
#endif
}

inline void gather_records(const FaceRecord<float>* records, const int32_t* number,
                           FragmentCorners<Doubles>& corners, Ints& face) {
  Floats x[4], y[4], w[4];
  load_turned([&](int lane) { return records[number[lane]].x; }, x);
  load_turned([&](int lane) { return records[number[lane]].y; }, y);
  load_turned([&](int lane) { return records[number[lane]].w; }, w);  // and the face behind it
  for (int j = 0; j < 3; ++j) {
    corners.x[j] = widened(x[j]);
    corners.y[j] = widened(y[j]);
    corners.w[j] = widened(w[j]);
  }
  face = load_lanes<Ints>(&w[3]);
}
#endif

/// Fragments of the lanes whose sums leave the range of double; see fragment_rescaled().
template <typename T>
[[gnu::noinline]] void resolve_far_lanes(const FaceRecord<T>* records, const int32_t* number,
                                         unsigned lanes, const double* x, double y,
                                         FragmentOf<Doubles>& out) {
  for (; lanes; lanes &= lanes - 1) {
    const int lane = __builtin_ctz(lanes);
    const FaceRecord<T>& record = records[number[lane]];
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
inline void resolve_lanes(const Tile<T>& tile, const Ints& number, unsigned lanes,
                          const double* x, double y, Ints& face, FragmentOf<Doubles>& out) {
  int32_t numbers[kLanes];
  store_lanes(number, numbers);
  // Lanes without a face take part with another lane's.
  const Ints some = Ints{} + numbers[__builtin_ctz(lanes)];
  const Ints mask = int_mask(lanes);
  store_lanes(mask ? number : some, numbers);
  FragmentCorners<Doubles> corners;
  gather_records(tile.records, numbers, corners, face);
  Doubles sum;
  fragment_unchecked(corners, load_lanes<Doubles>(x), all_lanes(y), out, sum);
  const unsigned good =
      at_least(sum, all_lanes(kLeastGoodSum)) & at_least(all_lanes(kMostGoodSum), sum);
  if (good != kAllLanes) {
    FragmentOf<Doubles> mended = out;  // a copy, or `out` would live in memory
    resolve_far_lanes(tile.records, numbers, lanes & ~good, x, y, mended);
    out = mended;
  }
  face = mask ? face : Ints{} - 1;
  for (int j = 0; j < 3; ++j) out.bary[j] = where(lanes, out.bary[j], Doubles{});
  out.depth = where(lanes, out.depth, Doubles{});
}

/// Numbers of the faces of kLanes pixels in a layer, -1 where there is none.
inline Ints numbers_in_layer(const int64_t* nearest, int num_layers) {
  if (num_layers == 1) return ~__builtin_convertvector(load_lanes<Longs>(nearest), Ints);
  int32_t number[kLanes];
  for (int lane = 0; lane < kLanes; ++lane) number[lane] = face_of(nearest[lane * num_layers]);
  return load_lanes<Ints>(number);
}

/// Stores `count` pixels, usually kLanes. Not by way of an array: loads from what was just stored in
/// other sizes wait until all stores before, to slow memory, are done.
template <typename T>
inline void store_pixels(const RasterizeArgs<T>& args, int64_t at, int count, const Ints& face,
                         const FragmentOf<Doubles>& out) {
  typedef T Out __attribute__((vector_size(kLanes * sizeof(T))));
  const Out bary[3] = {__builtin_convertvector(out.bary[0], Out),
                       __builtin_convertvector(out.bary[1], Out),
                       __builtin_convertvector(out.bary[2], Out)};
  const Out depth = __builtin_convertvector(out.depth, Out);
  if (count == kLanes) {
    store_lanes(face, args.face_idx + at);
    store_lanes(depth, args.depth + at);
    store_interleaved(bary[0], bary[1], bary[2], args.bary + 3 * at);
    return;
  }
  for (int lane = 0; lane < count; ++lane) {
    args.face_idx[at + lane] = face[lane];
    args.depth[at + lane] = depth[lane];
    for (int j = 0; j < 3; ++j) args.bary[3 * (at + lane) + j] = bary[j][lane];
  }
}

/// Writes a tile's part of the outputs where only faces are asked for.
template <typename T>
void resolve_faces(const RasterizeArgs<T>& args, int64_t view, const Tile<T>& tile) {
  typedef T Out __attribute__((vector_size(kLanes * sizeof(T))));
  const TileBox& box = tile.box;
  for (int row = box.top; row < box.bottom; ++row) {
    const int64_t row_at = (view * args.height + row) * args.width;
    const int64_t* const nearest = tile.nearest + tile.place(box.left, row);
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

/// Writes a tile's part of the outputs. `ndc_x` holds the NDC of the picture's columns.
template <typename T>
void resolve_tile(const RasterizeArgs<T>& args, int64_t view, const double* ndc_x,
                  const Tile<T>& tile) {
  const TileBox& box = tile.box;
  for (int layer = 0; layer < tile.num_layers; ++layer)
    for (int row = box.top; row < box.bottom; ++row) {
      const double y = ndc_of_row(row, args.height);
      const int64_t row_at = ((view * tile.num_layers + layer) * args.height + row) * args.width;
      for (int column = box.left; column < box.right; column += kLanes) {
        const int64_t* nearest = tile.nearest + tile.place(column, row) + layer;
        const Ints number = numbers_in_layer(nearest, tile.num_layers);
        const int count = smaller(box.right - column, kLanes);
        const unsigned lanes = ((1u << count) - 1) & lane_bits(number >= 0);
        Ints face = Ints{} - 1;
        FragmentOf<Doubles> out{};
        if (lanes) resolve_lanes(tile, number, lanes, ndc_x + column, y, face, out);
        store_pixels(args, row_at + column, count, face, out);
      }
    }
}

LRAST_END
