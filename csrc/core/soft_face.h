// csrc/core/soft_face.h: a face as soft coverage sees it, and the gradient of its corners.
// Frames: screen (pixels, y down) -> metric, screen scaled so that distances are exponents.
#pragma once
#include "near_plane.h"
#include "soft.h"

// Plain records carry no code, so all ISA levels share them.
namespace lrast {

/// Which soft coverage; resolved from names and units in ops/soft_coverage.py.
struct SoftModel {
  double scale_x, scale_y;  // metric units per pixel: z = +-d^2, or +-d if linear
  double reach;             // a face counts where z > -reach
  double fade;              // taken from 2^z
  double min_area;          // px^2: a face of at most this doubled area does not count
  int32_t linear;
  int32_t faces_per_pixel;  // so many nearest faces count, 0: all
};

}  // namespace lrast

LRAST_BEGIN

/// Distance in metric units beyond which a face does not count.
LRAST_HD double soft_reach(const SoftModel& model) {
  return model.linear ? model.reach : sqrt(model.reach);
}

/// Pixels whose corners are so far beyond the bounds of a face's corners may be within reach.
struct SoftMargin { double x, y; };
LRAST_HD SoftMargin soft_margin(const SoftModel& model) {
  const double reach = soft_reach(model);
  return {reach / model.scale_x + 0.5, reach / model.scale_y + 0.5};
}

/// A corner of a face's visible part: corner `from`, or the cut of the edge from there to the
/// hidden corner `to`.
struct PolygonCorner { int8_t from, to; };

/// Sides shorter than this, relative to the distance from the picture's corner, have no direction:
/// a corner on the near plane and its own cut, the cuts of two edges that meet behind it.
LRAST_HD bool same_place(ScreenPoint a, ScreenPoint b) {
  return fabs(a.x - b.x) + fabs(a.y - b.y) < 1e-9 * (1.0 + fabs(a.x) + fabs(a.y));
}

/// The visible part of a face on the screen, of 3 or 4 corners; returns how many, 0 if nothing is
/// seen. `unplaced` gets the visible corner of a cut that is off any screen, or -1.
LRAST_HD int visible_polygon(const ClipPoint* clip, const ScreenPoint* screen, double width,
                             double height, ScreenPoint* polygon, PolygonCorner* corners,
                             int& unplaced) {
  unplaced = -1;
  if (!is_hidden(screen[0]) && !is_hidden(screen[1]) && !is_hidden(screen[2])) {
    for (int i = 0; i < 3; ++i) {
      polygon[i] = screen[i];
      corners[i] = {int8_t(i), -1};
    }
    return 3;
  }
  int count = 0;
  const auto add = [&](ScreenPoint point, PolygonCorner corner) {
    if (count > 0 && same_place(polygon[count - 1], point)) return;
    polygon[count] = point;
    corners[count++] = corner;
  };
  for (int i = 0; i < 3; ++i) {
    const int j = i == 2 ? 0 : i + 1;
    const bool i_hidden = is_hidden(screen[i]), j_hidden = is_hidden(screen[j]);
    if (!i_hidden) add(screen[i], {int8_t(i), -1});
    if (i_hidden == j_hidden) continue;
    // From the visible to the hidden corner, so that both faces at the edge agree bit for bit.
    const int from = j_hidden ? i : j, to = j_hidden ? j : i;
    ScreenPoint cut;
    if (!place_cut(clip[from], clip[to], width, height, cut)) unplaced = from;
    add(cut, {int8_t(from), int8_t(to)});
  }
  if (count > 1 && same_place(polygon[0], polygon[count - 1])) --count;
  return count < 3 ? 0 : count;
}

constexpr int kMaxSides = 4;

/// The visible part of a face. Corners beyond the last repeat the first.
struct SoftFace {
  ScreenPoint corner[kMaxSides];
  double turn;                               // 1 if clockwise on the screen, -1 if not
  int32_t sides;                             // 0: does not count
  int32_t first_x, first_y, last_x, last_y;  // pixels within reach, inclusive
};

LRAST_HD int32_t pixel_between(double x, int32_t size) {
  return int32_t(clamped(x, -1.0, double(size)));
}

/// Coordinates beyond this have no finite squares in the arithmetic below.
constexpr double kFarthest = 1e100;

