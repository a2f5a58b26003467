// csrc/kernels/soft_colors.h: soft visibility of colours.  See ops/soft_colors.py.
#pragma once
#include "../core/soft_color.h"
#include "soft_coverage.h"

// Plain records carry no code, so all ISA levels share them.
namespace lrast {

template <typename T> struct SoftColorsArgs {
  const T* verts_clip;    // (N, V, 4)
  const int32_t* faces;   // (F, 3)
  const T* colors;        // (F, 3, C), per corner
  SoftModel model;
  SoftColorModel color_model;
  int64_t num_views, num_verts, num_faces;
  int32_t height, width;
  int32_t num_threads;
  T* image;               // (N, H, W, C + 1): faces without background, then their share
  T* coverage;            // (N, H, W)
  T* uncovered;           // (N, H, W): product of 1 - p
  T* largest;             // (N, H, W): of the exponents
  T* total;               // (N, H, W): sum of weights, that of exponent `largest` being 1
};

template <typename T> struct SoftColorsBackwardArgs {
  const T* verts_clip;     // (N, V, 4)
  const int32_t* faces;    // (F, 3)
  const T* colors;         // (F, 3, C)
  SoftModel model;
  SoftColorModel color_model;
  int64_t num_views, num_verts, num_faces;
  int32_t height, width;
  int32_t num_threads;
  const T* grad_image;     // (N, H, W, C + 1)
  const T* grad_coverage;  // (N, H, W)
  const T* image;          // (N, H, W, C + 1), and on: as the forward pass left them
  const T* uncovered;      // (N, H, W)
  const T* largest;        // (N, H, W)
  const T* total;          // (N, H, W)
  T* grad_verts_clip;      // (N, V, 4)
  double* grad_colors;     // (F, 3, C), zero on entry
};

/// Entry points of one ISA level.
struct SoftColorsKernels {
  SoftStatus (*forward_f32)(const SoftColorsArgs<float>&);
  SoftStatus (*forward_f64)(const SoftColorsArgs<double>&);
  SoftStatus (*backward_f32)(const SoftColorsBackwardArgs<float>&);
  SoftStatus (*backward_f64)(const SoftColorsBackwardArgs<double>&);
};

extern const SoftColorsKernels LRAST_JOIN(soft_colors_kernels, LRAST_ISA);

}  // namespace lrast
