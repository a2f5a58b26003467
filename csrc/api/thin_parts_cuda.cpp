// csrc/api/thin_parts_cuda.cpp
#include "thin_parts_cuda.h"

#include "../kernels/thin_parts_cuda.h"

#define DEFINE(name, T)                                                                       \
  LRAST_THIN_PARTS_CUDA(name, T) {                                                            \
    const lrast::ThinPartsArgs<T> args{                                                       \
        {faces, edge_verts, edge_faces, irregular_offsets, irregular_codes, num_verts,        \
         num_faces, num_edges, num_regular},                                                  \
        face_idx, coverage, verts_clip, face_ranges, nearest, face, bary, num_views, height,  \
        width, cull, 1};                                                                      \
    return lrast::thin_parts_cuda(args, device, stream);                                      \
  }
DEFINE(lrast_thin_parts_cuda_f32, float)
DEFINE(lrast_thin_parts_cuda_f64, double)
