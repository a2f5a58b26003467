// csrc/api/rasterize_cuda.cpp
#include "rasterize_cuda.h"

#include "../kernels/rasterize_cuda.h"

int64_t lrast_rasterize_cuda_scratch_bytes(int64_t num_views, int64_t num_faces, int32_t height,
                                           int32_t width, int32_t num_layers) {
  lrast::RasterizeArgs<float> args{};
  args.num_views = num_views;
  args.num_faces = num_faces;
  args.height = height;
  args.width = width;
  args.num_layers = num_layers;
  return lrast::rasterize_cuda_scratch_bytes(args);
}

namespace {

template <typename T>
int64_t backward_scratch_bytes(int64_t num_views, int64_t num_verts, int32_t shared) {
  lrast::RasterizeBackwardArgs<T> args{};
  args.num_views = num_views;
  args.num_verts = num_verts;
  args.shared = shared;
  return lrast::rasterize_cuda_scratch_bytes(args);
}

}  // namespace

int64_t lrast_rasterize_cuda_backward_scratch_bytes(int64_t num_views, int64_t num_verts,
                                                    int32_t shared, int64_t element_size) {
  return element_size == 8 ? backward_scratch_bytes<double>(num_views, num_verts, shared)
                           : backward_scratch_bytes<float>(num_views, num_verts, shared);
}

#define DEFINE(name, T)                                                                       \
  LRAST_RASTERIZE_CUDA(name, T) {                                                             \
    const lrast::RasterizeArgs<T> args{verts_clip, faces,     face_ranges, face_idx,          \
                                       bary,       depth,     nullptr,     num_views,         \
                                       num_verts,  num_faces, height,      width,             \
                                       num_layers, cull,      shared,      1};                \
    return lrast::rasterize_cuda(args, scratch, device, stream);                              \
  }
DEFINE(lrast_rasterize_cuda_f32, float)
DEFINE(lrast_rasterize_cuda_f64, double)

#define DEFINE_FACES(name, T)                                                                 \
  LRAST_VISIBLE_FACES_CUDA(name, T) {                                                         \
    const lrast::RasterizeArgs<T> args{verts_clip, faces,     face_ranges, face_idx,          \
                                       nullptr,    nullptr,   coverage,    num_views,         \
                                       num_verts,  num_faces, height,      width,             \
                                       1,          cull,      shared,      1};                \
    return lrast::rasterize_cuda(args, scratch, device, stream);                              \
  }
DEFINE_FACES(lrast_visible_faces_cuda_f32, float)
DEFINE_FACES(lrast_visible_faces_cuda_f64, double)

#define DEFINE_BACKWARD(name, T)                                                              \
  LRAST_RASTERIZE_CUDA_BACKWARD(name, T) {                                                    \
    const lrast::RasterizeBackwardArgs<T> args{verts_clip, faces,      face_idx,              \
                                               grad_bary,  grad_depth, grad_verts_clip,       \
                                               num_views,  num_verts,  height,                \
                                               width,      num_layers, shared,  1};           \
    return lrast::rasterize_cuda(args, scratch, device, stream);                              \
  }
DEFINE_BACKWARD(lrast_rasterize_cuda_backward_f32, float)
DEFINE_BACKWARD(lrast_rasterize_cuda_backward_f64, double)
