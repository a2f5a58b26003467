// csrc/api/soft_coverage.cpp
#include "soft_coverage.h"

#include "../kernels/soft_coverage.h"
#include "isa.h"

namespace lrast {
#if LRAST_X86_LEVELS
extern const SoftCoverageKernels soft_coverage_kernels_v2, soft_coverage_kernels_v3,
    soft_coverage_kernels_v4;
#endif

namespace {

const SoftCoverageKernels* kernels() {
  switch (isa()) {
#if LRAST_X86_LEVELS
    case Isa::kV2: return &soft_coverage_kernels_v2;
    case Isa::kV3: return &soft_coverage_kernels_v3;
    case Isa::kV4: return &soft_coverage_kernels_v4;
#else
    case Isa::kPortable: return &soft_coverage_kernels_portable;
#endif
    default: return nullptr;
  }
}

template <typename Args> int run(SoftStatus (*kernel)(const Args&), const Args& args,
                                 int64_t* where) {
  const SoftStatus status = kernel(args);
  where[0] = status.view;
  where[1] = status.item;
  return status.code;
}

}  // namespace
}  // namespace lrast

#define MODEL {scale_x, scale_y, reach, fade, min_area, linear, faces_per_pixel}

#define DEFINE_FORWARD(name, T, member)                                                       \
  LRAST_SOFT_COVERAGE(name, T) {                                                              \
    const lrast::SoftCoverageKernels* kernels = lrast::kernels();                             \
    if (!kernels) return lrast::kNoIsaStatus;                                                 \
    const lrast::SoftCoverageArgs<T> args{verts_clip, faces, MODEL, num_views, num_verts,     \
                                          num_faces, height, width, num_threads, coverage,    \
                                          uncovered, {last_key, last_face}};                  \
    return lrast::run(kernels->member, args, where);                                          \
  }
DEFINE_FORWARD(lrast_soft_coverage_f32, float, forward_f32)
DEFINE_FORWARD(lrast_soft_coverage_f64, double, forward_f64)

#define DEFINE_BACKWARD(name, T, member)                                                      \
  LRAST_SOFT_COVERAGE_BACKWARD(name, T) {                                                     \
    const lrast::SoftCoverageKernels* kernels = lrast::kernels();                             \
    if (!kernels) return lrast::kNoIsaStatus;                                                 \
    const lrast::SoftCoverageBackwardArgs<T> args{                                            \
        verts_clip, faces, MODEL, num_views, num_verts, num_faces, height, width,             \
        num_threads, grad_coverage, uncovered, {last_key, last_face}, grad_verts_clip};       \
    return lrast::run(kernels->member, args, where);                                          \
  }
DEFINE_BACKWARD(lrast_soft_coverage_backward_f32, float, backward_f32)
DEFINE_BACKWARD(lrast_soft_coverage_backward_f64, double, backward_f64)