/// Sets `face`, with sides = 0 if it has no area or is out of reach of every pixel. False if a
/// corner is too far away.
LRAST_HD bool make_soft_face(const ScreenPoint* polygon, int sides, double min_area,
                             SoftMargin margin, int32_t width, int32_t height, SoftFace& face) {
  face.sides = 0;
  const ScreenPoint a = polygon[0];
  double area = 0.0, min_x = a.x, max_x = a.x, min_y = a.y, max_y = a.y;
  face.corner[0] = a;
  for (int i = 1; i < kMaxSides; ++i) {
    const ScreenPoint b = polygon[i - 1], c = i < sides ? polygon[i] : a;
    face.corner[i] = c;
    area += (b.x - a.x) * (c.y - a.y) - (b.y - a.y) * (c.x - a.x);
    min_x = smaller(min_x, c.x);
    max_x = larger(max_x, c.x);
    min_y = smaller(min_y, c.y);
    max_y = larger(max_y, c.y);
  }
  if (!(larger(larger(-min_x, max_x), larger(-min_y, max_y)) < kFarthest)) return false;
  if (!(fabs(area) > min_area)) return true;
  face.turn = area > 0.0 ? 1.0 : -1.0;
  face.first_x = larger(pixel_between(ceil(min_x - margin.x), width), 0);
  face.first_y = larger(pixel_between(ceil(min_y - margin.y), height), 0);
  face.last_x = smaller(pixel_between(floor(max_x + margin.x - 1.0), width), width - 1);
  face.last_y = smaller(pixel_between(floor(max_y + margin.y - 1.0), height), height - 1);
  if (face.first_x <= face.last_x && face.first_y <= face.last_y) face.sides = sides;
  return true;
}

/// A side of a face, metric, seen from the middle of a tile. V is double or a pack of doubles.
template <typename V> struct SoftSide {
  V tangent_u, tangent_v;  // unit vector along
  V across, along;         // of the tile's middle, from the side's line and from its own middle
  V half;                  // half the length
};

template <typename V>
LRAST_HD SoftSide<V> make_soft_side(V ax, V ay, V bx, V by, V turn, const SoftModel& model,
                                    double u, double v) {
  const V scale_x(model.scale_x), scale_y(model.scale_y), middle(0.5);
  const V side_u = (bx - ax) * scale_x, side_v = (by - ay) * scale_y;
  const V length = root(side_u * side_u + side_v * side_v);
  const V inverse = V(1.0) / length;
  SoftSide<V> side;
  side.tangent_u = side_u * inverse;
  side.tangent_v = side_v * inverse;
  const V to_u = V(u) - (ax + bx) * middle * scale_x, to_v = V(v) - (ay + by) * middle * scale_y;
  side.across = turn * (side.tangent_u * to_v - side.tangent_v * to_u);
  side.along = side.tangent_u * to_u + side.tangent_v * to_v;
  side.half = length * middle;
  return side;
}

/// The stretch of a side within `radius` of the tile's middle, along it from there. The pixels of
/// the tile see no difference, and numbers stay small enough for float.
template <typename V> struct SideStretch { V middle, half; };
template <typename V>
LRAST_HD SideStretch<V> stretch_in_tile(const SoftSide<V>& side, double radius) {
  const V begin = V(0.0) - side.half - side.along, end = side.half - side.along;
  const V low = smaller(larger(begin, V(-radius)), end);
  const V high = larger(smaller(end, V(radius)), low);
  return {V(0.5) * (low + high), V(0.5) * (high - low)};
}

/// Sums over pixels of grad z * d z / d (nearest point on a side), across and along the side, and
/// of these times the point's position along the stretch.
template <typename V> struct SideSums { V across, along, across_moment, along_moment; };

/// Gradients of a side's two ends, screen.
template <typename V> struct EndGradients { V ax, ay, bx, by; };
template <typename V>
LRAST_HD EndGradients<V> side_gradient(const SoftSide<V>& side, V turn, const SoftModel& model,
                                       V stretch_middle, const SideSums<V>& sums) {
  // The nearest point is (1 - t) a + t b with t = 1/2 + position / length.
  const V weight = V(0.5) / side.half;
  const V middle = side.along + stretch_middle;
  const V across_b =
      V(0.5) * sums.across + weight * (sums.across_moment + middle * sums.across);
  const V along_b = V(0.5) * sums.along + weight * (sums.along_moment + middle * sums.along);
  const V across_a = sums.across - across_b, along_a = sums.along - along_b;
  const V scale_x(model.scale_x), scale_y(model.scale_y);
  const V normal_u = V(0.0) - turn * side.tangent_v, normal_v = turn * side.tangent_u;
  return {(across_a * normal_u + along_a * side.tangent_u) * scale_x,
          (across_a * normal_v + along_a * side.tangent_v) * scale_y,
          (across_b * normal_u + along_b * side.tangent_u) * scale_x,
          (across_b * normal_v + along_b * side.tangent_v) * scale_y};
}

LRAST_END
