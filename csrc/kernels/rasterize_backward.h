// csrc/kernels/rasterize_backward.h: gradients of weights and depth to the vertices (CPU).
//
// Pixels that show one face after another in a row make a run, whose gradient is summed in double.
// Threads find the runs of some rows each; runs are then added to the vertices in the order of the
// rows, in double too, so the bits do not depend on the threads.
#pragma once
#include "../core/fragment.h"
#include "buffer.h"
#include "parallel.h"
#include "rasterize.h"

LRAST_BEGIN

struct FragmentRun {
  FragmentCorners<double> grad;
  int32_t face;
};

template <typename T> struct RasterGradients {
  Buffer<double> sums;              // (V, 3): x, y, w
  Pool<Buffer<FragmentRun>> runs;   // per chunk of rows
};

/// Sums over the pixels of a run, from which its gradient follows: in a row only x changes, and
/// the corners seen from a pixel are linear in it.
struct RunSums {
  double cross[3];    // gradient of the crosses
  double cross_x[3];  // the same times x from the first pixel on, in NDC
  double w[3];        // gradient of depth times weights
};

/// fragment_vjp() of all pixels of a run together. (u, v): corners seen from the first one, (px, py).
inline void add_run(const double* u, const double* v, const double* w, double px, double py,
                    const RunSums& sums, FragmentCorners<double>& grad) {
  for (int j = 0; j < 3; ++j) {
    const int k = j == 2 ? 0 : j + 1, l = j == 0 ? 2 : j - 1;
    const double grad_u = sums.cross[l] * v[k] - sums.cross[k] * v[l];
    const double grad_u_x = sums.cross_x[l] * v[k] - sums.cross_x[k] * v[l];
    const double grad_v = (sums.cross[k] * u[l] - sums.cross_x[k] * w[l]) -
                          (sums.cross[l] * u[k] - sums.cross_x[l] * w[k]);
    grad.x[j] += grad_u;
    grad.y[j] += grad_v;
    grad.w[j] += sums.w[j] - ((px * grad_u + grad_u_x) + py * grad_v);
  }
}

/// Gradient of a pixel's weights, into `grad_bary`; returns that of its depth.
template <typename T>
double load_grads(const RasterizeBackwardArgs<T>& args, int64_t at, double* grad_bary) {
  for (int i = 0; i < 3; ++i) grad_bary[i] = args.grad_bary ? double(args.grad_bary[3 * at + i]) : 0.0;
  return args.grad_depth ? double(args.grad_depth[at]) : 0.0;
}

/// Pixels [column, end) of a row, which show one face.
template <typename T>
void sum_run(const RasterizeBackwardArgs<T>& args, int64_t first, int column, int end, double py,
             FragmentRun& run, const FragmentCorners<double>& corners) {
  constexpr int kFew = 2;  // pixels, for which sums cost more than they save
  double grad_bary[3];
  if (end - column <= kFew) {
    for (; column < end; ++column) {
      const double grad_depth = load_grads(args, first + column, grad_bary);
      fragment_vjp(corners, ndc_of_column(column, args.width), py, grad_bary, grad_depth, run.grad);
    }
    return;
  }
  RunSums sums{};
  const double first_px = ndc_of_column(column, args.width);
  double first_u[3], v[3];
  for (int j = 0; j < 3; ++j) {
    first_u[j] = corners.x[j] - first_px * corners.w[j];
    v[j] = corners.y[j] - py * corners.w[j];
  }
  for (; column < end; ++column) {
    const double px = ndc_of_column(column, args.width);
    const double grad_depth = load_grads(args, first + column, grad_bary);
    double u[3], cross[3];
    for (int j = 0; j < 3; ++j) u[j] = corners.x[j] - px * corners.w[j];
    fragment_crosses(u, v, cross);
    const double sum = (cross[0] + cross[1]) + cross[2];
    if (!is_good_sum(fabs(sum))) {
      fragment_vjp(corners, px, py, grad_bary, grad_depth, run.grad);
      continue;
    }
    const double inv_sum = 1.0 / sum;
    double along[3], bary[3], mean = 0.0;
    for (int j = 0; j < 3; ++j) {
      bary[j] = cross[j] * inv_sum;
      along[j] = grad_bary[j] + grad_depth * corners.w[j];
      mean += along[j] * bary[j];
    }
    for (int j = 0; j < 3; ++j) {
      const double grad_cross = (along[j] - mean) * inv_sum;
      sums.cross[j] += grad_cross;
      sums.cross_x[j] += (px - first_px) * grad_cross;
      sums.w[j] += grad_depth * bary[j];
    }
  }
  add_run(first_u, v, corners.w, first_px, py, sums, run.grad);
}

