// csrc/kernels/transform.h: points of all views to clip space.  See ops/transform.py.
#pragma once
#include "../core/transform.h"

namespace lrast {

template <typename T> struct TransformArgs {
  const T* points;         // (V, 3) if shared, else (N, V, 3)
  const double* matrices;  // (N, 4, 4)
  T* out;                  // (N, V, 4)
  int64_t num_views, num_verts;
  int32_t shared, num_threads;
};

template <typename T> struct TransformPointsVjpArgs {
  const T* grad;           // (N, V, 4)
  const double* matrices;  // (N, 4, 4)
  T* grad_points;          // (V, 3) if shared, summed over views; else (N, V, 3)
  int64_t num_views, num_verts;
  int32_t shared, num_threads;
};

template <typename T> struct TransformMatricesVjpArgs {
  const T* grad;           // (N, V, 4)
  const T* points;         // (V, 3) if shared, else (N, V, 3)
  double* partial;         // scratch of as many numbers as the C ABI says
  double* grad_matrices;   // (N, 4, 4)
  int64_t num_views, num_verts;
  int32_t shared, num_threads;
};

/// Sums over points are taken within blocks of so many and then over blocks, whatever the number
/// of threads: the result's bits depend on neither.
constexpr int64_t kTransformBlock = 512;

/// Entry points of one ISA level.
struct TransformKernels {
  void (*points_f32)(const TransformArgs<float>&);
  void (*points_f64)(const TransformArgs<double>&);
  void (*points_vjp_f32)(const TransformPointsVjpArgs<float>&);
  void (*points_vjp_f64)(const TransformPointsVjpArgs<double>&);
  void (*matrices_vjp_f32)(const TransformMatricesVjpArgs<float>&);
  void (*matrices_vjp_f64)(const TransformMatricesVjpArgs<double>&);
};

extern const TransformKernels LRAST_JOIN(transform_kernels, LRAST_ISA);

}  // namespace lrast
