// csrc/core/antialias.h: what an edge or an intersection cuts off a pixel, and planes of faces.
// Frame: a pixel's own; docs/decisions/antialias.md derives it.
#pragma once
#include <math.h>

#include "contour_edge.h"

LRAST_BEGIN

/// Visibility key of a face around a pixel: key = x * dx + y * dy + center at (dx, dy) pixels from
/// the pixel's centre. 1 / w, or -z / w in a flat view, as rasterize compares them; both are linear
/// over the screen, and larger is nearer.
struct FaceKey { double x, y, center; };

LRAST_HD double key_at(const FaceKey& key, double dx, double dy) {
  return key.center + (key.x * dx + key.y * dy);
}

/// Corners in pixels around a pixel centre, times w: homogeneous, so that corners behind the camera
/// are no special case.
struct HomogeneousPoint { double x, y, w; };
LRAST_HD HomogeneousPoint around_pixel(ClipPoint p, double width, double height, double x, double y) {
  return {0.5 * p.x * width + (0.5 * width - x) * p.w,
          -0.5 * p.y * height + (0.5 * height - y) * p.w, p.w};
}
LRAST_HD HomogeneousPoint cross(HomogeneousPoint a, HomogeneousPoint b) {
  return {a.y * b.w - a.w * b.y, a.w * b.x - a.x * b.w, a.x * b.y - a.y * b.x};
}

/// Key of the face with these corners around the pixel centre (x, y): the plane through them. Not
/// finite if the face is seen edge-on.
LRAST_HD FaceKey face_key(const ClipPoint* corners, double width, double height, double x, double y,
                          bool flat) {
  HomogeneousPoint v[3], sum{0.0, 0.0, 0.0};
  for (int j = 0; j < 3; ++j) v[j] = around_pixel(corners[j], width, height, x, y);
  const HomogeneousPoint first = cross(v[1], v[2]);
  const double inv = 1.0 / (v[0].x * first.x + v[0].y * first.y + v[0].w * first.w);
  for (int j = 0; j < 3; ++j) {
    const HomogeneousPoint c = j == 0 ? first : cross(v[j == 2 ? 0 : j + 1], v[j - 1]);
    const double k = flat ? -corners[j].z : 1.0;
    sum = {sum.x + k * c.x, sum.y + k * c.y, sum.w + k * c.w};
  }
  return {sum.x * inv, sum.y * inv, sum.w * inv};
}

/// Adds to grad_corners the gradient of grad . face_key().
LRAST_HD void face_key_vjp(const ClipPoint* corners, double width, double height, double x,
                           double y, bool flat, FaceKey grad, ClipPoint* grad_corners) {
  const FaceKey key = face_key(corners, width, height, x, y, flat);
  HomogeneousPoint v[3];
  for (int j = 0; j < 3; ++j) v[j] = around_pixel(corners[j], width, height, x, y);
  const HomogeneousPoint first = cross(v[1], v[2]);
  const double inv = 1.0 / (v[0].x * first.x + v[0].y * first.y + v[0].w * first.w);
  for (int j = 0; j < 3; ++j) {
    // The plane solves v_j . key = k_j: it moves by the inverse of d k_j - d v_j . key.
    const HomogeneousPoint c = j == 0 ? first : cross(v[j == 2 ? 0 : j + 1], v[j - 1]);
    const double u = (c.x * grad.x + c.y * grad.y + c.w * grad.center) * inv;
    const double grad_x = -u * key.x, grad_y = -u * key.y, grad_w = -u * key.center;
    grad_corners[j].x += 0.5 * width * grad_x;
    grad_corners[j].y -= 0.5 * height * grad_y;
    grad_corners[j].w += grad_w + (0.5 * width - x) * grad_x + (0.5 * height - y) * grad_y;
    if (flat) grad_corners[j].z -= u;
  }
}

/// Area of a pixel's part where a linear function, `key` of it, is negative; its derivative with
/// respect to the three numbers in `slope`.
LRAST_HD double negative_area(FaceKey key, FaceKey& slope) {
  // By symmetry: the area below the line v = d - l u in [-1/2, 1/2]^2, with 0 <= l <= 1.
  const bool steep = fabs(key.x) > fabs(key.y);
  const double major = steep ? key.x : key.y, minor = steep ? key.y : key.x;
  const double size = fabs(major);
  const double d = -key.center / size, l = fabs(minor) / size;
  const double above = d + 0.5 * l - 0.5, below = -0.5 - (d - 0.5 * l);
  double area = 0.5 + d, area_d = 1.0, area_l = 0.0;
  if (above >= l || below >= l) {
    slope = {0.0, 0.0, 0.0};
    return above >= l ? 1.0 : 0.0;
  }
  if (above > 0.0) {
    area -= 0.5 * above * above / l;
    area_d -= above / l;
    area_l -= 0.5 * (above / l) * (1.0 - above / l);
  }
  if (below > 0.0) {
    area += 0.5 * below * below / l;
    area_d -= below / l;
    area_l += 0.5 * (below / l) * (1.0 - below / l);
  }
  const double sign_major = major < 0.0 ? -1.0 : 1.0, sign_minor = minor < 0.0 ? -1.0 : 1.0;
  const double grad_major = -sign_major * (area_d * d + area_l * l) / size;
  const double grad_minor = sign_minor * area_l / size;
  slope = {steep ? grad_major : grad_minor, steep ? grad_minor : grad_major, -area_d / size};
  return area;
}

/// By how much a piece changes a pixel's mean colour, in units of its right side's colour minus its
/// left side's, if the colour is known at the pixel's centre: the area that lies beyond the piece,
/// seen along the vertical through the centre and then along rows. Negative where the centre is on
/// the right.
LRAST_HD double area_beyond(const Piece& p) {
  const double height = p.y1 - p.y0;
  const bool starts_right = p.x0 >= 0.5, ends_right = p.x1 >= 0.5;
  double base = starts_right ? height : 0.0;
  if (starts_right != ends_right) {
    const double y = p.y0 + height * ((0.5 - p.x0) / (p.x1 - p.x0));
    const bool above = y < 0.5;
    base = ends_right ? (above ? p.y1 : p.y1 - 1.0) : (above ? -p.y0 : 1.0 - p.y0);
  }
  return base - height * 0.5 * (p.x0 + p.x1);
}

/// d area_beyond / d y of an end at which the edge itself ends, beyond what its visible span gives:
/// the width that the end of the edge sweeps. It cancels against that of the next edge.
LRAST_HD double width_beyond(double x) { return (x >= 0.5 ? 1.0 : 0.0) - x; }

LRAST_END
