// csrc/core/interpolate.h: weighted sum of three attribute rows, and its gradients.
//
// `Lanes` is a number, or a vector of them that holds several channels. Sums run in the order
// written here either way, so that every driver rounds alike.
#pragma once
#include "host_device.h"

LRAST_BEGIN

/// Channel(s) of the blend of rows a, b, c with weights `bary` (3,).
template <typename Lanes, typename T>
LRAST_HD void blend(const Lanes& a, const Lanes& b, const Lanes& c, const T* bary, Lanes& out) {
  out = (a * bary[0] + b * bary[1]) + c * bary[2];
}

/// Adds to the gradients of the three rows.
template <typename Lanes, typename T>
LRAST_HD void blend_rows_vjp(const Lanes& grad, const T* bary, Lanes* grad_rows) {
  grad_rows[0] += grad * bary[0];
  grad_rows[1] += grad * bary[1];
  grad_rows[2] += grad * bary[2];
}

/// Gradient of one weight, grad . row: four sums of every fourth channel, and then theirs.
template <typename T> LRAST_HD T blend_weight_vjp(const T* grad, const T* row, int channels) {
  T sums[4] = {T(0), T(0), T(0), T(0)};
  for (int c = 0; c < channels; ++c) sums[c & 3] += grad[c] * row[c];
  return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

LRAST_END
