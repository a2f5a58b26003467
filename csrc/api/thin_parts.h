// csrc/api/thin_parts.h: the C ABI of ops/thin_parts.py.
#pragma once
#include "lrast.h"

/// Array shapes: see lrast::ThinPartsArgs; face_ranges may be null. Returns 0, or that memory ran
/// out. Vertices must be finite, as the operators that drew the picture ensure.
#define LRAST_THIN_PARTS(name, T)                                                                 \
  LRAST_API int name(const int32_t* face_idx, const T* coverage, const T* verts_clip,             \
                     int64_t num_views, int64_t num_verts, int32_t height, int32_t width,         \
                     const int32_t* faces, int64_t num_faces, const int32_t* edge_verts,          \
                     int64_t num_edges, const int32_t* edge_faces, int64_t num_regular,           \
                     const int32_t* irregular_offsets, const int32_t* irregular_codes,            \
                     const int64_t* face_ranges, int32_t cull, int32_t num_threads,               \
                     uint64_t* nearest, int32_t* face, T* bary)
LRAST_THIN_PARTS(lrast_thin_parts_f32, float);
LRAST_THIN_PARTS(lrast_thin_parts_f64, double);
