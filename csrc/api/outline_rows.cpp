// csrc/api/outline_rows.cpp
#include "outline_rows.h"

#include "../kernels/outline_rows.h"

int lrast_outline_rows(const double* verts, const double* clip_from_world, const float* distances,
                       const double* view_weights, const int32_t* view,
                       const int32_t* piece_verts, const double* t, const double* point,
                       const double* normal, const double* length, int64_t num_pieces,
                       int32_t height, int32_t width, double clip_px, double huber_px,
                       int32_t num_threads, double* jacobian, double* point_world,
                       double* residual, double* weight) {
  return lrast::fill_outline_rows({verts, clip_from_world, distances, view_weights, view,
                                   piece_verts, t, point, normal, length, num_pieces, height,
                                   width, clip_px, huber_px, num_threads, jacobian, point_world,
                                   residual, weight});
}
