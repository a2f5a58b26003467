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

/// A corner of a face's visible part: corner `from`, or the cut of the edge from there to the hidden
/// corner `to`.
struct PolygonCorner { int8_t from, to; };

/// The visible part of a face on the screen, of 3 or 4 corners; returns how many, 0 if nothing is
/// seen. `unplaced` gets the visible corner of a cut that is off any screen, or -1.
LRAST_HD int visible_polygon(const ClipPoint* clip, const ScreenPoint* screen, double width,
                             double height, ScreenPoint* polygon, PolygonCorner* corners,
                             int& unplaced) {
  unplaced = -1;
  int count = 0;
  for (int i = 0; i < 3; ++i) {
    const int j = i == 2 ? 0 : i + 1;
    const bool i_hidden = is_hidden(screen[i]), j_hidden = is_hidden(screen[j]);
    if (!i_hidden) {
      polygon[count] = screen[i];
      corners[count++] = {int8_t(i), -1};
    }
    if (i_hidden == j_hidden) continue;
    const int from = j_hidden ? i : j, to = j_hidden ? j : i;
    if (!place_cut(clip[from], clip[to], width, height, polygon[count])) unplaced = from;
    // A corner on the plane is its own cut; a side of no length would have no direction.
    const ScreenPoint own = screen[from], cut = polygon[count];
    if (fabs(cut.x - own.x) + fabs(cut.y - own.y) < 1e-9 * (1.0 + fabs(own.x) + fabs(own.y)))
      continue;
    corners[count++] = {int8_t(from), int8_t(to)};
  }
  return count < 3 ? 0 : count;
}

constexpr int kMaxSides = 4;

/// Side k runs from corner k to the next. Metric units; turn is 1, or -1 where the inside is to the
/// other hand.
struct SoftFace {
  double tangent_u[kMaxSides], tangent_v[kMaxSides];  // unit vector
  double across[kMaxSides], along[kMaxSides];         // of the side's middle, from the origin
  double half[kMaxSides];                             // half the length
  double turn;
  int32_t sides;                                      // 0: does not count
  int32_t first_x, first_y, last_x, last_y;           // pixels within reach, inclusive
};

LRAST_HD int32_t pixel_between(double x, int32_t size) {
  return int32_t(clamped(x, -1.0, double(size)));
}

/// Sets `face`, with sides = 0 if it has no area or is out of reach of every pixel.
LRAST_HD void make_soft_face(const ScreenPoint* polygon, int sides, const SoftModel& model,
                             int32_t width, int32_t height, SoftFace& face) {
  face.sides = 0;
  double area = 0.0;
  for (int i = 1; i + 1 < sides; ++i)
    area += (polygon[i].x - polygon[0].x) * (polygon[i + 1].y - polygon[0].y) -
            (polygon[i].y - polygon[0].y) * (polygon[i + 1].x - polygon[0].x);
  if (!(fabs(area) > model.min_area)) return;
  face.turn = area > 0.0 ? 1.0 : -1.0;

  double min_x = polygon[0].x, max_x = min_x, min_y = polygon[0].y, max_y = min_y;
  for (int i = 1; i < sides; ++i) {
    min_x = smaller(min_x, polygon[i].x);
    max_x = larger(max_x, polygon[i].x);
    min_y = smaller(min_y, polygon[i].y);
    max_y = larger(max_y, polygon[i].y);
  }
  const double reach = soft_reach(model);
  const double reach_x = reach / model.scale_x + 0.5, reach_y = reach / model.scale_y + 0.5;
  face.first_x = larger(pixel_between(ceil(min_x - reach_x), width), 0);
  face.first_y = larger(pixel_between(ceil(min_y - reach_y), height), 0);
  face.last_x = smaller(pixel_between(floor(max_x + reach_x - 1.0), width), width - 1);
  face.last_y = smaller(pixel_between(floor(max_y + reach_y - 1.0), height), height - 1);
  if (face.first_x > face.last_x || face.first_y > face.last_y) return;

  for (int k = 0; k < sides; ++k) {
    const ScreenPoint a = polygon[k], b = polygon[k + 1 == sides ? 0 : k + 1];
    const double u = (b.x - a.x) * model.scale_x, v = (b.y - a.y) * model.scale_y;
    const double length = sqrt(u * u + v * v);
    if (!(length > 0.0 && is_finite(length))) return;
    const double tangent_u = u / length, tangent_v = v / length;
    const double middle_u = 0.5 * (a.x + b.x) * model.scale_x;
    const double middle_v = 0.5 * (a.y + b.y) * model.scale_y;
    face.tangent_u[k] = tangent_u;
    face.tangent_v[k] = tangent_v;
    face.across[k] = face.turn * (tangent_u * middle_v - tangent_v * middle_u);
    face.along[k] = tangent_u * middle_u + tangent_v * middle_v;
    face.half[k] = 0.5 * length;
  }
  face.sides = sides;
}

