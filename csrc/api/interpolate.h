// csrc/api/interpolate.h: the C ABI of ops/interpolate.py.
#pragma once
#include "lrast.h"

/// Array shapes: see lrast::InterpolateLayout and what follows it. Status codes are
/// lrast::InterpolateStatus::Code; `where` (1,) gets the pixel at fault. num_pixels is per view,
/// num_rows 3 * num_faces where faces is null; `shared`: 1 if all views have the same attributes.
#define LRAST_INTERPOLATE_LAYOUT                                                                  \
  const int32_t *faces, const int32_t *face_idx, int64_t num_views, int64_t num_pixels,           \
      int64_t num_faces, int64_t num_rows, int32_t num_channels, int32_t shared

#define LRAST_INTERPOLATE(name, T)                                                                \
  LRAST_API int name(LRAST_INTERPOLATE_LAYOUT, const T* attrs, const T* bary, T* out,             \
                     int32_t num_threads, int64_t* where)
LRAST_INTERPOLATE(lrast_interpolate_f32, float);
LRAST_INTERPOLATE(lrast_interpolate_f64, double);

#define LRAST_INTERPOLATE_BARY_VJP(name, T)                                                       \
  LRAST_API int name(LRAST_INTERPOLATE_LAYOUT, const T* grad, const T* attrs, T* grad_bary,       \
                     int32_t num_threads, int64_t* where)
LRAST_INTERPOLATE_BARY_VJP(lrast_interpolate_bary_vjp_f32, float);
LRAST_INTERPOLATE_BARY_VJP(lrast_interpolate_bary_vjp_f64, double);

#define LRAST_INTERPOLATE_ATTRS_VJP(name, T)                                                      \
  LRAST_API int name(LRAST_INTERPOLATE_LAYOUT, const T* grad, const T* bary, T* grad_attrs,       \
                     int32_t num_threads, int64_t* where)
LRAST_INTERPOLATE_ATTRS_VJP(lrast_interpolate_attrs_vjp_f32, float);
LRAST_INTERPOLATE_ATTRS_VJP(lrast_interpolate_attrs_vjp_f64, double);
