// csrc/api/outline_rows.h: the C ABI of the outline's rows, ops/outline_system.py.
#pragma once
#include "lrast.h"

/// Array shapes: see lrast::OutlineRowsArgs.
LRAST_API int lrast_outline_rows(const double* verts, const double* clip_from_world,
                                 const float* distances, const double* view_weights,
                                 const int32_t* view, const int32_t* piece_verts, const double* t,
                                 const double* point, const double* normal, const double* length,
                                 int64_t num_pieces, int32_t height, int32_t width,
                                 double clip_px, double huber_px, int32_t num_threads,
                                 double* jacobian, double* point_world, double* residual,
                                 double* weight);
