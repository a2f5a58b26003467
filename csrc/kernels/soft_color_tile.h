// csrc/kernels/soft_color_tile.h: faces of a tile with colours and depths (CPU).
#pragma once
#include "soft_colors.h"
#include "soft_nearest.h"

LRAST_BEGIN

/// A face's colours in a tile: one triangle, or the two halves of a face with four sides.
template <typename T> struct ColorFace {
  ColorTriangle<T> half[2];
  int32_t halves;
};

/// The visible part of a face once more, with what colours need.
struct ColorPolygon {
  ClipPoint clip[3], at[kMaxSides];  // corners of the face, of its visible part
  PolygonCorner corners[kMaxSides];
  double cut[kMaxSides];
  int sides;

  template <typename T>
  ColorPolygon(const SoftView<T>& view, const SoftFront& front, const int32_t* face) {
    ScreenPoint polygon[kMaxSides];
    int unplaced;
    sides = polygon_of_face(view, front.screen.data(), face, clip, polygon, corners, unplaced);
    for (int i = 0; i < sides; ++i) {
      const PolygonCorner c = corners[i];
      at[i] = c.to < 0 ? clip[c.from] : clip_at_near(clip[c.from], clip[c.to]);
      cut[i] = cut_position(clip, c);
    }
  }
};

/// Colours of a tile's faces, (entries, 4, C) of the corners of their visible parts.
template <typename T>
void list_colors(const SoftView<T>& view, const SoftFront& front, const T* colors, int channels,
                 const Tile<T>& tile, const TileFaces<T>& entries,
                 Buffer<ColorFace<T>>& faces, Buffer<T>& corner_colors) {
  const ScreenPoint middle{tile.x + 0.5 * kTile, tile.y + 0.5 * kTile};
  faces.resize(entries.size());
  corner_colors.resize(entries.size() * kMaxSides * channels);
  for (int64_t i = 0; i < entries.size(); ++i) {
    const int64_t number = entries.record(i).face;
    const ColorPolygon polygon(view, front, view.faces + 3 * number);
    double keys[kMaxSides];
    T* out = corner_colors.data() + i * kMaxSides * channels;
    for (int k = 0; k < polygon.sides; ++k) {
      keys[k] = depth_key(polygon.at[k], front.perspective);
      const PolygonCorner c = polygon.corners[k];
      const T* from = colors + (3 * number + c.from) * channels;
      const T* to = c.to < 0 ? from : colors + (3 * number + c.to) * channels;
      for (int j = 0; j < channels; ++j)
        out[k * channels + j] = corner_color(from[j], to[j], polygon.cut[k]);
    }
    const SoftFace& face = front.faces[number];
    faces[i].halves = polygon.sides - 2;
    for (int half = 0; half < faces[i].halves; ++half)
      faces[i].half[half] = make_color_triangle<T>(face, keys, 0, half + 1, half + 2,
                                                   front.perspective, middle);
  }
}

/// Where a pixel sees this half of a face: the halves meet at the diagonal from corner 0 to 2,
/// which the coordinate of corner 1 in the first half is 0 on.
template <typename T>
PackMask<T> in_half(const ColorFace<T>& face, int half, Pack<T> x, Pack<T> y,
                    PackMask<T> counts) {
  if (face.halves == 1) return counts;
  const ColorTriangle<T>& first = face.half[0];
  const Pack<T> side = (x * Pack<T>(first.x[1]) + y * Pack<T>(first.y[1])) +
                       Pack<T>(first.constant[1]);
  const PackMask<T> other = less(side, Pack<T>(T(0)));
  return half == 0 ? without(counts, other) : both(counts, other);
}

LRAST_END
