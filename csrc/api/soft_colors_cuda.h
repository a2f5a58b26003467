// csrc/api/soft_colors_cuda.h: the C ABI of ops/soft_colors_cuda.py.
#pragma once
#include "soft_coverage_cuda.h"

/// What lrast::SoftColorModel holds, in its order.
#define LRAST_SOFT_CUDA_COLOR_MODEL                                                               \
  double slope_orthographic, double slope_perspective, double offset_orthographic,                \
      double offset_perspective, double background, int32_t num_channels

/// Bytes of scratch that a call needs; backward: 1 for a backward call, else 0.
LRAST_API int64_t lrast_soft_colors_cuda_scratch_bytes(int64_t num_views, int64_t num_verts,
                                                       int64_t num_faces, int32_t height,
                                                       int32_t width, int32_t num_channels,
                                                       int32_t backward);

/// Launches on `stream` and returns. Arrays: see lrast::SoftColorsArgs.
#define LRAST_SOFT_COLORS_CUDA(name, T)                                                           \
  LRAST_API int name(const T* verts_clip, int64_t num_views, int64_t num_verts,                   \
                     const int32_t* faces, int64_t num_faces, int32_t height, int32_t width,      \
                     LRAST_SOFT_CUDA_MODEL, const T* colors, LRAST_SOFT_CUDA_COLOR_MODEL,         \
                     T* image, T* coverage, T* uncovered, T* largest, T* total,                   \
                     uint8_t* scratch, int32_t device, void* stream)
LRAST_SOFT_COLORS_CUDA(lrast_soft_colors_cuda_f32, float);
LRAST_SOFT_COLORS_CUDA(lrast_soft_colors_cuda_f64, double);

/// Launches on `stream` and returns. Arrays: see lrast::SoftColorsBackwardArgs.
#define LRAST_SOFT_COLORS_CUDA_BACKWARD(name, T)                                                  \
  LRAST_API int name(const T* verts_clip, int64_t num_views, int64_t num_verts,                   \
                     const int32_t* faces, int64_t num_faces, int32_t height, int32_t width,      \
                     LRAST_SOFT_CUDA_MODEL, const T* colors, LRAST_SOFT_CUDA_COLOR_MODEL,         \
                     const T* grad_image, const T* grad_coverage, const T* image,                 \
                     const T* uncovered, const T* largest, const T* total, T* grad_verts_clip,    \
                     double* grad_colors, uint8_t* scratch, int32_t device, void* stream)
LRAST_SOFT_COLORS_CUDA_BACKWARD(lrast_soft_colors_cuda_backward_f32, float);
LRAST_SOFT_COLORS_CUDA_BACKWARD(lrast_soft_colors_cuda_backward_f64, double);
