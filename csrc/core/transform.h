// csrc/core/transform.h: a homogeneous transform of points, matrix @ (x, y, z, 1), in double.
//
// `Lanes` is a double, or a vector of them that holds all four components of a result. Sums run in
// the order written here either way, so that every driver rounds alike.
#pragma once
#include "host_device.h"

LRAST_BEGIN

/// Component(s) of matrix @ (point, 1); columns[c] holds the matrix's column c for them.
template <typename Lanes>
LRAST_HD void transform_point(const Lanes* columns, const double* point, Lanes& out) {
  out = ((columns[0] * point[0] + columns[1] * point[1]) + columns[2] * point[2]) + columns[3];
}

/// Adds to component(s) of the point's gradient, given `grad` (4,) of the result; rows[r] holds the
/// matrix's row r for them.
template <typename Lanes>
LRAST_HD void transform_point_vjp(const Lanes* rows, const double* grad, Lanes& grad_point) {
  grad_point += (rows[0] * grad[0] + rows[1] * grad[1]) + (rows[2] * grad[2] + rows[3] * grad[3]);
}

/// Adds to the gradient of the matrix's columns, given component(s) of that of the result.
template <typename Lanes>
LRAST_HD void transform_matrix_vjp(const double* point, const Lanes& grad, Lanes* grad_columns) {
  grad_columns[0] += grad * point[0];
  grad_columns[1] += grad * point[1];
  grad_columns[2] += grad * point[2];
  grad_columns[3] += grad;
}

LRAST_END
