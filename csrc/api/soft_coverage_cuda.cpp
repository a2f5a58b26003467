// csrc/api/soft_coverage_cuda.cpp
#include "soft_coverage_cuda.h"

#include "../kernels/soft_coverage_cuda.h"

namespace {

template <typename Args>
int64_t scratch_bytes(int64_t num_views, int64_t num_verts, int64_t num_faces, int32_t height,
                      int32_t width) {
  Args args{};
  args.num_views = num_views;
  args.num_verts = num_verts;
  args.num_faces = num_faces;
  args.height = height;
  args.width = width;
  return lrast::soft_coverage_cuda_scratch_bytes(args);
}

}  // namespace

int64_t lrast_soft_coverage_cuda_scratch_bytes(int64_t num_views, int64_t num_verts,
                                               int64_t num_faces, int32_t height, int32_t width,
                                               int32_t backward) {
  return backward ? scratch_bytes<lrast::SoftCoverageBackwardArgs<float>>(
                        num_views, num_verts, num_faces, height, width)
                  : scratch_bytes<lrast::SoftCoverageArgs<float>>(num_views, num_verts, num_faces,
                                                                  height, width);
}

#define MODEL                                                                                 \
  {scale_x, scale_y, reach, fade, min_area, linear, faces_per_pixel}

#define DEFINE(name, T)                                                                       \
  LRAST_SOFT_COVERAGE_CUDA(name, T) {                                                         \
    const lrast::SoftCoverageArgs<T> args{verts_clip, faces,     MODEL,  num_views,           \
                                          num_verts,  num_faces, height, width,               \
                                          1,          coverage,  uncovered,                   \
                                          {last_key, last_face}};                             \
    return lrast::soft_coverage_cuda(args, scratch, device, stream);                          \
  }
DEFINE(lrast_soft_coverage_cuda_f32, float)
DEFINE(lrast_soft_coverage_cuda_f64, double)

#define DEFINE_BACKWARD(name, T)                                                              \
  LRAST_SOFT_COVERAGE_CUDA_BACKWARD(name, T) {                                                \
    const lrast::SoftCoverageBackwardArgs<T> args{verts_clip, faces,         MODEL,     num_views, \
                                                  num_verts,  num_faces,     height,    width, \
                                                  1,          grad_coverage, uncovered,       \
                                                  {last_key, last_face}, grad_verts_clip};    \
    return lrast::soft_coverage_cuda(args, scratch, device, stream);                          \
  }
DEFINE_BACKWARD(lrast_soft_coverage_cuda_backward_f32, float)
DEFINE_BACKWARD(lrast_soft_coverage_cuda_backward_f64, double)