template <typename T>
void find_runs(const RasterizeBackwardArgs<T>& args, int64_t image, const T* verts, int64_t row,
               Buffer<FragmentRun>& runs) {
  const int64_t first = (image * args.height + row) * args.width;
  const int32_t* const face_idx = args.face_idx + first;
  const double py = ndc_of_row(int(row), args.height);
  for (int column = 0, end; column < args.width; column = end) {
    const int32_t f = face_idx[column];
    for (end = column + 1; end < args.width && face_idx[end] == f;) ++end;
    if (f < 0) continue;
    ClipPoint p[3];
    for (int i = 0; i < 3; ++i) p[i] = load_clip(verts + 4 * int64_t(args.faces[3 * int64_t(f) + i]));
    runs.push({{}, f});
    sum_run(args, first, column, end, py, runs[runs.size() - 1], fragment_corners(p));
  }
}

/// Adds a view's gradients to the sums.
template <typename T>
void add_view(const RasterizeBackwardArgs<T>& args, int64_t view, int threads,
              RasterGradients<T>& own) {
  const T* const verts = args.verts_clip + (args.shared ? 0 : 4 * args.num_verts * view);
  const int64_t rows = args.height * args.num_layers;
  constexpr int64_t kRowsPerChunk = 16;
  const int chunks = int(clamped<int64_t>(rows / kRowsPerChunk, 1, 64));
  own.runs.resize(chunks);
  parallel_chunks(rows, chunks, threads, [&](int chunk, int64_t begin, int64_t end) {
    Buffer<FragmentRun>& runs = own.runs[chunk];
    runs.clear();
    for (int64_t i = begin; i < end; ++i)
      find_runs(args, view * args.num_layers + i / args.height, verts, i % args.height, runs);
  });
  for (int chunk = 0; chunk < chunks; ++chunk) {
    const Buffer<FragmentRun>& runs = own.runs[chunk];
    for (int64_t i = 0; i < runs.size(); ++i) {
      const FragmentRun& run = runs[i];
      for (int k = 0; k < 3; ++k) {
        double* const sum = &own.sums[3 * int64_t(args.faces[3 * int64_t(run.face) + k])];
        sum[0] += run.grad.x[k];
        sum[1] += run.grad.y[k];
        sum[2] += run.grad.w[k];
      }
    }
  }
}

/// Rounds the sums to the gradient (V, 4), once.
template <typename T> void round_sums(const Buffer<double>& sums, T* grad) {
  for (int64_t v = 0; 3 * v < sums.size(); ++v) {
    grad[4 * v] = T(sums[3 * v]);
    grad[4 * v + 1] = T(sums[3 * v + 1]);
    grad[4 * v + 3] = T(sums[3 * v + 2]);
  }
}

template <typename T> __attribute__((noinline)) RasterGradients<T>& own_gradients() {
  static thread_local RasterGradients<T> own;
  return own;
}

template <typename T> RasterizeStatus::Code backward(const RasterizeBackwardArgs<T>& args) {
  const int threads = larger(args.num_threads, 1);
  if (args.shared) {
    try {
      RasterGradients<T>& own = own_gradients<T>();
      own.sums.zero(3 * args.num_verts);
      for (int64_t view = 0; view < args.num_views; ++view) add_view(args, view, threads, own);
      round_sums(own.sums, args.grad_verts_clip);
    } catch (const std::bad_alloc&) {
      return RasterizeStatus::kNoMemory;
    }
    return RasterizeStatus::kOk;
  }
  const int failed = over_views(args.num_views, threads, [&](int64_t view, int inner) {
    RasterGradients<T>& own = own_gradients<T>();
    own.sums.zero(3 * args.num_verts);
    add_view(args, view, inner, own);
    round_sums(own.sums, args.grad_verts_clip + 4 * args.num_verts * view);
  });
  return failed ? RasterizeStatus::kNoMemory : RasterizeStatus::kOk;
}

LRAST_END
