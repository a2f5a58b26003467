// csrc/api/rasterize_cuda.h: the C ABI of ops/rasterize_cuda.py.
#pragma once
#include "lrast_cuda.h"

/// Bytes of scratch that a forward call needs, and a backward call; element_size is 4 or 8.
LRAST_API int64_t lrast_rasterize_cuda_scratch_bytes(int64_t num_views, int64_t num_faces,
                                                     int32_t height, int32_t width,
                                                     int32_t num_layers);
LRAST_API int64_t lrast_rasterize_cuda_backward_scratch_bytes(int64_t num_views,
                                                              int64_t num_verts, int32_t shared,
                                                              int64_t element_size);

/// Launches on `stream` and returns. Arrays: see lrast::RasterizeArgs. cull is 0 for none, 1 back,
/// 2 front.
#define LRAST_RASTERIZE_CUDA(name, T)                                                             \
  LRAST_API int name(const T* verts_clip, const int32_t* faces, const int64_t* face_ranges,       \
                     int64_t num_views, int64_t num_verts, int64_t num_faces, int32_t height,     \
                     int32_t width, int32_t num_layers, int32_t cull, int32_t shared,             \
                     int32_t* face_idx, T* bary, T* depth, uint8_t* scratch, int32_t device,      \
                     void* stream)
LRAST_RASTERIZE_CUDA(lrast_rasterize_cuda_f32, float);
LRAST_RASTERIZE_CUDA(lrast_rasterize_cuda_f64, double);

/// The same for faces alone. Scratch: as for one layer.
#define LRAST_VISIBLE_FACES_CUDA(name, T)                                                         \
  LRAST_API int name(const T* verts_clip, const int32_t* faces, const int64_t* face_ranges,       \
                     int64_t num_views, int64_t num_verts, int64_t num_faces, int32_t height,     \
                     int32_t width, int32_t cull, int32_t shared, int32_t* face_idx, T* coverage, \
                     uint8_t* scratch, int32_t device, void* stream)
LRAST_VISIBLE_FACES_CUDA(lrast_visible_faces_cuda_f32, float);
LRAST_VISIBLE_FACES_CUDA(lrast_visible_faces_cuda_f64, double);

/// Launches on `stream` and returns. Arrays: see lrast::RasterizeBackwardArgs; grad_verts_clip is
/// overwritten.
#define LRAST_RASTERIZE_CUDA_BACKWARD(name, T)                                                    \
  LRAST_API int name(const T* verts_clip, const int32_t* faces, const int32_t* face_idx,          \
                     const T* grad_bary, const T* grad_depth, int64_t num_views,                  \
                     int64_t num_verts, int32_t height, int32_t width, int32_t num_layers,        \
                     int32_t shared, T* grad_verts_clip, uint8_t* scratch, int32_t device,        \
                     void* stream)
LRAST_RASTERIZE_CUDA_BACKWARD(lrast_rasterize_cuda_backward_f32, float);
LRAST_RASTERIZE_CUDA_BACKWARD(lrast_rasterize_cuda_backward_f64, double);
