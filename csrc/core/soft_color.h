// csrc/core/soft_color.h: colour and depth of a face at any pixel, for soft_colors().
// Frames: screen, from the middle of a tile.
#pragma once
#include "soft_depth.h"

// Plain records carry no code, so all ISA levels share them.
namespace lrast {

/// Depths as exponents of two: key * slope + offset, by depth_key().
struct SoftColorModel {
  double slope[2], offset[2];  // of views whose w are all 1 (orthographic), of others
  double background;           // the exponent of what is behind all faces
  int32_t num_channels;
};

}  // namespace lrast

LRAST_BEGIN

/// How far along its edge a corner of a face's visible part is cut: 0 at `from`.
LRAST_HD double cut_position(const ClipPoint* clip, PolygonCorner corner) {
  if (corner.to < 0) return 0.0;
  const double from = near_distance(clip[corner.from]), to = near_distance(clip[corner.to]);
  return from / (from - to);
}

/// Adds to the gradients of the ends of an edge that of where it is cut.
LRAST_HD void add_cut_gradient(ClipPoint from, ClipPoint to, double grad_cut, ClipPoint& grad_from,
                               ClipPoint& grad_to) {
  const double da = near_distance(from), db = near_distance(to);
  const double inverse2 = 1.0 / ((da - db) * (da - db));
  const double grad_da = -grad_cut * db * inverse2, grad_db = grad_cut * da * inverse2;
  grad_from.z += grad_da;
  grad_from.w += grad_da;
  grad_to.z += grad_db;
  grad_to.w += grad_db;
}

/// Colour of a corner of a face's visible part, from those of the face's own.
template <typename T> LRAST_HD T corner_color(T from, T to, double cut) {
  return T(from + cut * (double(to) - double(from)));
}

/// 2^d for d <= 0, and 0 where that is negligible.
template <typename T, typename V> LRAST_HD V decay(V d) {
  const V least(sizeof(T) == 4 ? T(-100) : T(-900)), none(T(0));
  return select(less(d, least), none, power_of_two<T>(larger(d, least)));
}

/// Odds below which a face's colour takes no gradient through its probability.
template <typename T> LRAST_HD T smallest_odds() { return sizeof(T) == 4 ? T(1e-30) : T(1e-280); }

/// Whether a view counts as one of a perspective camera. Clip w is 1 all over in an orthographic one;
/// a flat mesh that faces a perspective camera has one w too, but hardly that.
LRAST_HD bool colors_in_perspective(bool w_differs, double w) { return w_differs || w != 1.0; }

/// Barycentric coordinates as functions of the pixel, and what a triangle's corners weigh.
template <typename T> struct ColorTriangle {
  T x[3], y[3], constant[3];
  T key[3];     // depth keys of the corners
  T weight[3];  // 1 / w in a perspective view, else 1
  int32_t corner[3];
  double inverse_area;
};

/// A triangle of corners a, b, c of a face's visible part; `middle` is that of the tile.
template <typename T>
LRAST_HD ColorTriangle<T> make_color_triangle(const SoftFace& face, const double* keys, int a,
                                              int b, int c, bool perspective,
                                              ScreenPoint middle) {
  ColorTriangle<T> out;
  const int corners[3] = {a, b, c};
  ScreenPoint p[3];
  for (int i = 0; i < 3; ++i)
    p[i] = {face.corner[corners[i]].x - middle.x, face.corner[corners[i]].y - middle.y};
  const double area =
      (p[1].x - p[0].x) * (p[2].y - p[0].y) - (p[1].y - p[0].y) * (p[2].x - p[0].x);
  // Half of a face that is cut may have no area; no pixel sees it then.
  out.inverse_area = area != 0.0 ? 1.0 / area : 0.0;
  for (int i = 0; i < 3; ++i) {
    const ScreenPoint q = p[(i + 1) % 3], r = p[(i + 2) % 3];
    out.x[i] = T((q.y - r.y) * out.inverse_area);
    out.y[i] = T((r.x - q.x) * out.inverse_area);
    out.constant[i] = T((q.x * r.y - q.y * r.x) * out.inverse_area + (area != 0.0 ? 0.0 : 1.0));
    out.key[i] = T(keys[corners[i]]);
    out.weight[i] = perspective ? out.key[i] : T(1);
    out.corner[i] = corners[i];
  }
  return out;
}

