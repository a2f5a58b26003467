// csrc/api/soft_coverage.h: the C ABI of ops/soft_coverage.py.
#pragma once
#include "lrast.h"

/// What lrast::SoftModel holds, in its order.
#define LRAST_SOFT_MODEL                                                                          \
  double scale_x, double scale_y, double reach, double fade, double min_area, int32_t linear,     \
      int32_t faces_per_pixel

/// Status codes are lrast::SoftStatus::Code; `where` (2,) gets the view and the vertex or face at
/// fault. Array shapes: see lrast::SoftCoverageArgs.
#define LRAST_SOFT_COVERAGE(name, T)                                                              \
  LRAST_API int name(const T* verts_clip, int64_t num_views, int64_t num_verts,                   \
                     const int32_t* faces, int64_t num_faces, int32_t height, int32_t width,      \
                     LRAST_SOFT_MODEL, int32_t num_threads, T* coverage, T* uncovered,            \
                     T* last_key, int32_t* last_face, int64_t* where)
LRAST_SOFT_COVERAGE(lrast_soft_coverage_f32, float);
LRAST_SOFT_COVERAGE(lrast_soft_coverage_f64, double);

/// Array shapes: see lrast::SoftCoverageBackwardArgs.
#define LRAST_SOFT_COVERAGE_BACKWARD(name, T)                                                     \
  LRAST_API int name(const T* verts_clip, int64_t num_views, int64_t num_verts,                   \
                     const int32_t* faces, int64_t num_faces, int32_t height, int32_t width,      \
                     LRAST_SOFT_MODEL, int32_t num_threads, const T* grad_coverage,               \
                     const T* uncovered, const T* last_key, const int32_t* last_face,             \
                     T* grad_verts_clip, int64_t* where)
LRAST_SOFT_COVERAGE_BACKWARD(lrast_soft_coverage_backward_f32, float);
LRAST_SOFT_COVERAGE_BACKWARD(lrast_soft_coverage_backward_f64, double);
