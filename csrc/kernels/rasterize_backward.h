// csrc/kernels/rasterize_backward.h: gradients of weights and depth to the vertices (CPU).
#pragma once
#include "../core/fragment.h"
#include "buffer.h"
#include "parallel.h"
#include "rasterize.h"

LRAST_BEGIN

template <typename T> RasterizeStatus::Code backward(const RasterizeBackwardArgs<T>& args) {
  const int64_t num_pixels = int64_t(args.height) * args.width;
  for (int64_t at = 0; at < args.num_views * args.num_layers * num_pixels; ++at) {
    const int64_t f = args.face_idx[at];
    if (f < 0) continue;
    const int64_t view = at / (num_pixels * args.num_layers), pixel = at % num_pixels;
    const int64_t offset = args.shared ? 0 : 4 * args.num_verts * view;
    ClipPoint corners[3];
    for (int i = 0; i < 3; ++i)
      corners[i] = load_clip(args.verts_clip + offset + 4 * int64_t(args.faces[3 * f + i]));
    double grad_bary[3] = {};
    for (int i = 0; args.grad_bary && i < 3; ++i) grad_bary[i] = args.grad_bary[3 * at + i];
    FragmentCorners<double> grad{};
    fragment_vjp(fragment_corners(corners), ndc_of_column(int(pixel % args.width), args.width),
                 ndc_of_row(int(pixel / args.width), args.height), grad_bary,
                 args.grad_depth ? double(args.grad_depth[at]) : 0.0, grad);
    for (int i = 0; i < 3; ++i) {
      T* out = args.grad_verts_clip + offset + 4 * int64_t(args.faces[3 * f + i]);
      out[0] += T(grad.x[i]);
      out[1] += T(grad.y[i]);
      out[3] += T(grad.w[i]);
    }
  }
  return RasterizeStatus::kOk;
}

LRAST_END
