// csrc/api/soft_coverage_cuda.h: the C ABI of ops/soft_coverage_cuda.py.
#pragma once
#include "lrast_cuda.h"

/// What lrast::SoftModel holds, in its order.
#define LRAST_SOFT_CUDA_MODEL                                                                     \
  double scale_x, double scale_y, double reach, double fade, double min_area, int32_t linear,     \
      int32_t faces_per_pixel

/// Bytes of scratch that a call needs; backward: 1 for a backward call, else 0.
LRAST_API int64_t lrast_soft_coverage_cuda_scratch_bytes(int64_t num_views, int64_t num_verts,
                                                         int64_t num_faces, int32_t height,
                                                         int32_t width, int32_t backward);

/// Launches on `stream` and returns. Arrays: see lrast::SoftCoverageArgs.
#define LRAST_SOFT_COVERAGE_CUDA(name, T)                                                         \
  LRAST_API int name(const T* verts_clip, int64_t num_views, int64_t num_verts,                   \
                     const int32_t* faces, int64_t num_faces, int32_t height, int32_t width,      \
                     LRAST_SOFT_CUDA_MODEL, T* coverage, T* uncovered, T* last_key,               \
                     int32_t* last_face, uint8_t* scratch, int32_t device, void* stream)
LRAST_SOFT_COVERAGE_CUDA(lrast_soft_coverage_cuda_f32, float);
LRAST_SOFT_COVERAGE_CUDA(lrast_soft_coverage_cuda_f64, double);

/// Launches on `stream` and returns. Arrays: see lrast::SoftCoverageBackwardArgs.
#define LRAST_SOFT_COVERAGE_CUDA_BACKWARD(name, T)                                                \
  LRAST_API int name(const T* verts_clip, int64_t num_views, int64_t num_verts,                   \
                     const int32_t* faces, int64_t num_faces, int32_t height, int32_t width,      \
                     LRAST_SOFT_CUDA_MODEL, const T* grad_coverage, const T* uncovered,           \
                     const T* last_key, const int32_t* last_face, T* grad_verts_clip,             \
                     uint8_t* scratch, int32_t device, void* stream)
LRAST_SOFT_COVERAGE_CUDA_BACKWARD(lrast_soft_coverage_cuda_backward_f32, float);
LRAST_SOFT_COVERAGE_CUDA_BACKWARD(lrast_soft_coverage_cuda_backward_f64, double);
