// csrc/api/antialias_cuda.cpp
#include "antialias_cuda.h"

#include "../kernels/antialias_cuda.h"

int64_t lrast_antialias_cuda_tape_bytes(int64_t num_views, int32_t height, int32_t width,
                                        int64_t capacity) {
  return lrast::antialias_cuda_tape_bytes(num_views, height, width, capacity);
}

int64_t lrast_antialias_cuda_scratch_bytes(int64_t num_views, int64_t num_verts, int64_t num_faces,
                                           int64_t num_edges, int32_t height, int32_t width,
                                           int32_t image_grad, int64_t capacity) {
  lrast::AntialiasCudaArgs<double> args{};
  args.op.topology.num_verts = num_verts;
  args.op.topology.num_faces = num_faces;
  args.op.topology.num_edges = num_edges;
  args.op.num_views = num_views;
  args.op.height = height;
  args.op.width = width;
  args.op.image_grad = image_grad;
  args.capacity = capacity;
  return lrast::antialias_cuda_scratch_bytes(args);
}

namespace {

template <typename T>
int64_t backward_scratch_bytes(int64_t num_views, int64_t num_verts, int32_t height, int32_t width,
                               bool image_grad, bool verts_grad, int64_t capacity) {
  T any;  // only whether a pointer is null matters
  lrast::AntialiasCudaBackwardArgs<T> args{};
  args.op.num_views = num_views;
  args.op.num_verts = num_verts;
  args.op.height = height;
  args.op.width = width;
  args.op.grad_image = image_grad ? &any : nullptr;
  args.op.grad_verts_clip = verts_grad ? &any : nullptr;
  args.capacity = capacity;
  return lrast::antialias_cuda_backward_scratch_bytes(args);
}

}  // namespace

int64_t lrast_antialias_cuda_backward_scratch_bytes(int64_t num_views, int64_t num_verts,
                                                    int32_t height, int32_t width,
                                                    int32_t image_grad, int32_t verts_grad,
                                                    int64_t capacity, int64_t element_size) {
  const auto bytes = element_size == 8 ? backward_scratch_bytes<double> : backward_scratch_bytes<float>;
  return bytes(num_views, num_verts, height, width, image_grad, verts_grad, capacity);
}

#define DEFINE_FORWARD(name, T)                                                               \
  LRAST_ANTIALIAS_CUDA_FORWARD(name, T) {                                                     \
    const lrast::AntialiasArgs<T> op{                                                         \
        {faces, edge_verts, edge_faces, irregular_offsets, irregular_codes, num_verts,        \
         num_faces, num_edges, num_regular},                                                  \
        face_neighbors, image, face_idx, verts_clip, out, num_views, height, width,           \
        num_channels, image_grad, 1, cull, premultiplied, face_ranges};                       \
    return lrast::antialias_cuda_forward(lrast::AntialiasCudaArgs<T>{                         \
        op, capacity, scratch, tape, needed, device, stream});                                \
  }
DEFINE_FORWARD(lrast_antialias_cuda_forward_f32, float)
DEFINE_FORWARD(lrast_antialias_cuda_forward_f64, double)

#define DEFINE_BACKWARD(name, T)                                                              \
  LRAST_ANTIALIAS_CUDA_BACKWARD(name, T) {                                                    \
    const lrast::AntialiasBackwardArgs<T> op{                                                 \
        faces, image, verts_clip, grad_out, nullptr, 0, grad_image, grad_verts_clip,          \
        num_views, num_verts, height, width, num_channels, 1};                                \
    return lrast::antialias_cuda_backward(lrast::AntialiasCudaBackwardArgs<T>{                \
        op, face_neighbors, face_idx, face_ranges, cull, premultiplied, num_faces, capacity,  \
        tape, scratch, device, stream});                                                      \
  }
DEFINE_BACKWARD(lrast_antialias_cuda_backward_f32, float)
DEFINE_BACKWARD(lrast_antialias_cuda_backward_f64, double)