/// Coordinates are clipped at this instead of 0, which changes no digit: at a pixel on a sliver all
/// three may be negative, by rounding, and then all corners count alike instead of 0 / 0.
constexpr double kLeastShare = 1e-20;

/// A triangle at pixels, beyond its outline too: coordinates are clipped.
template <typename V> struct ColorPoint {
  V share[3];      // barycentric coordinates on the screen, clipped, not normalised
  V bary[3];       // perspective-correct, of sum 1
  V key;           // depth key
  V inverse_sum;   // of shares
  V inverse_flat;  // of shares times weights
};

template <typename T, typename V>
LRAST_HD ColorPoint<V> color_point(const ColorTriangle<T>& triangle, V x, V y) {
  ColorPoint<V> out;
  for (int i = 0; i < 3; ++i)
    out.share[i] = larger(V(T(kLeastShare)),
                          (x * V(triangle.x[i]) + y * V(triangle.y[i])) + V(triangle.constant[i]));
  for (int i = 0; i < 3; ++i) out.bary[i] = out.share[i] * V(triangle.weight[i]);
  out.inverse_sum = V(T(1)) / ((out.share[0] + out.share[1]) + out.share[2]);
  out.inverse_flat = V(T(1)) / ((out.bary[0] + out.bary[1]) + out.bary[2]);
  for (int i = 0; i < 3; ++i) out.bary[i] = out.bary[i] * out.inverse_flat;
  out.key = ((out.share[0] * V(triangle.key[0]) + out.share[1] * V(triangle.key[1])) +
             out.share[2] * V(triangle.key[2])) *
            out.inverse_sum;
  return out;
}

/// Gradients of barycentric coordinates on the screen and of the corners' keys from those of `bary`
/// and `key`. A share's scale has none, so that the triangle's area counts as constant.
template <typename T, typename V>
LRAST_HD void color_point_vjp(const ColorTriangle<T>& triangle, const ColorPoint<V>& point,
                              bool perspective, const V* grad_bary, V grad_key, V* grad_share,
                              V* grad_corner_key) {
  const V none = V(T(0)), least = V(T(kLeastShare));
  const V mean = (grad_bary[0] * point.bary[0] + grad_bary[1] * point.bary[1]) +
                 grad_bary[2] * point.bary[2];
  const V per_share = grad_key * point.inverse_sum;
  for (int i = 0; i < 3; ++i) {
    const V flat = (grad_bary[i] - mean) * point.inverse_flat;
    const V share =
        flat * V(triangle.weight[i]) + per_share * (V(triangle.key[i]) - point.key);
    grad_share[i] = select(less(least, point.share[i]), share, none);
    grad_corner_key[i] = per_share * point.share[i];
    if (perspective) grad_corner_key[i] = grad_corner_key[i] + flat * point.share[i];
  }
}

/// Sums over pixels of the gradient of a triangle's coordinate, and of that times the pixel's x, y.
struct ShareSums { double one, x, y; };

/// Adds to the gradients of the two corners q, r that coordinate is measured from: it is
/// (q - p) x (r - p) / area at pixel p.
LRAST_HD void add_share_gradient(ShareSums sums, double inverse_area, ScreenPoint q,
                                 ScreenPoint r, ScreenPoint& grad_q, ScreenPoint& grad_r) {
  grad_q.x += (r.y * sums.one - sums.y) * inverse_area;
  grad_q.y += (sums.x - r.x * sums.one) * inverse_area;
  grad_r.x += (sums.y - q.y * sums.one) * inverse_area;
  grad_r.y += (q.x * sums.one - sums.x) * inverse_area;
}

/// Gradient of a clip-space point from that of its depth key.
LRAST_HD ClipPoint depth_key_vjp(ClipPoint p, bool perspective, double grad) {
  const double inverse = 1.0 / p.w;
  if (perspective) return {0.0, 0.0, 0.0, -grad * inverse * inverse};
  return {0.0, 0.0, -grad * inverse, grad * p.z * inverse * inverse};
}

LRAST_END
