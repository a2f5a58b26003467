// csrc/kernels/outline_solve.h: the Gauss-Newton step of an outline.  See optim/outline_newton.py.
#pragma once
#include <stdint.h>

namespace lrast {

struct OutlineSolveArgs {
  const double* verts;      // (V, 3)
  const int32_t* edges;     // (E, 2)
  const int32_t* row_verts; // (P, 2): two ends of an edge each
  const double* jacobian;   // (P, 2, 3)
  const double* residual;   // (P,)
  const double* weight;     // (P,)
  int64_t num_verts, num_edges, num_rows;
  double smoothing, bending, damping;  // times the stiffness: of L, of L L, of the identity
  double rtol;
  int32_t max_iterations, num_threads;
  double* delta;            // (V, 3)
};

struct OutlineLimitArgs {
  const double* verts;   // (V, 3)
  const int32_t* edges;  // (E, 2)
  const int32_t* faces;  // (F, 3)
  int64_t num_verts, num_edges, num_faces;
  double max_edges;      // a vertex moves at most so many times the mean length of its edges
  double* delta;         // (V, 3), in and out
  double* scale;         // (V,)
};

struct OutlineSolveReport {
  enum Code { kOk = 0, kNoMemory = 3, kNotAnEdge = 16 };
  double stiffness;           // mean diagonal of the outline's Hessian
  double iterations;
  double relative_residual;   // of the linear system, where it stopped
  double bad_row;
};

/// Solves (A + s (smoothing L + bending L L + damping)) delta = b - s bending L L verts with
/// A = sum of weight j j^T, b = sum of weight residual j, s the mean diagonal of A and L the graph
/// Laplacian, by conjugate gradients from 0 with 3x3 blocks as preconditioner.
int solve_outline(const OutlineSolveArgs&, OutlineSolveReport&);

/// Shortens `delta` vertex by vertex until no face turns by a right angle or more.
int limit_outline_step(const OutlineLimitArgs&);

}  // namespace lrast
