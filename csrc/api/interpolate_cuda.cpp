// csrc/api/interpolate_cuda.cpp
#include "interpolate_cuda.h"

#include "../kernels/interpolate_cuda.h"

int64_t lrast_interpolate_cuda_scratch_bytes(int64_t num_attributes, int64_t element_size) {
  return element_size == 8 ? lrast::interpolate_cuda_scratch_bytes<double>(num_attributes)
                           : lrast::interpolate_cuda_scratch_bytes<float>(num_attributes);
}

#define LAYOUT                                                                                \
  {faces, face_idx, num_views, num_pixels, num_faces, num_rows, num_channels, shared}

#define DEFINE(name, T)                                                                       \
  LRAST_INTERPOLATE_CUDA(name, T) {                                                           \
    const lrast::InterpolateArgs<T> args{LAYOUT, attrs, bary, out, 1};                        \
    return lrast::interpolate_cuda(args, device, stream);                                     \
  }
DEFINE(lrast_interpolate_cuda_f32, float)
DEFINE(lrast_interpolate_cuda_f64, double)

#define DEFINE_BARY_VJP(name, T)                                                              \
  LRAST_INTERPOLATE_CUDA_BARY_VJP(name, T) {                                                  \
    const lrast::InterpolateBaryVjpArgs<T> args{LAYOUT, grad, attrs, grad_bary, 1};           \
    return lrast::interpolate_cuda(args, device, stream);                                     \
  }
DEFINE_BARY_VJP(lrast_interpolate_cuda_bary_vjp_f32, float)
DEFINE_BARY_VJP(lrast_interpolate_cuda_bary_vjp_f64, double)

#define DEFINE_ATTRS_VJP(name, T)                                                             \
  LRAST_INTERPOLATE_CUDA_ATTRS_VJP(name, T) {                                                 \
    const lrast::InterpolateAttrsVjpArgs<T> args{LAYOUT, grad, bary, grad_attrs, 1};          \
    return lrast::interpolate_cuda(args, scratch, device, stream);                            \
  }
DEFINE_ATTRS_VJP(lrast_interpolate_cuda_attrs_vjp_f32, float)
DEFINE_ATTRS_VJP(lrast_interpolate_cuda_attrs_vjp_f64, double)
