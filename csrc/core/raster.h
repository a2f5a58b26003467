// csrc/core/raster.h: which pixel centres a face covers, and which of several faces is in front.
// Frame: screen (pixels, y down, not sheared).
#pragma once
#include <math.h>
#include <string.h>

#include "near_plane.h"

LRAST_BEGIN

/// A corner on the screen. `key` grows towards the viewer and is linear over the screen: 1 / w, or
/// -z / w where all clip w of a view are equal ("flat", an orthographic camera). z / w of a
/// perspective camera would be linear too, but leaves float few bits at a distance.
template <typename Lanes> struct RasterPointOf { Lanes x, y, key; };
using RasterPoint = RasterPointOf<double>;

// Corners farther out are moved in towards the screen's origin, so that products below are finite.
constexpr double kFarthest = 0x1p500;

/// A vertex on the screen; x is NaN if it has no place, see position_or_mark().
LRAST_HD RasterPoint place_raster_vertex(ClipPoint p, double width, double height, bool flat) {
  ScreenPoint s = position_or_mark(p, viewport_from_clip(p, width, height));
  if (fabs(s.x) > kFarthest || fabs(s.y) > kFarthest) {
    const double scale = kFarthest / larger(fabs(s.x), fabs(s.y));
    s = {s.x * scale, s.y * scale};
  }
  return {s.x, s.y, flat ? -p.z / p.w : 2.0 * (0.5 / p.w)};  // 0.5 / p.w is there already
}
LRAST_HD ScreenPoint screen_of(const RasterPoint& p) { return {p.x, p.y}; }
LRAST_HD bool is_hidden(const RasterPoint& p) { return is_hidden(screen_of(p)); }

/// a * b as high + low, without rounding (Dekker 1971).
LRAST_HD void exact_product(double a, double b, double& high, double& low) {
  constexpr double kSplit = 0x1p27 + 1.0;
  const double wide_a = kSplit * a, wide_b = kSplit * b;
  const double a_high = wide_a - (wide_a - a), a_low = a - a_high;
  const double b_high = wide_b - (wide_b - b), b_low = b - b_high;
  high = a * b;
  low = a_low * b_low - (((high - a_high * b_high) - a_low * b_high) - a_high * b_low);
}

/// Adds b to a sum kept as `count` non-overlapping terms, smallest first; returns the new count.
/// Shewchuk, "Adaptive Precision Floating-Point Arithmetic", 1997, Grow-Expansion.
LRAST_HD int grow_exactly(double* terms, int count, double b) {
  int out = 0;
  for (int i = 0; i < count; ++i) {
    const double sum = b + terms[i];
    const double part = sum - b;
    const double error = (b - (sum - part)) + (terms[i] - part);
    if (error != 0.0) terms[out++] = error;
    b = sum;
  }
  if (b != 0.0) terms[out++] = b;
  return out;
}

/// side_of() where double cannot tell.
LRAST_HD int exact_side_of(ScreenPoint a, ScreenPoint b, ScreenPoint p) {
  const double factors[6][2] = {{b.x, p.y}, {-a.x, p.y}, {a.y, p.x},
                                {-b.y, p.x}, {a.x, b.y}, {-a.y, b.x}};
  double terms[12];
  int count = 0;
  for (int i = 0; i < 6; ++i) {
    double high, low;
    exact_product(factors[i][0], factors[i][1], high, low);
    count = grow_exactly(terms, count, low);
    count = grow_exactly(terms, count, high);
  }
  return count == 0 ? 0 : (terms[count - 1] > 0.0) - (terms[count - 1] < 0.0);
}

/// Exact sign of (b - a) x (p - a): +1 if p lies to the right of a -> b as seen on the screen. Both
/// faces at an edge find opposite signs, whatever corner they start from.
LRAST_HD int side_of(ScreenPoint a, ScreenPoint b, ScreenPoint p) {
  const double first = (b.x - a.x) * (p.y - a.y), second = (b.y - a.y) * (p.x - a.x);
  const double side = first - second;
  const double bound = 0x1p-51 * (fabs(first) + fabs(second));  // Shewchuk's (3 + 16 u) u, u = 2^-53
  if (side > bound) return 1;
  if (side < -bound) return -1;
  return exact_side_of(a, b, p);
}

