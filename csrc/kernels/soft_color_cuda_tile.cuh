// csrc/kernels/soft_color_cuda_tile.cuh: faces of a tile with colours and depths (CUDA).
#pragma once
#include "../core/soft_color.h"
#include "soft_colors_cuda.h"
#include "soft_cuda_sides.cuh"

LRAST_BEGIN

/// Faces of a tile that its threads share, as triangles: one, or the two halves of four sides.
template <typename T> struct ColorBatch : FaceBatch<T> {
  ColorTriangle<T> half[kBatch][2];
  PolygonCorner corner[kBatch][kMaxSides];
  double cut[kBatch][kMaxSides];
};

/// What a pixel has to know of colours and depths, besides the faces.
template <typename T> struct ColorScene {
  const T* colors;  // (F, 3, C)
  T slope, offset, background;
  int channels;
  bool perspective;

  __device__ ColorScene(const SoftScene<T>& scene, int64_t view, const T* c,
                        const SoftColorModel& model)
      : colors(c),
        background(T(model.background)),
        channels(model.num_channels),
        perspective(scene.num_verts == 0 ||
                    colors_in_perspective(scene.perspective[view] != 0, scene.verts(view)[3])) {
    slope = T(model.slope[perspective]);
    offset = T(model.offset[perspective]);
  }
  /// Colour of corner k of the visible part of face i.
  __device__ T corner(const ColorBatch<T>& batch, int i, int k, int channel) const {
    const PolygonCorner at = batch.corner[i][k];
    const T* face = colors + 3 * int64_t(batch.number[i]) * channels + channel;
    const T from = face[at.from * channels];
    return at.to < 0 ? from : corner_color(from, face[at.to * channels], batch.cut[i][k]);
  }
};

/// Calls visit(i) for all faces of a tile, as visit_faces().
template <typename T, typename Visit>
__device__ void visit_colors(const SoftScene<T>& scene, const SoftTile<T>& tile, bool perspective,
                             ColorBatch<T>& batch, Visit visit) {
  const ScreenPoint middle{kSoftTile * tile.tile_x + 0.5 * kSoftTile,
                           kSoftTile * tile.tile_y + 0.5 * kSoftTile};
  const auto place = [&](int i, int k) {
    if (k != 1) return;
    ClipPoint clip[3];
    ScreenPoint polygon[kMaxSides];
    PolygonCorner corners[kMaxSides];
    double keys[kMaxSides];
    const int32_t number = batch.number[i];
    const int sides = scene.polygon_of(tile.view, number, clip, polygon, corners);
    for (int j = 0; j < sides; ++j) {
      const PolygonCorner c = corners[j];
      keys[j] = depth_key(c.to < 0 ? clip[c.from] : clip_at_near(clip[c.from], clip[c.to]),
                          perspective);
      batch.corner[i][j] = c;
      batch.cut[i][j] = cut_position(clip, c);
    }
    const SoftFace& face = scene.placed[tile.view * scene.num_faces + number];
    for (int h = 0; h < sides - 2; ++h) {
      const ColorTriangle<T> half =
          make_color_triangle<T>(face, keys, 0, h + 1, h + 2, perspective, middle);
      batch.half[i][h] = half;
    }
  };
  visit_faces(scene, tile, batch, place, visit);
}

/// Whether a pixel sees this half of a face: the halves meet at the diagonal from corner 0 to 2, which
/// the coordinate of corner 1 in the first half is 0 on.
template <typename T>
__device__ bool is_in_half(const ColorBatch<T>& batch, int i, int h, T x, T y) {
  if (batch.sides[i] == 3) return true;
  const ColorTriangle<T>& first = batch.half[i][0];
  const T side = (x * first.x[1] + y * first.y[1]) + first.constant[1];
  return (side < T(0)) == (h == 1);
}

LRAST_END
