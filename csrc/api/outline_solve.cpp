// csrc/api/outline_solve.cpp
#include "outline_solve.h"

#include "../kernels/outline_solve.h"

int lrast_outline_solve(const double* verts, int64_t num_verts, const int32_t* edges,
                        int64_t num_edges, const int32_t* row_verts, const double* jacobian,
                        const double* residual, const double* weight, int64_t num_rows,
                        double smoothing, double bending, double damping, double rtol,
                        int32_t max_iterations, int32_t num_threads, double* delta,
                        double* report) {
  lrast::OutlineSolveReport found;
  const int status = lrast::solve_outline(
      {verts, edges, row_verts, jacobian, residual, weight, num_verts, num_edges, num_rows,
       smoothing, bending, damping, rtol, max_iterations, num_threads, delta},
      found);
  report[0] = found.stiffness;
  report[1] = found.iterations;
  report[2] = found.relative_residual;
  report[3] = found.bad_row;
  return status;
}

int lrast_outline_limit(const double* verts, int64_t num_verts, const int32_t* edges,
                        int64_t num_edges, const int32_t* faces, int64_t num_faces,
                        double max_edges, double* delta, double* scale) {
  return lrast::limit_outline_step(
      {verts, edges, faces, num_verts, num_edges, num_faces, max_edges, delta, scale});
}