/// Whether a pixel centre on the edge a -> b belongs to the face to the right of it: the top-left
/// rule. It is what moving all pixel centres by (eps, eps^2) to the right and down amounts to, so
/// that of the faces around a vertex, too, exactly one has the pixel.
LRAST_HD bool is_top_left(ScreenPoint a, ScreenPoint b) {
  return b.y < a.y || (b.y == a.y && b.x > a.x);
}

/// `key` over the screen: linear from corner 0, kept between the values at the corners, which an
/// almost degenerate face would leave.
template <typename Lanes> struct KeyPlaneOf { Lanes x, y, key, slope_x, slope_y, least, most; };
using KeyPlane = KeyPlaneOf<double>;

template <typename Lanes>
LRAST_HD void make_key_plane(const RasterPointOf<Lanes>& a, const RasterPointOf<Lanes>& b,
                             const RasterPointOf<Lanes>& c, KeyPlaneOf<Lanes>& out) {
  const Lanes ux = b.x - a.x, uy = b.y - a.y, vx = c.x - a.x, vy = c.y - a.y;
  const Lanes u_key = b.key - a.key, v_key = c.key - a.key;
  const Lanes inv_area = 1.0 / (ux * vy - uy * vx);
  const Lanes low = b.key < a.key ? b.key : a.key, high = b.key < a.key ? a.key : b.key;
  out.x = a.x;
  out.y = a.y;
  out.key = a.key;
  out.slope_x = (u_key * vy - v_key * uy) * inv_area;
  out.slope_y = (v_key * ux - u_key * vx) * inv_area;
  out.least = c.key < low ? c.key : low;
  out.most = c.key > high ? c.key : high;
}

/// Key at a pixel centre (x, y), or at several: x, y and the plane may be lanes. The result is
/// rounded to float and then compared.
template <typename Lanes, typename Plane, typename Y>
LRAST_HD void key_at(const Plane& plane, const Lanes& x, const Y& y, Lanes& key) {
  const Lanes least = Lanes{} + plane.least, most = Lanes{} + plane.most;
  key = plane.key + ((x - plane.x) * plane.slope_x + (y - plane.y) * plane.slope_y);
  key = key > least ? key : least;  // and if it is NaN, on an area that rounds to 0
  key = key < most ? key : most;
}

/// A fragment's place in the order of visibility; the largest of a pixel is in front. At equal
/// keys the smaller face number wins, so that the order of drawing does not matter.
LRAST_HD int64_t visibility(float key, int32_t face) {
  const float positive_zero = key + 0.0f;
  int32_t bits;
  memcpy(&bits, &positive_zero, sizeof(bits));
  const int32_t ordered = bits ^ ((bits >> 31) & 0x7fffffff);
  return int64_t(uint64_t(uint32_t(ordered)) << 32 | uint32_t(~face));
}
LRAST_HD int32_t face_of(int64_t visibility) { return int32_t(~uint32_t(uint64_t(visibility))); }
constexpr int64_t kNoFragment = INT64_MIN;  // behind every fragment; face_of() of it is -1

/// A triangle on the screen; the inside is to the right of corner i -> i + 1.
struct RasterTriangle {
  ScreenPoint corner[3];
  KeyPlane plane;
};

/// `side` is side_of(a, b, c) and not 0.
LRAST_HD RasterTriangle make_raster_triangle(const RasterPoint& a, const RasterPoint& b,
                                             const RasterPoint& c, int side) {
  RasterTriangle out;
  out.corner[0] = screen_of(a);
  out.corner[1] = screen_of(side > 0 ? b : c);
  out.corner[2] = screen_of(side > 0 ? c : b);
  make_key_plane(a, b, c, out.plane);
  return out;
}

/// Whether the triangle with its inside to the right of corner i -> i + 1 covers a pixel centre.
LRAST_HD bool covers(const ScreenPoint* corner, ScreenPoint p) {
  for (int i = 0; i < 3; ++i) {
    const ScreenPoint a = corner[i], b = corner[i == 2 ? 0 : i + 1];
    const int side = side_of(a, b, p);
    if (side < 0 || (side == 0 && !is_top_left(a, b))) return false;
  }
  return true;
}
LRAST_HD bool covers(const RasterTriangle& triangle, ScreenPoint p) {
  return covers(triangle.corner, p);
}

