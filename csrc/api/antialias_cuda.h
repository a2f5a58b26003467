// csrc/api/antialias_cuda.h: the C ABI of ops/antialias_cuda.py.
#pragma once
#include "lrast_cuda.h"

/// Bytes of tape for a capacity.
LRAST_API int64_t lrast_antialias_cuda_tape_bytes(int64_t num_views, int32_t height, int32_t width,
                                                  int64_t capacity);

/// Bytes of scratch that a forward call needs, and a backward call.
LRAST_API int64_t lrast_antialias_cuda_scratch_bytes(int64_t num_views, int64_t num_verts,
                                                     int64_t num_faces, int64_t num_edges,
                                                     int32_t height, int32_t width,
                                                     int32_t image_grad, int64_t capacity);
LRAST_API int64_t lrast_antialias_cuda_backward_scratch_bytes(
    int64_t num_views, int64_t num_verts, int32_t height, int32_t width, int32_t image_grad,
    int32_t verts_grad, int64_t capacity, int64_t element_size);

/// Launches on `stream` and returns. Arrays: see lrast::AntialiasCudaArgs; face_ranges may be null.
#define LRAST_ANTIALIAS_CUDA_FORWARD(name, T)                                                     \
  LRAST_API int name(const T* image, const int32_t* face_idx, const T* verts_clip,                \
                     int64_t num_views, int64_t num_verts, int32_t height, int32_t width,         \
                     int32_t num_channels, const int32_t* faces, int64_t num_faces,               \
                     const int32_t* edge_verts, int64_t num_edges, const int32_t* edge_faces,     \
                     int64_t num_regular, const int32_t* irregular_offsets,                       \
                     const int32_t* irregular_codes, const int32_t* face_neighbors,               \
                     const int64_t* face_ranges, int32_t cull, int32_t premultiplied,             \
                     int32_t image_grad, T* out, int64_t capacity, uint8_t* scratch,              \
                     uint8_t* tape, int64_t* needed, int32_t device, void* stream)
LRAST_ANTIALIAS_CUDA_FORWARD(lrast_antialias_cuda_forward_f32, float);
LRAST_ANTIALIAS_CUDA_FORWARD(lrast_antialias_cuda_forward_f64, double);

/// Launches on `stream` and returns. Arrays: see lrast::AntialiasCudaBackwardArgs. A gradient that
/// is null is not computed.
#define LRAST_ANTIALIAS_CUDA_BACKWARD(name, T)                                                    \
  LRAST_API int name(const T* grad_out, const T* image, const int32_t* face_idx,                  \
                     const T* verts_clip, int64_t num_views, int64_t num_verts, int32_t height,   \
                     int32_t width, int32_t num_channels, const int32_t* faces,                   \
                     int64_t num_faces, const int32_t* face_neighbors,                            \
                     const int64_t* face_ranges, int32_t cull, int32_t premultiplied,             \
                     int64_t capacity, const uint8_t* tape, uint8_t* scratch, T* grad_image,      \
                     T* grad_verts_clip, int32_t device, void* stream)
LRAST_ANTIALIAS_CUDA_BACKWARD(lrast_antialias_cuda_backward_f32, float);
LRAST_ANTIALIAS_CUDA_BACKWARD(lrast_antialias_cuda_backward_f64, double);
