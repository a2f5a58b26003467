// csrc/api/rasterize.cpp
#include "rasterize.h"

#include "../kernels/rasterize.h"
#include "isa.h"

namespace lrast {
#if LRAST_X86_LEVELS
extern const RasterizeKernels rasterize_kernels_v2, rasterize_kernels_v3, rasterize_kernels_v4;
#endif

namespace {

const RasterizeKernels* kernels() {
  switch (isa()) {
#if LRAST_X86_LEVELS
    case Isa::kV2: return &rasterize_kernels_v2;
    case Isa::kV3: return &rasterize_kernels_v3;
    case Isa::kV4: return &rasterize_kernels_v4;
#else
    case Isa::kPortable: return &rasterize_kernels_portable;
#endif
    default: return nullptr;
  }
}

}  // namespace
}  // namespace lrast

namespace {
template <typename T, typename Forward>
int status_of(const lrast::RasterizeArgs<T>& args, Forward lrast::RasterizeKernels::*member,
              int64_t* where) {
  const lrast::RasterizeKernels* const kernels = lrast::kernels();
  if (!kernels) return lrast::kNoIsaStatus;
  const lrast::RasterizeStatus status = (kernels->*member)(args);
  where[0] = status.view;
  where[1] = status.item;
  return status.code;
}
}  // namespace

#define DEFINE(name, T, member)                                                                 \
  LRAST_RASTERIZE(name, T) {                                                                    \
    return status_of(lrast::RasterizeArgs<T>{verts_clip, faces, face_ranges, face_idx, bary,    \
                                             depth, nullptr, num_views, num_verts, num_faces,   \
                                             height, width, num_layers, cull, shared,           \
                                             num_threads},                                      \
                     &lrast::RasterizeKernels::member, where);                                  \
  }
DEFINE(lrast_rasterize_f32, float, forward_f32)
DEFINE(lrast_rasterize_f64, double, forward_f64)

#define DEFINE_FACES(name, T, member)                                                           \
  LRAST_VISIBLE_FACES(name, T) {                                                                \
    return status_of(lrast::RasterizeArgs<T>{verts_clip, faces, face_ranges, face_idx, nullptr, \
                                             nullptr, coverage, num_views, num_verts,           \
                                             num_faces, height, width, 1, cull, shared,         \
                                             num_threads},                                      \
                     &lrast::RasterizeKernels::member, where);                                  \
  }
DEFINE_FACES(lrast_visible_faces_f32, float, forward_f32)
DEFINE_FACES(lrast_visible_faces_f64, double, forward_f64)

#define DEFINE_BACKWARD(name, T, member)                                                        \
  LRAST_RASTERIZE_BACKWARD(name, T) {                                                           \
    const lrast::RasterizeKernels* kernels = lrast::kernels();                                  \
    if (!kernels) return lrast::kNoIsaStatus;                                                   \
    return kernels->member(lrast::RasterizeBackwardArgs<T>{                                     \
        verts_clip, faces, face_idx, grad_bary, grad_depth, grad_verts_clip, num_views,         \
        num_verts, height, width, num_layers, shared, num_threads});                            \
  }
DEFINE_BACKWARD(lrast_rasterize_backward_f32, float, backward_f32)
DEFINE_BACKWARD(lrast_rasterize_backward_f64, double, backward_f64)
