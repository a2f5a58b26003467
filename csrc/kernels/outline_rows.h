// csrc/kernels/outline_rows.h: residual and Jacobian of outline pieces.  See optim/outline_newton.py.
#pragma once
#include <stdint.h>

namespace lrast {

struct OutlineRowsArgs {
  const double* verts;           // (V, 3) world
  const double* clip_from_world; // (N, 4, 4)
  const float* distances;        // (N, H, W) px, positive inside; NaN or infinite: see sampled()
  const double* view_weights;    // (N,)
  const int32_t* view;           // (P,)
  const int32_t* piece_verts;    // (P, 2)
  const double* t;               // (P,)
  const double* point;           // (P, 2)
  const double* normal;          // (P, 2)
  const double* length;          // (P,)
  int64_t num_pieces;
  int32_t height, width;
  double clip_px, huber_px;
  int32_t num_threads;
  double* jacobian;              // (P, 2, 3)
  double* point_world;           // (P, 3)
  double* residual;              // (P,) NaN where unknown
  double* weight;                // (P,)
};

/// Fills the last four. Returns a status code of the C ABI.
int fill_outline_rows(const OutlineRowsArgs&);

}  // namespace lrast
