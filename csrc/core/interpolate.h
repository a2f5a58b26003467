// csrc/core/interpolate.h: weighted sum of three attribute rows, and its gradients.
//
// Everything adds in the order written here, so that every driver rounds alike.
#pragma once
#include "host_device.h"

LRAST_BEGIN

/// One channel of the blend of three rows; `Lanes` is a number, or a vector of several channels.
template <typename Lanes, typename T>
LRAST_HD void blend(const Lanes& a, const Lanes& b, const Lanes& c, const T* bary, Lanes& out) {
  out = (a * bary[0] + b * bary[1]) + c * bary[2];
}

/// Adds a channel's part of the rows' gradients; `Lanes` is a number, or a vector of all three.
template <typename Lanes>
LRAST_HD void blend_rows_vjp(const Lanes& grad, const Lanes& bary, Lanes& grad_rows) {
  grad_rows += grad * bary;
}

/// Gradient of a weight from four sums of (gradient * row), over every fourth channel each.
template <typename T> LRAST_HD T blend_weight_vjp(const T* sums) {
  return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

LRAST_END
