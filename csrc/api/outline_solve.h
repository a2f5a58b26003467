// csrc/api/outline_solve.h: the C ABI of the outline's Gauss-Newton step, ops/outline_system.py.
#pragma once
#include "lrast.h"

/// Array shapes: see lrast::OutlineSolveArgs. `report` (4,) gets what lrast::OutlineSolveReport
/// holds, in its order; status codes are its Code.
LRAST_API int lrast_outline_solve(const double* verts, int64_t num_verts, const int32_t* edges,
                                  int64_t num_edges, const int32_t* row_verts,
                                  const double* jacobian, const double* residual,
                                  const double* weight, int64_t num_rows, double smoothing,
                                  double bending, double damping, double rtol,
                                  int32_t max_iterations, int32_t num_threads, double* delta,
                                  double* report);

/// Array shapes: see lrast::OutlineLimitArgs.
LRAST_API int lrast_outline_limit(const double* verts, int64_t num_verts, const int32_t* edges,
                                  int64_t num_edges, const int32_t* faces, int64_t num_faces,
                                  double max_edges, double* delta, double* scale);
