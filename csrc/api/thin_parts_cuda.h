// csrc/api/thin_parts_cuda.h: the C ABI of ops/thin_parts_cuda.py.
#pragma once
#include "lrast_cuda.h"

/// Launches on `stream` and returns. Arrays: see lrast::ThinPartsArgs; face_ranges may be null.
#define LRAST_THIN_PARTS_CUDA(name, T)                                                            \
  LRAST_API int name(const int32_t* face_idx, const T* coverage, const T* verts_clip,             \
                     int64_t num_views, int64_t num_verts, int32_t height, int32_t width,         \
                     const int32_t* faces, int64_t num_faces, const int32_t* edge_verts,          \
                     int64_t num_edges, const int32_t* edge_faces, int64_t num_regular,           \
                     const int32_t* irregular_offsets, const int32_t* irregular_codes,            \
                     const int64_t* face_ranges, int32_t cull, uint64_t* nearest, int32_t* face,  \
                     T* bary, int32_t device, void* stream)
LRAST_THIN_PARTS_CUDA(lrast_thin_parts_cuda_f32, float);
LRAST_THIN_PARTS_CUDA(lrast_thin_parts_cuda_f64, double);
