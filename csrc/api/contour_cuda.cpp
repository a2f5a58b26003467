// csrc/api/contour_cuda.cpp
#include "../kernels/contour_cuda.h"

#include "lrast_cuda.h"

const char* lrast_cuda_error_text(int status) { return lrast::cuda_error_text(status); }

int64_t lrast_contour_cuda_tape_bytes(int64_t capacity, int64_t element_size) {
  return element_size == 8 ? lrast::contour_cuda_tape_bytes<double>(capacity)
                           : lrast::contour_cuda_tape_bytes<float>(capacity);
}

int64_t lrast_contour_cuda_scratch_bytes(int64_t num_views, int64_t num_verts, int64_t num_faces,
                                         int64_t num_edges, int32_t height, int32_t width,
                                         int64_t capacity) {
  lrast::ContourCudaArgs<float> args{};
  args.topology.num_verts = num_verts;
  args.topology.num_faces = num_faces;
  args.topology.num_edges = num_edges;
  args.num_views = num_views;
  args.height = height;
  args.width = width;
  args.capacity = capacity;
  return lrast::contour_cuda_scratch_bytes(args);
}

namespace {

template <typename T>
int64_t backward_scratch_bytes(int64_t num_views, int64_t num_verts, int64_t capacity) {
  lrast::ContourCudaBackwardArgs<T> args{};
  args.num_views = num_views;
  args.num_verts = num_verts;
  args.capacity = capacity;
  return lrast::contour_cuda_backward_scratch_bytes(args);
}

}  // namespace

int64_t lrast_contour_cuda_backward_scratch_bytes(int64_t num_views, int64_t num_verts,
                                                  int64_t capacity, int64_t element_size) {
  return element_size == 8 ? backward_scratch_bytes<double>(num_views, num_verts, capacity)
                           : backward_scratch_bytes<float>(num_views, num_verts, capacity);
}

#define DEFINE_FORWARD(name, T)                                                               \
  LRAST_CONTOUR_CUDA_FORWARD(name, T) {                                                       \
    const lrast::ContourCudaArgs<T> args{                                                     \
        {faces, edge_verts, edge_faces, irregular_offsets, irregular_codes, num_verts,        \
         num_faces, num_edges, num_regular},                                                  \
        verts_clip, coverage, num_views, height, width, capacity, scratch, tape, needed,      \
        device, stream};                                                                      \
    return lrast::contour_cuda_forward(args);                                                 \
  }
DEFINE_FORWARD(lrast_contour_cuda_forward_f32, float)
DEFINE_FORWARD(lrast_contour_cuda_forward_f64, double)

#define DEFINE_BACKWARD(name, T)                                                              \
  LRAST_CONTOUR_CUDA_BACKWARD(name, T) {                                                      \
    const lrast::ContourCudaBackwardArgs<T> args{verts_clip, grad_coverage, tape,             \
                                                 grad_verts_clip, num_views, num_verts,       \
                                                 height, width, capacity, scratch, device,    \
                                                 stream};                                     \
    return lrast::contour_cuda_backward(args);                                                \
  }
DEFINE_BACKWARD(lrast_contour_cuda_backward_f32, float)
DEFINE_BACKWARD(lrast_contour_cuda_backward_f64, double)

int lrast_abi() { return kLrastAbi; }
