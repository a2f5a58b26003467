// csrc/kernels/rasterize_cuda_backward.cuh: from gradients of fragments to those of vertices (CUDA).
#pragma once
#include "../core/fragment.h"
#include "fixed_sum.cuh"
#include "rasterize_cuda.h"

LRAST_BEGIN

/// Arguments of every backward kernel. z has no influence and no sum.
template <typename T> struct RasterBackwardWork {
  RasterizeBackwardArgs<T> args;
  int64_t num_pixels, num_fragments;  // of an image; N * L * H * W
  int64_t num_verts;                  // over all views
  FixedSums<T> sums;                  // (num_verts, 3): x, y, w

  RasterBackwardWork(const RasterizeBackwardArgs<T>& a, Arena& scratch)
      : args(a),
        num_pixels(int64_t(a.height) * a.width),
        num_fragments(a.num_views * a.num_layers * num_pixels),
        num_verts((a.shared ? 1 : a.num_views) * a.num_verts),
        // A face may name a vertex three times.
        sums(scratch, 3 * num_verts, 3 * (a.shared ? a.num_views : 1) * a.num_layers * num_pixels) {}
};

/// Calls visit(target, value) for what each warp's fragments of one face add to its corners.
template <typename T, typename Visit>
__device__ void visit_corners(const RasterBackwardWork<T>& work, Visit visit) {
  const RasterizeBackwardArgs<T>& args = work.args;
  const int64_t at = thread_number();
  const int32_t face = at < work.num_fragments ? args.face_idx[at] : -1;
  if (!__ballot_sync(kWholeWarp, face >= 0)) return;
  const int64_t image = at / work.num_pixels;
  const int64_t view = args.shared || face < 0 ? 0 : image / args.num_layers;
  const WarpPeers peers(Count(view) << 32 | uint32_t(face));
  FragmentCorners<double> grad{};
  int64_t verts[3] = {0, 0, 0};
  if (face >= 0) {
    const int pixel = int(at - image * work.num_pixels), row = pixel / args.width;
    ClipPoint corners[3];
    for (int i = 0; i < 3; ++i) {
      verts[i] = view * args.num_verts + args.faces[3 * int64_t(face) + i];
      corners[i] = load_clip(args.verts_clip + 4 * verts[i]);
    }
    double grad_bary[3] = {0.0, 0.0, 0.0};
    for (int i = 0; args.grad_bary && i < 3; ++i) grad_bary[i] = args.grad_bary[3 * at + i];
    fragment_vjp(fragment_corners(corners), ndc_of_column(pixel - row * args.width, args.width),
                 ndc_of_row(row, args.height), grad_bary,
                 args.grad_depth ? double(args.grad_depth[at]) : 0.0, grad);
  }
  const bool visits = face >= 0 && peers.leads();
  for (int i = 0; i < 3; ++i) {
    const double x = peers.sum(grad.x[i]), y = peers.sum(grad.y[i]), w = peers.sum(grad.w[i]);
    if (!visits) continue;
    visit(3 * verts[i], x);
    visit(3 * verts[i] + 1, y);
    visit(3 * verts[i] + 2, w);
  }
}

template <typename T>
__global__ void __launch_bounds__(kBlock) bound_corners(const RasterBackwardWork<T> work) {
  visit_corners(work, [&](int64_t target, double value) { work.sums.bound(target, value); });
}
template <typename T>
__global__ void __launch_bounds__(kBlock) add_corners(const RasterBackwardWork<T> work) {
  visit_corners(work, [&](int64_t target, double value) { work.sums.add(target, value); });
}
template <typename T>
__global__ void __launch_bounds__(kBlock) store_verts(const RasterBackwardWork<T> work) {
  const int64_t vert = thread_number();
  if (vert >= work.num_verts) return;
  T* out = work.args.grad_verts_clip + 4 * vert;
  out[0] = work.sums.total(3 * vert);
  out[1] = work.sums.total(3 * vert + 1);
  out[2] = T(0);
  out[3] = work.sums.total(3 * vert + 2);
}

LRAST_END
