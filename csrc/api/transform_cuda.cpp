// csrc/api/transform_cuda.cpp
#include "../kernels/transform_cuda.h"

#include "lrast_cuda.h"

int64_t lrast_transform_cuda_partial_size(int64_t num_views, int64_t num_verts) {
  constexpr int64_t kBlock = lrast::kTransformCudaBlock;
  return (num_verts + kBlock - 1) / kBlock * num_views * 16;
}

#define DEFINE(name, T)                                                                       \
  LRAST_TRANSFORM_CUDA(name, T) {                                                             \
    const lrast::TransformArgs<T> args{points, matrices, out, num_views, num_verts, shared, 1}; \
    return lrast::transform_cuda(args, device, stream);                                       \
  }
DEFINE(lrast_transform_cuda_f32, float)
DEFINE(lrast_transform_cuda_f64, double)

#define DEFINE_POINTS_VJP(name, T)                                                            \
  LRAST_TRANSFORM_CUDA_POINTS_VJP(name, T) {                                                  \
    const lrast::TransformPointsVjpArgs<T> args{grad,      matrices, grad_points, num_views,  \
                                                num_verts, shared,   1};                      \
    return lrast::transform_cuda(args, device, stream);                                       \
  }
DEFINE_POINTS_VJP(lrast_transform_cuda_points_vjp_f32, float)
DEFINE_POINTS_VJP(lrast_transform_cuda_points_vjp_f64, double)

#define DEFINE_MATRICES_VJP(name, T)                                                          \
  LRAST_TRANSFORM_CUDA_MATRICES_VJP(name, T) {                                                \
    const lrast::TransformMatricesVjpArgs<T> args{grad,      points,    partial,              \
                                                  grad_matrices, num_views, num_verts,        \
                                                  shared,    1};                              \
    return lrast::transform_cuda(args, device, stream);                                       \
  }
DEFINE_MATRICES_VJP(lrast_transform_cuda_matrices_vjp_f32, float)
DEFINE_MATRICES_VJP(lrast_transform_cuda_matrices_vjp_f64, double)
