// csrc/core/fragment.h: the point of a face at a pixel centre.  Frame: clip.
//
// Seen from the pixel centre (px, py) in NDC, corner j is at (u, v) = (x - px w, y - py w). The point
// on the pixel's ray is the sum of corners weighted with b for which the sums of b u and b v vanish:
// b_j ~ (u, v)_{j+1} x (u, v)_{j+2}, scaled to sum 1 (Olano and Greer, "Triangle Scan Conversion
// using 2D Homogeneous Coordinates", 1997). w may be negative at corners behind the camera.
#pragma once
#include <math.h>

#include "projection.h"

LRAST_BEGIN

/// The three corners of a face without z, for one pixel or one vector of pixels.
template <typename Lanes> struct FragmentCorners { Lanes x[3], y[3], w[3]; };

template <typename Lanes> struct FragmentOf {
  Lanes bary[3];  // >= 0, sum 1
  Lanes depth;    // clip w there
};
using Fragment = FragmentOf<double>;

LRAST_HD double ndc_of_column(int column, double width) { return (column + 0.5) * (2.0 / width) - 1.0; }
LRAST_HD double ndc_of_row(int row, double height) { return 1.0 - (row + 0.5) * (2.0 / height); }

LRAST_HD FragmentCorners<double> fragment_corners(const ClipPoint* p) {
  return {{p[0].x, p[1].x, p[2].x}, {p[0].y, p[1].y, p[2].y}, {p[0].w, p[1].w, p[2].w}};
}

/// Twice the corners' weights, up to a common factor: crosses of the corners seen from the pixel.
template <typename Lanes>
LRAST_HD void fragment_crosses(const Lanes* u, const Lanes* v, Lanes* cross) {
  cross[0] = u[1] * v[2] - v[1] * u[2];
  cross[1] = u[2] * v[0] - v[2] * u[0];
  cross[2] = u[0] * v[1] - v[0] * u[1];
}

/// The fragment, and `sum` that is finite and positive if it is good (see fragment_at()).
template <typename Lanes>
LRAST_HD void fragment_unchecked(const FragmentCorners<Lanes>& corners, const Lanes& px,
                                 const Lanes& py, FragmentOf<Lanes>& out, Lanes& sum) {
  Lanes u[3], v[3], cross[3];
  for (int j = 0; j < 3; ++j) {
    u[j] = corners.x[j] - px * corners.w[j];
    v[j] = corners.y[j] - py * corners.w[j];
  }
  fragment_crosses(u, v, cross);
  const Lanes zero{};
  const Lanes signed_sum = (cross[0] + cross[1]) + cross[2];
  const Lanes sign = signed_sum < zero ? zero - 1.0 : zero + 1.0;
  // A pixel centre just outside of an edge, by rounding, counts as on it.
  for (int j = 0; j < 3; ++j) {
    const Lanes weight = cross[j] * sign;
    out.bary[j] = weight > zero ? weight : zero;
  }
  sum = (out.bary[0] + out.bary[1]) + out.bary[2];
  const Lanes inv_sum = 1.0 / sum;
  for (int j = 0; j < 3; ++j) out.bary[j] = out.bary[j] * inv_sum;
  out.depth = (out.bary[0] * corners.w[0] + out.bary[1] * corners.w[1]) +
              out.bary[2] * corners.w[2];
}

constexpr double kLeastGoodSum = 0x1p-960, kMostGoodSum = 0x1p960;
LRAST_HD bool is_good_sum(double sum) { return sum >= kLeastGoodSum && sum <= kMostGoodSum; }

/// The largest coordinate as seen from the pixel: dividing by it keeps products of huge or tiny
/// ones in range.
LRAST_HD double fragment_scale(const FragmentCorners<double>& corners, double px, double py) {
  double scale = 0.0;
  for (int j = 0; j < 3; ++j) {
    scale = larger(scale, fabs(corners.x[j] - px * corners.w[j]));
    scale = larger(scale, fabs(corners.y[j] - py * corners.w[j]));
  }
  return scale;
}
LRAST_HD FragmentCorners<double> divided(const FragmentCorners<double>& corners, double scale) {
  FragmentCorners<double> out;
  for (int j = 0; j < 3; ++j) {
    out.x[j] = corners.x[j] / scale;
    out.y[j] = corners.y[j] / scale;
    out.w[j] = corners.w[j] / scale;
  }
  return out;
}

/// fragment_at() where a plain evaluation leaves the range of double.
LRAST_HD Fragment fragment_rescaled(const FragmentCorners<double>& corners, double px, double py) {
  Fragment out;
  double sum;
  fragment_unchecked(divided(corners, fragment_scale(corners, px, py)), px, py, out, sum);
  if (!is_good_sum(sum))
    for (int j = 0; j < 3; ++j) out.bary[j] = 1.0 / 3.0;  // edge-on: any point of it will do
  out.depth = (out.bary[0] * corners.w[0] + out.bary[1] * corners.w[1]) +
              out.bary[2] * corners.w[2];
  return out;
}

/// The point of a face that lies on the ray of the pixel centre (px, py) in NDC.
LRAST_HD Fragment fragment_at(const FragmentCorners<double>& corners, double px, double py) {
  Fragment out;
  double sum;
  fragment_unchecked(corners, px, py, out, sum);
  return is_good_sum(sum) ? out : fragment_rescaled(corners, px, py);
}

/// Adds to `grad` the gradient of grad_bary . bary + grad_depth * depth. z takes none. A face that
/// is seen edge-on has none either.
LRAST_HD void fragment_vjp(const FragmentCorners<double>& corners, double px, double py,
                           const double* grad_bary, double grad_depth,
                           FragmentCorners<double>& grad) {
  FragmentCorners<double> at = corners;
  double scale = 1.0;
  double u[3], v[3], cross[3], sum;
  for (int attempt = 0;; ++attempt) {
    for (int j = 0; j < 3; ++j) {
      u[j] = at.x[j] - px * at.w[j];
      v[j] = at.y[j] - py * at.w[j];
    }
    fragment_crosses(u, v, cross);
    sum = (cross[0] + cross[1]) + cross[2];
    if (is_good_sum(fabs(sum))) break;
    if (attempt > 0) return;
    scale = fragment_scale(corners, px, py);
    at = divided(corners, scale);
  }
  const double inv_sum = 1.0 / sum;
  double bary[3], along[3], grad_cross[3], mean = 0.0;
  for (int j = 0; j < 3; ++j) {
    bary[j] = cross[j] * inv_sum;
    along[j] = grad_bary[j] + grad_depth * corners.w[j];
    mean += along[j] * bary[j];
  }
  const double factor = inv_sum / scale;
  for (int j = 0; j < 3; ++j) grad_cross[j] = (along[j] - mean) * factor;
  for (int j = 0; j < 3; ++j) {
    const int k = j == 2 ? 0 : j + 1, l = j == 0 ? 2 : j - 1;
    const double grad_u = grad_cross[l] * v[k] - grad_cross[k] * v[l];
    const double grad_v = grad_cross[k] * u[l] - grad_cross[l] * u[k];
    grad.x[j] += grad_u;
    grad.y[j] += grad_v;
    grad.w[j] += grad_depth * bary[j] - (px * grad_u + py * grad_v);
  }
}

LRAST_END
