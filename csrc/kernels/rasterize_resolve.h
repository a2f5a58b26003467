// csrc/kernels/rasterize_resolve.h: from visibility to face numbers, weights and depth (CPU).
#pragma once
#include "../core/fragment.h"
#include "rasterize_tile.h"

LRAST_BEGIN

/// Corners of kLanes faces as lanes, in clip space.
template <typename T>
void gather_clip_corners(const T* verts, const int32_t* const* faces, FragmentCorners<Doubles>& out) {
  for (int j = 0; j < 3; ++j) {
    out.x[j] = each_lane([&](int lane) { return double(verts[4 * int64_t(faces[lane][j])]); });
    out.y[j] = each_lane([&](int lane) { return double(verts[4 * int64_t(faces[lane][j]) + 1]); });
    out.w[j] = each_lane([&](int lane) { return double(verts[4 * int64_t(faces[lane][j]) + 3]); });
  }
}

#ifdef __AVX2__
inline void gather_clip_corners(const float* verts, const int32_t* const* faces,
                                FragmentCorners<Doubles>& out) {
  for (int j = 0; j < 3; ++j) {
    __m128 rows[kLanes];
    for (int lane = 0; lane < kLanes; ++lane)
      rows[lane] = _mm_loadu_ps(verts + 4 * int64_t(faces[lane][j]));
    for (int i = 0; i < kLanes; i += 4)
      _MM_TRANSPOSE4_PS(rows[i], rows[i + 1], rows[i + 2], rows[i + 3]);
#ifdef __AVX512F__
    const auto wide = [&](int i) { return Floats(_mm256_set_m128(rows[4 + i], rows[i])); };
#else
    const auto wide = [&](int i) { return Floats(rows[i]); };
#endif
    out.x[j] = __builtin_convertvector(wide(0), Doubles);
    out.y[j] = __builtin_convertvector(wide(1), Doubles);
    out.w[j] = __builtin_convertvector(wide(3), Doubles);
  }
}
#endif

/// One row of one layer of a tile, a number per pixel.
template <typename T> struct ResolvedRow {
  int32_t face_idx[kTile];
  T bary[3][kTile], depth[kTile];
};

/// Fragments of kLanes pixels; `x` are their centres in NDC.
template <typename T>
void resolve_lanes(const T* verts, const int32_t* faces, const Doubles& x, double y, int first,
                   ResolvedRow<T>& row) {
  typedef T Out __attribute__((vector_size(kLanes * sizeof(T))));
  const int32_t* corners[kLanes];
  const int32_t* any = nullptr;
  unsigned shown = 0;
  for (int lane = 0; lane < kLanes; ++lane) {
    const int32_t face = row.face_idx[first + lane];
    corners[lane] = face < 0 ? nullptr : faces + 3 * int64_t(face);
    shown |= unsigned(face >= 0) << lane;
    if (face >= 0) any = corners[lane];
  }
  FragmentOf<Doubles> out{};
  if (any) {
    for (int lane = 0; lane < kLanes; ++lane)
      if (!corners[lane]) corners[lane] = any;
    FragmentCorners<Doubles> at;
    gather_clip_corners(verts, corners, at);
    Doubles sum;
    fragment_unchecked(at, x, all_lanes(y), out, sum);
    const unsigned good = at_least(sum, all_lanes(kLeastGoodSum)) & at_least(all_lanes(kMostGoodSum), sum);
    for (unsigned bad = shown & ~good, lane = 0; bad; bad >>= 1, ++lane) {
      if (!(bad & 1)) continue;
      FragmentCorners<double> alone;
      for (int j = 0; j < 3; ++j) {
        alone.x[j] = at.x[j][lane];
        alone.y[j] = at.y[j][lane];
        alone.w[j] = at.w[j][lane];
      }
      const Fragment fragment = fragment_rescaled(alone, x[lane], y);
      for (int j = 0; j < 3; ++j) out.bary[j][lane] = fragment.bary[j];
      out.depth[lane] = fragment.depth;
    }
    for (int j = 0; j < 3; ++j) out.bary[j] = where(shown, out.bary[j], Doubles{});
    out.depth = where(shown, out.depth, Doubles{});
  }
  for (int j = 0; j < 3; ++j)
    store_lanes(__builtin_convertvector(out.bary[j], Out), row.bary[j] + first);
  store_lanes(__builtin_convertvector(out.depth, Out), row.depth + first);
}

/// Writes a tile's part of the outputs. `ndc_x` holds the NDC of the picture's columns.
template <typename T>
void resolve_tile(const RasterizeArgs<T>& args, int64_t view, const double* ndc_x,
                  const Tile& tile) {
  const T* verts = view_verts(args, view);
  const int width = tile.right - tile.left;
  ResolvedRow<T> resolved;
  for (int layer = 0; layer < tile.num_layers; ++layer)
    for (int row = tile.top; row < tile.bottom; ++row) {
      const int64_t* nearest = tile.at(tile.left, row) + layer;
      for (int i = 0; i < kTile; ++i)
        resolved.face_idx[i] = i < width ? face_of(nearest[int64_t(i) * tile.num_layers]) : -1;
      const double y = ndc_of_row(row, args.height);
      for (int first = 0; first < width; first += kLanes)
        resolve_lanes(verts, args.faces, load_lanes<Doubles>(ndc_x + tile.left + first), y, first,
                      resolved);
      const int64_t out =
          ((view * tile.num_layers + layer) * args.height + row) * args.width + tile.left;
      memcpy(args.face_idx + out, resolved.face_idx, size_t(width) * sizeof(int32_t));
      memcpy(args.depth + out, resolved.depth, size_t(width) * sizeof(T));
      T* bary = args.bary + 3 * out;
      for (int i = 0; i < width; ++i) {
        bary[3 * i] = resolved.bary[0][i];
        bary[3 * i + 1] = resolved.bary[1][i];
        bary[3 * i + 2] = resolved.bary[2][i];
      }
    }
}

LRAST_END
