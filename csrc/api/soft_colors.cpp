// csrc/api/soft_colors.cpp
#include "soft_colors.h"

#include "../kernels/soft_colors.h"
#include "isa.h"

namespace lrast {
#if LRAST_X86_LEVELS
extern const SoftColorsKernels soft_colors_kernels_v2, soft_colors_kernels_v3,
    soft_colors_kernels_v4;
#endif

namespace {

const SoftColorsKernels* kernels() {
  switch (isa()) {
#if LRAST_X86_LEVELS
    case Isa::kV2: return &soft_colors_kernels_v2;
    case Isa::kV3: return &soft_colors_kernels_v3;
    case Isa::kV4: return &soft_colors_kernels_v4;
#else
    case Isa::kPortable: return &soft_colors_kernels_portable;
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
#define COLOR_MODEL                                                                           \
  {{slope_orthographic, slope_perspective},                                                   \
   {offset_orthographic, offset_perspective}, background, num_channels}

#define DEFINE_FORWARD(name, T, member)                                                       \
  LRAST_SOFT_COLORS(name, T) {                                                                \
    const lrast::SoftColorsKernels* kernels = lrast::kernels();                               \
    if (!kernels) return lrast::kNoIsaStatus;                                                 \
    const lrast::SoftColorsArgs<T> args{                                                      \
        verts_clip, faces, colors, MODEL, COLOR_MODEL, num_views, num_verts, num_faces,       \
        height, width, num_threads, image, coverage, uncovered, largest, total};              \
    return lrast::run(kernels->member, args, where);                                          \
  }
DEFINE_FORWARD(lrast_soft_colors_f32, float, forward_f32)
DEFINE_FORWARD(lrast_soft_colors_f64, double, forward_f64)

#define DEFINE_BACKWARD(name, T, member)                                                      \
  LRAST_SOFT_COLORS_BACKWARD(name, T) {                                                       \
    const lrast::SoftColorsKernels* kernels = lrast::kernels();                               \
    if (!kernels) return lrast::kNoIsaStatus;                                                 \
    const lrast::SoftColorsBackwardArgs<T> args{                                              \
        verts_clip, faces, colors, MODEL, COLOR_MODEL, num_views, num_verts, num_faces,       \
        height, width, num_threads, grad_image, grad_coverage, image, uncovered, largest,     \
        total, grad_verts_clip, grad_colors};                                                 \
    return lrast::run(kernels->member, args, where);                                          \
  }
DEFINE_BACKWARD(lrast_soft_colors_backward_f32, float, backward_f32)
DEFINE_BACKWARD(lrast_soft_colors_backward_f64, double, backward_f64)
