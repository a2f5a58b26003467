// csrc/api/transform.cpp
#include "../kernels/transform.h"

#include "isa.h"
#include "lrast.h"

namespace lrast {
#if LRAST_X86_LEVELS
extern const TransformKernels transform_kernels_v2, transform_kernels_v3, transform_kernels_v4;
#endif

namespace {

const TransformKernels* kernels() {
  switch (isa()) {
#if LRAST_X86_LEVELS
    case Isa::kV2: return &transform_kernels_v2;
    case Isa::kV3: return &transform_kernels_v3;
    case Isa::kV4: return &transform_kernels_v4;
#else
    case Isa::kPortable: return &transform_kernels_portable;
#endif
    default: return nullptr;
  }
}

template <typename Args>
int run(void (*TransformKernels::*kernel)(const Args&), const Args& args) {
  const TransformKernels* const available = kernels();
  if (!available) return kNoIsaStatus;
  (available->*kernel)(args);
  return 0;
}

}  // namespace
}  // namespace lrast

int64_t lrast_transform_partial_size(int64_t num_views, int64_t num_verts) {
  constexpr int64_t kBlock = lrast::kTransformBlock;
  return (num_verts + kBlock - 1) / kBlock * num_views * 16;
}

#define DEFINE(name, T, member)                                                               \
  LRAST_TRANSFORM(name, T) {                                                                  \
    return lrast::run(&lrast::TransformKernels::member,                                       \
                      lrast::TransformArgs<T>{points, matrices, out, num_views, num_verts,    \
                                              shared, num_threads});                          \
  }
DEFINE(lrast_transform_f32, float, points_f32)
DEFINE(lrast_transform_f64, double, points_f64)

#define DEFINE_POINTS_VJP(name, T, member)                                                    \
  LRAST_TRANSFORM_POINTS_VJP(name, T) {                                                       \
    return lrast::run(&lrast::TransformKernels::member,                                       \
                      lrast::TransformPointsVjpArgs<T>{grad, matrices, grad_points,           \
                                                       num_views, num_verts, shared,          \
                                                       num_threads});                         \
  }
DEFINE_POINTS_VJP(lrast_transform_points_vjp_f32, float, points_vjp_f32)
DEFINE_POINTS_VJP(lrast_transform_points_vjp_f64, double, points_vjp_f64)

#define DEFINE_MATRICES_VJP(name, T, member)                                                  \
  LRAST_TRANSFORM_MATRICES_VJP(name, T) {                                                     \
    return lrast::run(&lrast::TransformKernels::member,                                       \
                      lrast::TransformMatricesVjpArgs<T>{grad, points, partial,               \
                                                         grad_matrices, num_views, num_verts, \
                                                         shared, num_threads});               \
  }
DEFINE_MATRICES_VJP(lrast_transform_matrices_vjp_f32, float, matrices_vjp_f32)
DEFINE_MATRICES_VJP(lrast_transform_matrices_vjp_f64, double, matrices_vjp_f64)
