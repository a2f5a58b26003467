// csrc/api/lrast_cuda.h: the C ABI of the CUDA library.  Sizes and pointers in, a status out.
#pragma once
#include "lrast.h"

/// Text for a status that a call returned; statuses are those of CUDA, 0 for success.
LRAST_API const char* lrast_cuda_error_text(int status);

/// Bytes of tape for a capacity; element_size is 4 or 8.
LRAST_API int64_t lrast_contour_cuda_tape_bytes(int64_t capacity, int64_t element_size);

/// Bytes of scratch that a forward call needs, and a backward call.
LRAST_API int64_t lrast_contour_cuda_scratch_bytes(int64_t num_views, int64_t num_verts,
                                                   int64_t num_faces, int64_t num_edges,
                                                   int32_t height, int32_t width,
                                                   int64_t capacity);
LRAST_API int64_t lrast_contour_cuda_backward_scratch_bytes(int64_t num_views, int64_t num_verts,
                                                            int64_t capacity,
                                                            int64_t element_size);

/// Launches on `stream` and returns. Arrays: see lrast::ContourCudaArgs.
#define LRAST_CONTOUR_CUDA_FORWARD(name, T)                                                       \
  LRAST_API int name(const T* verts_clip, int64_t num_views, int64_t num_verts,                   \
                     const int32_t* faces, int64_t num_faces, const int32_t* edge_verts,          \
                     int64_t num_edges, const int32_t* edge_faces, int64_t num_regular,           \
                     const int32_t* irregular_offsets, const int32_t* irregular_codes,            \
                     T* coverage, int32_t height, int32_t width, int64_t capacity,                \
                     uint8_t* scratch, uint8_t* tape, int64_t* needed, int32_t device,            \
                     void* stream)
LRAST_CONTOUR_CUDA_FORWARD(lrast_contour_cuda_forward_f32, float);
LRAST_CONTOUR_CUDA_FORWARD(lrast_contour_cuda_forward_f64, double);

/// Launches on `stream` and returns. Arrays: see lrast::ContourCudaBackwardArgs.
#define LRAST_CONTOUR_CUDA_BACKWARD(name, T)                                                      \
  LRAST_API int name(const T* verts_clip, int64_t num_views, int64_t num_verts,                   \
                     const T* grad_coverage, int32_t height, int32_t width, int64_t capacity,     \
                     const uint8_t* tape, uint8_t* scratch, T* grad_verts_clip, int32_t device,   \
                     void* stream)
LRAST_CONTOUR_CUDA_BACKWARD(lrast_contour_cuda_backward_f32, float);
LRAST_CONTOUR_CUDA_BACKWARD(lrast_contour_cuda_backward_f64, double);

/// Launch on `stream` and return. Arrays: see lrast::TransformArgs and its neighbours.
#define LRAST_TRANSFORM_CUDA(name, T)                                                             \
  LRAST_API int name(const T* points, const double* matrices, int64_t num_views,                  \
                     int64_t num_verts, int32_t shared, T* out, int32_t device, void* stream)
LRAST_TRANSFORM_CUDA(lrast_transform_cuda_f32, float);
LRAST_TRANSFORM_CUDA(lrast_transform_cuda_f64, double);

#define LRAST_TRANSFORM_CUDA_POINTS_VJP(name, T)                                                  \
  LRAST_API int name(const T* grad, const double* matrices, int64_t num_views,                    \
                     int64_t num_verts, int32_t shared, T* grad_points, int32_t device,           \
                     void* stream)
LRAST_TRANSFORM_CUDA_POINTS_VJP(lrast_transform_cuda_points_vjp_f32, float);
LRAST_TRANSFORM_CUDA_POINTS_VJP(lrast_transform_cuda_points_vjp_f64, double);

#define LRAST_TRANSFORM_CUDA_MATRICES_VJP(name, T)                                                \
  LRAST_API int name(const T* grad, const T* points, int64_t num_views, int64_t num_verts,        \
                     int32_t shared, double* partial, double* grad_matrices, int32_t device,      \
                     void* stream)
LRAST_TRANSFORM_CUDA_MATRICES_VJP(lrast_transform_cuda_matrices_vjp_f32, float);
LRAST_TRANSFORM_CUDA_MATRICES_VJP(lrast_transform_cuda_matrices_vjp_f64, double);

/// Numbers that `partial` above has room for.
LRAST_API int64_t lrast_transform_cuda_partial_size(int64_t num_views, int64_t num_verts);
