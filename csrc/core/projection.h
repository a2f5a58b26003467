// csrc/core/projection.h: clip space to screen, and the cut of an edge at the near plane.
// Frames: clip (OpenGL, y up, near plane z = -w) -> screen (pixels, y down, sheared).
#pragma once
#include "host_device.h"

LRAST_BEGIN

// Screen y is replaced by y + kShear * x. No edge is horizontal then, so every edge has a span of
// rows to integrate over and none loses its gradient; a pixel's coverage changes by less than 4e-6
// even at the far end of a 4096 px row.
constexpr double kShear = 0x1p-30;

struct ScreenPoint { double x, y; };
struct ClipPoint { double x, y, z, w; };

template <typename T> LRAST_HD ClipPoint load_clip(const T* v) {
  return {double(v[0]), double(v[1]), double(v[2]), double(v[3])};
}

/// Signed distance to the near plane in clip units; >= 0 is visible.
LRAST_HD double near_distance(ClipPoint p) { return p.z + p.w; }

/// Perspective divide and viewport, not sheared. p.w must be positive.
LRAST_HD ScreenPoint viewport_from_clip(ClipPoint p, double width, double height) {
  const double half_inv_w = 0.5 / p.w;
  return {(p.x * half_inv_w + 0.5) * width, (0.5 - p.y * half_inv_w) * height};
}

/// Perspective divide and sheared viewport. p.w must be positive.
LRAST_HD ScreenPoint screen_from_clip(ClipPoint p, double width, double height) {
  const ScreenPoint s = viewport_from_clip(p, width, height);
  return {s.x, s.y + kShear * s.x};
}

/// Gradient with respect to p of grad . screen_from_clip(p); z takes none.
LRAST_HD ClipPoint screen_from_clip_vjp(ClipPoint p, double width, double height,
                                        ScreenPoint grad) {
  const double half_inv_w = 0.5 / p.w;
  const double grad_x = (grad.x + kShear * grad.y) * width * half_inv_w;
  const double grad_y = -grad.y * height * half_inv_w;
  const double grad_w = -(grad_x * p.x + grad_y * p.y) * 2.0 * half_inv_w;
  return {grad_x, grad_y, 0.0, grad_w};
}

/// Where the edge from the visible point a to the hidden point b meets the near plane.
LRAST_HD ClipPoint clip_at_near(ClipPoint a, ClipPoint b) {
  const double da = near_distance(a), db = near_distance(b);
  const double t = da / (da - db);
  return {a.x + t * (b.x - a.x), a.y + t * (b.y - a.y), a.z + t * (b.z - a.z),
          a.w + t * (b.w - a.w)};
}

/// Gradients with respect to a and b of grad . clip_at_near(a, b).
LRAST_HD void clip_at_near_vjp(ClipPoint a, ClipPoint b, ClipPoint grad, ClipPoint& grad_a,
                               ClipPoint& grad_b) {
  const double da = near_distance(a), db = near_distance(b);
  const double inv = 1.0 / (da - db);
  const double t = da * inv;
  const double grad_t = grad.x * (b.x - a.x) + grad.y * (b.y - a.y) + grad.z * (b.z - a.z) +
                        grad.w * (b.w - a.w);
  const double grad_da = -grad_t * db * inv * inv, grad_db = grad_t * da * inv * inv;
  const double s = 1.0 - t;
  grad_a = {s * grad.x, s * grad.y, s * grad.z + grad_da, s * grad.w + grad_da};
  grad_b = {t * grad.x, t * grad.y, t * grad.z + grad_db, t * grad.w + grad_db};
}

LRAST_END
