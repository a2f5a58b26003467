// csrc/api/rasterize.h: C ABI of the CPU rasterizer; see lrast.h.
#pragma once
#include "lrast.h"

/// Status codes are lrast::RasterizeStatus::Code; `where` (2,) gets the view and the vertex or face
/// at fault. Array shapes: see lrast::RasterizeArgs. cull is 0 for none, 1 back, 2 front.
#define LRAST_RASTERIZE(name, T)                                                                  \
  LRAST_API int name(const T* verts_clip, const int32_t* faces, const int64_t* face_ranges,       \
                     int64_t num_views, int64_t num_verts, int64_t num_faces, int32_t height,     \
                     int32_t width, int32_t num_layers, int32_t cull, int32_t shared,             \
                     int32_t num_threads, int32_t* face_idx, T* bary, T* depth, int64_t* where)
LRAST_RASTERIZE(lrast_rasterize_f32, float);
LRAST_RASTERIZE(lrast_rasterize_f64, double);

/// The faces alone, of one layer; statuses as above. coverage (N, H, W): 1 where a face is seen.
#define LRAST_VISIBLE_FACES(name, T)                                                              \
  LRAST_API int name(const T* verts_clip, const int32_t* faces, const int64_t* face_ranges,       \
                     int64_t num_views, int64_t num_verts, int64_t num_faces, int32_t height,     \
                     int32_t width, int32_t cull, int32_t shared, int32_t num_threads,            \
                     int32_t* face_idx, T* coverage, int64_t* where)
LRAST_VISIBLE_FACES(lrast_visible_faces_f32, float);
LRAST_VISIBLE_FACES(lrast_visible_faces_f64, double);

/// Array shapes: see lrast::RasterizeBackwardArgs. grad_verts_clip must be zero on entry.
#define LRAST_RASTERIZE_BACKWARD(name, T)                                                         \
  LRAST_API int name(const T* verts_clip, const int32_t* faces, const int32_t* face_idx,          \
                     const T* grad_bary, const T* grad_depth, int64_t num_views,                  \
                     int64_t num_verts, int32_t height, int32_t width, int32_t num_layers,        \
                     int32_t shared, int32_t num_threads, T* grad_verts_clip)
LRAST_RASTERIZE_BACKWARD(lrast_rasterize_backward_f32, float);
LRAST_RASTERIZE_BACKWARD(lrast_rasterize_backward_f64, double);