/// A face seen from the middle of a tile, for arithmetic in T. A pixel x, y away from there is
/// across_0 + across_x x + across_y y from a side's line, and so on along it.
template <typename T> struct TileFace {
  T across_x[kMaxSides], across_y[kMaxSides], across_0[kMaxSides];
  T along_x[kMaxSides], along_y[kMaxSides], along_0[kMaxSides];
  T half[kMaxSides];
  double middle[kMaxSides];  // where along = 0 lies on the side, from its own middle
};

/// Long sides are cut to what lies within `radius` of the tile's middle, (u, v): the pixels there see
/// no difference, and numbers stay small enough for T.
template <typename T>
LRAST_HD void place_in_tile(const SoftFace& face, const SoftModel& model, double u, double v,
                            double radius, TileFace<T>& out) {
  for (int k = 0; k < face.sides; ++k) {
    const double tangent_u = face.tangent_u[k], tangent_v = face.tangent_v[k];
    const double along = tangent_u * u + tangent_v * v - face.along[k];
    const double begin = -face.half[k] - along, end = face.half[k] - along;
    const double low = smaller(larger(begin, -radius), end);
    const double high = larger(smaller(end, radius), low);
    const double middle = 0.5 * (low + high);
    out.across_0[k] = T(face.turn * (tangent_u * v - tangent_v * u) - face.across[k]);
    out.across_x[k] = T(-face.turn * tangent_v * model.scale_x);
    out.across_y[k] = T(face.turn * tangent_u * model.scale_y);
    out.along_0[k] = T(-middle);
    out.along_x[k] = T(tangent_u * model.scale_x);
    out.along_y[k] = T(tangent_v * model.scale_y);
    out.half[k] = T(0.5 * (high - low));
    out.middle[k] = along + middle;
  }
}

/// Sums over pixels of grad z * d z / d (nearest point on a side), across and along the side, and of
/// these times the point's position along the side in the frame of a tile.
struct SideSums { double across, along, across_moment, along_moment; };

/// Adds a side's gradient to those of its two ends, screen.
LRAST_HD void add_side_gradient(const SoftFace& face, const SoftModel& model, int k, double middle,
                                SideSums sums, ScreenPoint& grad_a, ScreenPoint& grad_b) {
  // The nearest point is (1 - t) a + t b with t = 1/2 + position / length.
  const double weight = 0.5 / face.half[k];
  const double across_b =
      0.5 * sums.across + weight * (sums.across_moment + middle * sums.across);
  const double along_b = 0.5 * sums.along + weight * (sums.along_moment + middle * sums.along);
  const double across_a = sums.across - across_b, along_a = sums.along - along_b;
  const double tangent_u = face.tangent_u[k], tangent_v = face.tangent_v[k];
  const double normal_u = -face.turn * tangent_v, normal_v = face.turn * tangent_u;
  grad_a.x += (across_a * normal_u + along_a * tangent_u) * model.scale_x;
  grad_a.y += (across_a * normal_v + along_a * tangent_v) * model.scale_y;
  grad_b.x += (across_b * normal_u + along_b * tangent_u) * model.scale_x;
  grad_b.y += (across_b * normal_v + along_b * tangent_v) * model.scale_y;
}

LRAST_END
