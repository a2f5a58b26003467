// csrc/api/soft_colors.h: the C ABI of ops/soft_colors.py.
#pragma once
#include "soft_coverage.h"

/// What lrast::SoftColorModel holds, in its order.
#define LRAST_SOFT_COLOR_MODEL                                                                    \
  double slope_orthographic, double slope_perspective, double offset_orthographic,                \
      double offset_perspective, double background, int32_t num_channels

/// Status codes are lrast::SoftStatus::Code; `where` (2,) gets the view and the vertex or face at
/// fault. Array shapes: see lrast::SoftColorsArgs.
#define LRAST_SOFT_COLORS(name, T)                                                                \
  LRAST_API int name(const T* verts_clip, int64_t num_views, int64_t num_verts,                   \
                     const int32_t* faces, int64_t num_faces, int32_t height, int32_t width,      \
                     LRAST_SOFT_MODEL, int32_t num_threads, const T* colors,                      \
                     LRAST_SOFT_COLOR_MODEL, T* image, T* coverage, T* uncovered, T* largest,     \
                     T* total, int64_t* where)
LRAST_SOFT_COLORS(lrast_soft_colors_f32, float);
LRAST_SOFT_COLORS(lrast_soft_colors_f64, double);

/// Array shapes: see lrast::SoftColorsBackwardArgs. grad_colors must be zero on entry.
#define LRAST_SOFT_COLORS_BACKWARD(name, T)                                                       \
  LRAST_API int name(const T* verts_clip, int64_t num_views, int64_t num_verts,                   \
                     const int32_t* faces, int64_t num_faces, int32_t height, int32_t width,      \
                     LRAST_SOFT_MODEL, int32_t num_threads, const T* colors,                      \
                     LRAST_SOFT_COLOR_MODEL, const T* grad_image, const T* grad_coverage,         \
                     const T* image, const T* uncovered, const T* largest, const T* total,        \
                     T* grad_verts_clip, double* grad_colors, int64_t* where)
LRAST_SOFT_COLORS_BACKWARD(lrast_soft_colors_backward_f32, float);
LRAST_SOFT_COLORS_BACKWARD(lrast_soft_colors_backward_f64, double);
