// csrc/api/thin_parts.cpp
#include "thin_parts.h"

#include "../kernels/thin_parts.h"

#define DEFINE(name, T, kernel)                                                               \
  LRAST_THIN_PARTS(name, T) {                                                                 \
    return lrast::kernel({{faces, edge_verts, edge_faces, irregular_offsets, irregular_codes, \
                           num_verts, num_faces, num_edges, num_regular},                     \
                          face_idx, coverage, verts_clip, face_ranges, nearest, face, bary,   \
                          num_views, height, width, cull, num_threads});                      \
  }
DEFINE(lrast_thin_parts_f32, float, thin_parts_f32)
DEFINE(lrast_thin_parts_f64, double, thin_parts_f64)
