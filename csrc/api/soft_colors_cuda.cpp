// csrc/api/soft_colors_cuda.cpp
#include "soft_colors_cuda.h"

#include "../kernels/soft_colors_cuda.h"

namespace {

template <typename Args>
int64_t scratch_bytes(int64_t num_views, int64_t num_verts, int64_t num_faces, int32_t height,
                      int32_t width, int32_t num_channels) {
  Args args{};
  args.num_views = num_views;
  args.num_verts = num_verts;
  args.num_faces = num_faces;
  args.height = height;
  args.width = width;
  args.color_model.num_channels = num_channels;
  return lrast::soft_colors_cuda_scratch_bytes(args);
}

}  // namespace

int64_t lrast_soft_colors_cuda_scratch_bytes(int64_t num_views, int64_t num_verts,
                                             int64_t num_faces, int32_t height, int32_t width,
                                             int32_t num_channels, int32_t backward) {
  const auto bytes = backward ? scratch_bytes<lrast::SoftColorsBackwardArgs<float>>
                              : scratch_bytes<lrast::SoftColorsArgs<float>>;
  return bytes(num_views, num_verts, num_faces, height, width, num_channels);
}

#define MODEL                                                                                 \
  {scale_x, scale_y, reach, fade, min_area, linear, faces_per_pixel}
#define COLOR_MODEL                                                                           \
  {{slope_orthographic, slope_perspective}, {offset_orthographic, offset_perspective},        \
   background, num_channels}

#define DEFINE(name, T)                                                                       \
  LRAST_SOFT_COLORS_CUDA(name, T) {                                                           \
    const lrast::SoftColorsArgs<T> args{                                                      \
        verts_clip, faces,  colors, MODEL, COLOR_MODEL, num_views, num_verts, num_faces,      \
        height,     width,  1,      image, coverage,    uncovered, largest,   total};         \
    return lrast::soft_colors_cuda(args, scratch, device, stream);                            \
  }
DEFINE(lrast_soft_colors_cuda_f32, float)
DEFINE(lrast_soft_colors_cuda_f64, double)

#define DEFINE_BACKWARD(name, T)                                                              \
  LRAST_SOFT_COLORS_CUDA_BACKWARD(name, T) {                                                  \
    const lrast::SoftColorsBackwardArgs<T> args{                                              \
        verts_clip, faces,  colors, MODEL,      COLOR_MODEL,   num_views, num_verts,          \
        num_faces,  height, width,  1,          grad_image,    grad_coverage, image,          \
        uncovered,  largest, total, grad_verts_clip, grad_colors};                            \
    return lrast::soft_colors_cuda(args, scratch, device, stream);                            \
  }
DEFINE_BACKWARD(lrast_soft_colors_cuda_backward_f32, float)
DEFINE_BACKWARD(lrast_soft_colors_cuda_backward_f64, double)
