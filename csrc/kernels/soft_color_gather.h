// csrc/kernels/soft_color_gather.h: from gradients of faces in tiles to those of vertices and
// colours.
#pragma once
#include "soft_color_backward.h"

LRAST_BEGIN

/// Scratch of a view.
template <typename T> struct ColorGatherSpace {
  Buffer<T> gradients;  // as front.tile_faces, color_gradient_size() each
  Buffer<double> faces; // (F, color_gradient_size()), over the bands so far
  Buffer<double> clip;  // (V, 4)
};

inline void add_clip(double* sum, ClipPoint p) {
  sum[0] += p.x;
  sum[1] += p.y;
  sum[2] += p.z;
  sum[3] += p.w;
}

/// Adds the gradient of one corner of a face's visible part to vertices and colours.
template <typename T>
void add_corner(const SoftColorsBackwardArgs<T>& args, const SoftFront& front,
                const ColorPolygon& polygon, int k, int64_t number, const double* sums,
                double* clip) {
  const int channels = args.color_model.num_channels;
  const int32_t* face = args.faces + 3 * number;
  const PolygonCorner corner = polygon.corners[k];
  ClipPoint grad = screen_from_clip_vjp(polygon.at[k], args.width, args.height, {sums[0], sums[1]});
  const ClipPoint by_key = depth_key_vjp(polygon.at[k], front.perspective, sums[2]);
  grad = {grad.x + by_key.x, grad.y + by_key.y, grad.z + by_key.z, grad.w + by_key.w};
  double* from = args.grad_colors + (3 * number + corner.from) * channels;
  if (corner.to < 0) {
    add_clip(clip + 4 * int64_t(face[corner.from]), grad);
    for (int c = 0; c < channels; ++c) from[c] += sums[3 + c];
    return;
  }
  const T* color_from = args.colors + (3 * number + corner.from) * channels;
  const T* color_to = args.colors + (3 * number + corner.to) * channels;
  double* to = args.grad_colors + (3 * number + corner.to) * channels;
  double grad_cut = 0.0;
  for (int c = 0; c < channels; ++c) {
    from[c] += (1.0 - polygon.cut[k]) * sums[3 + c];
    to[c] += polygon.cut[k] * sums[3 + c];
    grad_cut += sums[3 + c] * (double(color_to[c]) - double(color_from[c]));
  }
  const ClipPoint a = polygon.clip[corner.from], b = polygon.clip[corner.to];
  ClipPoint grad_a, grad_b;
  clip_at_near_vjp(a, b, grad, grad_a, grad_b);
  add_cut_gradient(a, b, grad_cut, grad_a, grad_b);
  add_clip(clip + 4 * int64_t(face[corner.from]), grad_a);
  add_clip(clip + 4 * int64_t(face[corner.to]), grad_b);
}

/// Sums over a band's tiles, in order, so that the bits do not depend on threads.
template <typename T>
void add_color_band(const SoftView<T>& view, const SoftFront& front, int64_t size,
                    ColorGatherSpace<T>& space) {
  for (int64_t i = 0; i < view.num_faces; ++i) {
    double* const sums = space.faces.data() + i * size;
    for (int64_t j = front.face_begin[i]; j < front.face_begin[i + 1]; ++j) {
      const T* const grads = space.gradients.data() + front.face_places[j] * size;
      for (int64_t k = 0; k < size; ++k) sums[k] += grads[k];
    }
  }
}

/// Sums over faces, in order.
template <typename T>
void gather_color_gradients(const SoftColorsBackwardArgs<T>& args, const SoftView<T>& view,
                            const SoftFront& front, ColorGatherSpace<T>& space) {
  const int64_t stride = 3 + args.color_model.num_channels, size = kMaxSides * stride;
  space.clip.zero(4 * view.num_verts);
  for (int64_t i = 0; i < view.num_faces; ++i) {
    if (front.faces[i].sides == 0) continue;
    const double* const sums = space.faces.data() + i * size;
    const ColorPolygon polygon(view, front, view.faces + 3 * i);
    for (int k = 0; k < polygon.sides; ++k)
      add_corner(args, front, polygon, k, i, sums + k * stride, space.clip.data());
  }
  T* out = args.grad_verts_clip + 4 * view.num_verts * view.index;
  for (int64_t i = 0; i < 4 * view.num_verts; ++i) out[i] = T(space.clip[i]);
}

LRAST_END