enum RasterCull : int32_t { kCullNone, kCullBack, kCullFront };

/// Whether faces on this side, side_of() their corners, are left out. y points down, so that
/// counter-clockwise in NDC is -1.
LRAST_HD bool is_culled(int side, int32_t cull) {
  return side == 0 || (cull == kCullBack && side > 0) || (cull == kCullFront && side < 0);
}

/// What is seen of a face: no triangle, one, or the two of a quadrilateral cut by the near plane.
struct RasterFace {
  RasterTriangle triangle[2];
  RasterPoint corner[2][3];  // of the triangles, in the order of the face
  int8_t sign[2];      // -1 for a half that rounding has folded over: its pixels are taken away
  int8_t count;
  int8_t unplaced;     // visible corner of a cut off any screen, or -1
};

/// Whether the face covers a pixel centre, and with which triangle.
LRAST_HD bool covers(const RasterFace& face, ScreenPoint p, int& which) {
  int sum = 0;
  for (int i = 0; i < face.count; ++i) {
    if (!covers(face.triangle[i], p)) continue;
    sum += face.sign[i];
    if (face.sign[i] > 0) which = i;
  }
  return sum > 0;
}

/// `placed` are the corners' places or marks; none is refused.
LRAST_HD RasterFace make_raster_face(const ClipPoint* corners, const RasterPoint* placed,
                                     double width, double height, bool flat, int32_t cull) {
  RasterPoint outline[4];
  RasterFace face;
  face.count = 0;
  face.unplaced = -1;
  int size = 0;
  for (int i = 0; i < 3; ++i) {
    const int j = i == 2 ? 0 : i + 1;
    const bool i_hidden = is_hidden(placed[i]), j_hidden = is_hidden(placed[j]);
    if (!i_hidden) outline[size++] = placed[i];
    if (i_hidden == j_hidden) continue;
    // From the visible to the hidden corner, so that both faces at the edge cut it at one point.
    const int from = j_hidden ? i : j, to = j_hidden ? j : i;
    const ClipPoint cut = clip_at_near(corners[from], corners[to]);
    outline[size] = place_raster_vertex({cut.x, cut.y, -cut.w, cut.w}, width, height, flat);
    if (outline[size].x != outline[size].x) face.unplaced = int8_t(from);
    ++size;
  }
  if (size == 0 || face.unplaced >= 0) return face;
  int side[2] = {side_of(screen_of(outline[0]), screen_of(outline[1]), screen_of(outline[2])), 0};
  int whole = side[0];
  if (size == 4) {
    side[1] = side_of(screen_of(outline[0]), screen_of(outline[2]), screen_of(outline[3]));
    if (side[0] * side[1] < 0) {  // the larger half gives the outline its direction
      const double ux = outline[2].x - outline[0].x, uy = outline[2].y - outline[0].y;
      const double area = (outline[1].x - outline[3].x) * uy - (outline[1].y - outline[3].y) * ux;
      whole = (area > 0.0) - (area < 0.0);
    } else if (side[0] == 0) {
      whole = side[1];
    }
  }
  if (is_culled(whole, cull)) return face;
  for (int i = 0; i < size - 2; ++i) {
    if (side[i] == 0) continue;
    const int j = face.count++;
    face.corner[j][0] = outline[0];
    face.corner[j][1] = outline[i + 1];
    face.corner[j][2] = outline[i + 2];
    face.triangle[j] = make_raster_triangle(outline[0], outline[i + 1], outline[i + 2], side[i]);
    face.sign[j] = int8_t(side[i] * whole);
  }
  return face;
}

/// Pixel columns (or rows) whose centres lie between two coordinates: first, and one past the last.
LRAST_HD int pixel_begin(double low, int size) {
  return int(clamped(ceil(low - 0.5), 0.0, double(size)));
}
LRAST_HD int pixel_end(double high, int size) {
  return int(clamped(floor(high - 0.5) + 1.0, 0.0, double(size)));
}

LRAST_END
