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

/// Adds a channel's part of the three rows' gradients; `Lanes` is a number, or one for each row.
template <typename Lanes>
LRAST_HD void blend_rows_vjp(const Lanes& grad, const Lanes& bary, Lanes& grad_rows) {
  grad_rows += grad * bary;
}

/// What sums start from: unlike +0 it leaves every number as it is, so that compilers drop it.
template <typename T> constexpr T kNothing = T(-0.0);

/// Gradients of the three weights from `sums` (3, 4): a row's product with the gradient, summed
/// over every fourth channel.
template <typename T> LRAST_HD void blend_weights_vjp(const T (*sums)[4], T* grad_bary) {
  for (int corner = 0; corner < 3; ++corner)
    grad_bary[corner] =
        (sums[corner][0] + sums[corner][1]) + (sums[corner][2] + sums[corner][3]);
}

/// All channels, one after the other. Other ways to go through them make the same bits.
struct BlendOneByOne {
  template <int kChannels, typename T>
  static LRAST_HD void rows(const T* const* rows, const T* bary, int num_channels, T* out) {
    const int channels = kChannels ? kChannels : num_channels;
    for (int c = 0; c < channels; ++c) blend(rows[0][c], rows[1][c], rows[2][c], bary, out[c]);
  }
  template <int kChannels, typename T>
  static LRAST_HD void weights_vjp(const T* grad, const T* const* rows, int num_channels,
                                   T* grad_bary) {
    const int channels = kChannels ? kChannels : num_channels;
    T sums[3][4];
    for (int corner = 0; corner < 3; ++corner) {
      for (int lane = 0; lane < 4; ++lane) sums[corner][lane] = kNothing<T>;
      for (int c = 0; c < channels; ++c) sums[corner][c & 3] += grad[c] * rows[corner][c];
    }
    blend_weights_vjp(sums, grad_bary);
  }
};

LRAST_END
