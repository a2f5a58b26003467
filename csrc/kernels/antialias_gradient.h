// csrc/kernels/antialias_gradient.h: what a blended pixel's gradient means for weights and vertices
// (CPU and CUDA).
#pragma once
#include "../core/near_plane.h"
#include "antialias.h"

LRAST_BEGIN

/// What one pixel's colour passes on: gradients of its coverage, and of its weights before they
/// were made non-negative and of the right sum.
struct PixelGrads { double coverage, weight[kSky + 1]; };

template <typename T>
LRAST_HD const T* pixel_colour(const T* image, int64_t pixel, int width, int channels,
                               int neighbor) {
  return image + (pixel + (neighbor / 3 - 1) * int64_t(width) + (neighbor % 3 - 1)) * channels;
}

/// Colours of a pixel's own surface, of which `weight` is visible. A border through the centre leaves
/// half of a pixel: there the colour at the centre must have faded out for that of the neighbour
/// farther inside, because a pixel whose centre is hidden has only that. A picture that jumped there
/// would have a gradient that misses the jumps.
struct Fade { double own, inner, d_own, d_inner; };

LRAST_HD Fade fade(double weight) {
  if (weight <= 0.5) return {0.0, weight, 0.0, 1.0};
  if (weight >= 1.0) return {weight, 0.0, 1.0, 0.0};
  const double hidden = 1.0 - weight;
  const double inner = 4.0 * weight * hidden * hidden;
  const double d_inner = 4.0 * hidden * (hidden - 2.0 * weight);
  return {weight - inner, inner, 1.0 - d_inner, d_inner};
}

template <typename T>
LRAST_HD_LONG PixelGrads grads_of_pixel(const AntialiasBackwardArgs<T>& args, const T* image,
                                   const T* grad_out, const BlendedPixel<T>& pixel) {
  const T* const grad = grad_out + int64_t(pixel.pixel) * args.num_channels;
  double along[9], mean = 0.0;  // grad . colour of each neighbour
  for (int j = 0; j < 9; ++j) {
    along[j] = 0.0;
    if (pixel.weight[j] == T(0) && j != pixel.sky && j != pixel.inner) continue;
    const T* const colour = pixel_colour(image, pixel.pixel, args.width, args.num_channels, j);
    for (int c = 0; c < args.num_channels; ++c) along[j] += double(grad[c]) * double(colour[c]);
  }
  if (pixel.inner >= 0) {
    const Fade of_own = fade(pixel.weight[kOwn]);
    along[kOwn] = of_own.d_own * along[kOwn] + of_own.d_inner * along[pixel.inner];
  }
  for (int j = 0; j < 9; ++j) mean += along[j] * (pixel.weight[j] / pixel.coverage);
  PixelGrads out;
  for (int j = 0; j < 9; ++j)
    out.weight[j] = pixel.weight[j] > T(0) ? pixel.scale * (along[j] - mean) : 0.0;
  out.weight[kSky] = 0.0;
  out.coverage = pixel.sky < 0 ? 0.0 : pixel.sky == kSky ? mean : mean - along[pixel.sky];
  return out;
}

/// How much of neighbour j's colour a blended pixel shows.
template <typename T> LRAST_HD double share_of(const BlendedPixel<T>& pixel, int j) {
  double share = pixel.weight[j] + (j == pixel.sky ? 1.0 - pixel.coverage : 0.0);
  if (pixel.inner < 0 || (j != kOwn && j != pixel.inner)) return share;
  const Fade of_own = fade(pixel.weight[kOwn]);
  return j == kOwn ? of_own.own + (share - pixel.weight[kOwn]) : share + of_own.inner;
}

/// Calls visit(vert, gradient) for what a screen gradient at a contour edge's end means for the
/// vertex (`hidden` is -1), or for the two vertices of a cut.
template <typename T, typename Visit>
LRAST_HD void visit_end_gradient(const AntialiasBackwardArgs<T>& args, const T* verts, TapeCut from,
                                 ScreenPoint grad, Visit&& visit) {
  const ClipPoint a = load_clip(verts + 4 * int64_t(from.visible));
  if (from.hidden < 0) {
    visit(from.visible, screen_from_clip_vjp(a, args.width, args.height, grad));
    return;
  }
  const ClipPoint b = load_clip(verts + 4 * int64_t(from.hidden));
  ClipPoint grad_a, grad_b;
  clip_at_near_vjp(a, b, screen_from_clip_vjp(clip_at_near(a, b), args.width, args.height, grad),
                   grad_a, grad_b);
  visit(from.visible, grad_a);
  visit(from.hidden, grad_b);
}

/// Calls visit(vert, gradient) for what moves an intersection: the planes of both faces.
template <typename T, typename Visit>
LRAST_HD void visit_crossing_gradient(const AntialiasBackwardArgs<T>& args, const T* verts,
                                      bool flat, const BlendedPixel<T>& pixel,
                                      const FaceCrossing<T>& crossing, double grad_area,
                                      Visit&& visit) {
  const double x = pixel.pixel % args.width + 0.5, y = pixel.pixel / args.width + 0.5;
  for (int side = 0; side < 2; ++side) {
    const int32_t* const face =
        args.faces + 3 * int64_t(side == 0 ? crossing.face : crossing.other_face);
    const double grad = side == 0 ? grad_area : -grad_area;
    ClipPoint corners[3], grads[3] = {};
    for (int j = 0; j < 3; ++j) corners[j] = load_clip(verts + 4 * int64_t(face[j]));
    face_key_vjp(corners, args.width, args.height, x, y, flat,
                 {grad * crossing.x, grad * crossing.y, grad * crossing.center}, grads);
    for (int j = 0; j < 3; ++j) visit(face[j], grads[j]);
  }
}

LRAST_END
