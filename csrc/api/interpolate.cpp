// csrc/api/interpolate.cpp
#include "interpolate.h"

#include "../kernels/interpolate.h"
#include "isa.h"

namespace lrast {
#if LRAST_X86_LEVELS
extern const InterpolateKernels interpolate_kernels_v2, interpolate_kernels_v3,
    interpolate_kernels_v4;
#endif

namespace {

const InterpolateKernels* kernels() {
  switch (isa()) {
#if LRAST_X86_LEVELS
    case Isa::kV2: return &interpolate_kernels_v2;
    case Isa::kV3: return &interpolate_kernels_v3;
    case Isa::kV4: return &interpolate_kernels_v4;
#else
    case Isa::kPortable: return &interpolate_kernels_portable;
#endif
    default: return nullptr;
  }
}

template <typename Args>
int run(InterpolateStatus (*InterpolateKernels::*kernel)(const Args&), const Args& args,
        int64_t* where) {
  const InterpolateKernels* const available = kernels();
  if (!available) return kNoIsaStatus;
  const InterpolateStatus status = (available->*kernel)(args);
  *where = status.pixel;
  return status.code;
}

}  // namespace
}  // namespace lrast

#define LAYOUT                                                                                \
  {faces, face_idx, num_views, num_pixels, num_faces, num_rows, num_channels, shared}

#define DEFINE(name, T, member)                                                               \
  LRAST_INTERPOLATE(name, T) {                                                                \
    const lrast::InterpolateArgs<T> args{LAYOUT, attrs, bary, out, num_threads};              \
    return lrast::run(&lrast::InterpolateKernels::member, args, where);                       \
  }
DEFINE(lrast_interpolate_f32, float, forward_f32)
DEFINE(lrast_interpolate_f64, double, forward_f64)

#define DEFINE_BARY_VJP(name, T, member)                                                      \
  LRAST_INTERPOLATE_BARY_VJP(name, T) {                                                       \
    const lrast::InterpolateBaryVjpArgs<T> args{LAYOUT, grad, attrs, grad_bary, num_threads}; \
    return lrast::run(&lrast::InterpolateKernels::member, args, where);                       \
  }
DEFINE_BARY_VJP(lrast_interpolate_bary_vjp_f32, float, bary_vjp_f32)
DEFINE_BARY_VJP(lrast_interpolate_bary_vjp_f64, double, bary_vjp_f64)

#define DEFINE_ATTRS_VJP(name, T, member)                                                     \
  LRAST_INTERPOLATE_ATTRS_VJP(name, T) {                                                      \
    const lrast::InterpolateAttrsVjpArgs<T> args{LAYOUT, grad, bary, grad_attrs, num_threads};\
    return lrast::run(&lrast::InterpolateKernels::member, args, where);                       \
  }
DEFINE_ATTRS_VJP(lrast_interpolate_attrs_vjp_f32, float, attrs_vjp_f32)
DEFINE_ATTRS_VJP(lrast_interpolate_attrs_vjp_f64, double, attrs_vjp_f64)
