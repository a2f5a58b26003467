// csrc/api/interpolate_cuda.h: the C ABI of ops/interpolate_cuda.py.
#pragma once
#include "lrast_cuda.h"

/// Launch on `stream` and return. Arrays: see lrast::InterpolateLayout and what follows it.
#define LRAST_INTERPOLATE_CUDA_LAYOUT                                                             \
  const int32_t *faces, const int32_t *face_idx, int64_t num_views, int64_t num_pixels,           \
      int64_t num_faces, int64_t num_rows, int32_t num_channels, int32_t shared

#define LRAST_INTERPOLATE_CUDA(name, T)                                                           \
  LRAST_API int name(LRAST_INTERPOLATE_CUDA_LAYOUT, const T* attrs, const T* bary, T* out,        \
                     int32_t device, void* stream)
LRAST_INTERPOLATE_CUDA(lrast_interpolate_cuda_f32, float);
LRAST_INTERPOLATE_CUDA(lrast_interpolate_cuda_f64, double);

#define LRAST_INTERPOLATE_CUDA_BARY_VJP(name, T)                                                  \
  LRAST_API int name(LRAST_INTERPOLATE_CUDA_LAYOUT, const T* grad, const T* attrs, T* grad_bary,  \
                     int32_t device, void* stream)
LRAST_INTERPOLATE_CUDA_BARY_VJP(lrast_interpolate_cuda_bary_vjp_f32, float);
LRAST_INTERPOLATE_CUDA_BARY_VJP(lrast_interpolate_cuda_bary_vjp_f64, double);

/// scratch: lrast_interpolate_cuda_scratch_bytes().
#define LRAST_INTERPOLATE_CUDA_ATTRS_VJP(name, T)                                                 \
  LRAST_API int name(LRAST_INTERPOLATE_CUDA_LAYOUT, const T* grad, const T* bary, T* grad_attrs,  \
                     uint8_t* scratch, int32_t device, void* stream)
LRAST_INTERPOLATE_CUDA_ATTRS_VJP(lrast_interpolate_cuda_attrs_vjp_f32, float);
LRAST_INTERPOLATE_CUDA_ATTRS_VJP(lrast_interpolate_cuda_attrs_vjp_f64, double);

/// For as many attributes as are summed, all views together if not shared; element_size is 4 or 8.
LRAST_API int64_t lrast_interpolate_cuda_scratch_bytes(int64_t num_attributes,
                                                       int64_t element_size);
