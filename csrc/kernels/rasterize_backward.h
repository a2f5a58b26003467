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

template <typename T>
void find_runs(const RasterizeBackwardArgs<T>& args, int64_t image, const T* verts, int64_t row,
               Buffer<FragmentRun>& runs) {
  const int64_t first = (image * args.height + row) * args.width;
  FragmentCorners<double> corners{};
  int32_t last = -1;
  for (int column = 0; column < args.width; ++column) {
    const int64_t at = first + column;
    const int32_t f = args.face_idx[at];
    if (f >= 0 && f != last) {
      ClipPoint p[3];
      for (int i = 0; i < 3; ++i) p[i] = load_clip(verts + 4 * int64_t(args.faces[3 * int64_t(f) + i]));
      corners = fragment_corners(p);
      runs.push({{}, f});
    }
    last = f;
    if (f < 0) continue;
    double grad_bary[3] = {};
    for (int i = 0; args.grad_bary && i < 3; ++i) grad_bary[i] = args.grad_bary[3 * at + i];
    fragment_vjp(corners, ndc_of_column(column, args.width), ndc_of_row(int(row), args.height),
                 grad_bary, args.grad_depth ? double(args.grad_depth[at]) : 0.0,
                 runs[runs.size() - 1].grad);
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
