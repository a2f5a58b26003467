// csrc/api/antialias.h: C ABI of antialias; see lrast.h.
#pragma once
#include "lrast.h"

/// Frees a tape that a forward call returned.
LRAST_API void lrast_antialias_free(void* memory);

/// Status codes are lrast::AntialiasStatus::Code; `where` (2,) gets the view and the vertex or pixel
/// at fault. Array shapes: see lrast::AntialiasArgs; face_ranges may be null. tape is null, or receives malloc'ed words, and
/// how many; lrast_antialias_free() frees them.
#define LRAST_ANTIALIAS_FORWARD(name, T)                                                          \
  LRAST_API int name(const T* image, const int32_t* face_idx, const T* verts_clip,                \
                     int64_t num_views, int64_t num_verts, int32_t height, int32_t width,         \
                     int32_t num_channels, const int32_t* faces, int64_t num_faces,               \
                     const int32_t* edge_verts, int64_t num_edges, const int32_t* edge_faces,     \
                     int64_t num_regular, const int32_t* irregular_offsets,                       \
                     const int32_t* irregular_codes, const int32_t* face_neighbors,               \
                     const int64_t* face_ranges, int32_t cull, int32_t premultiplied,             \
                     int32_t image_grad, int32_t num_threads, T* out, int64_t** tape,             \
                     int64_t* tape_words, int64_t* where)
LRAST_ANTIALIAS_FORWARD(lrast_antialias_forward_f32, float);
LRAST_ANTIALIAS_FORWARD(lrast_antialias_forward_f64, double);

/// Array shapes: see lrast::AntialiasBackwardArgs. A gradient that is null is not computed;
/// grad_verts_clip must be zero on entry.
#define LRAST_ANTIALIAS_BACKWARD(name, T)                                                         \
  LRAST_API int name(const T* grad_out, const T* image, const T* verts_clip, int64_t num_views,   \
                     int64_t num_verts, int32_t height, int32_t width, int32_t num_channels,      \
                     const int32_t* faces, const int64_t* tape, int64_t tape_words,               \
                     int32_t num_threads, T* grad_image, T* grad_verts_clip)
LRAST_ANTIALIAS_BACKWARD(lrast_antialias_backward_f32, float);
LRAST_ANTIALIAS_BACKWARD(lrast_antialias_backward_f64, double);
