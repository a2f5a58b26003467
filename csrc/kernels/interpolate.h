// csrc/kernels/interpolate.h: vertex attributes at pixels.  See ops/interpolate.py.
#pragma once
#include "../core/interpolate.h"

namespace lrast {

/// Which attribute rows each pixel blends. P pixels a view: H * W, or L * H * W with layers. R rows
/// a view: V of vertices, or 3 F of face corners.
struct InterpolateLayout {
  const int32_t* faces;     // (F, 3), or null: row 3 * face + corner
  const int32_t* face_idx;  // (N, P), -1 = background
  int64_t num_views, num_pixels, num_faces, num_rows;
  int32_t num_channels;
  int32_t shared;           // 1 if all views have the same attributes
};

template <typename T> struct InterpolateArgs {
  InterpolateLayout layout;
  const T* attrs;       // (R, C) if shared, else (N, R, C)
  const T* bary;        // (N, P, 3)
  T* out;               // (N, P, C)
  int32_t num_threads;
};

template <typename T> struct InterpolateBaryVjpArgs {
  InterpolateLayout layout;
  const T* grad;        // (N, P, C)
  const T* attrs;       // (R, C) if shared, else (N, R, C)
  T* grad_bary;         // (N, P, 3)
  int32_t num_threads;
};

template <typename T> struct InterpolateAttrsVjpArgs {
  InterpolateLayout layout;
  const T* grad;        // (N, P, C)
  const T* bary;        // (N, P, 3)
  T* grad_attrs;        // (R, C) if shared, summed over views; else (N, R, C)
  int32_t num_threads;
};

/// Outcome of a call. On failure `pixel`, of N * P, is the first one at fault.
struct InterpolateStatus {
  enum Code { kOk, kBadFace, kBadVertex, kNoMemory, kNoIsa };
  int32_t code;
  int64_t pixel;
};

/// Entry points of one ISA level.
struct InterpolateKernels {
  InterpolateStatus (*forward_f32)(const InterpolateArgs<float>&);
  InterpolateStatus (*forward_f64)(const InterpolateArgs<double>&);
  InterpolateStatus (*bary_vjp_f32)(const InterpolateBaryVjpArgs<float>&);
  InterpolateStatus (*bary_vjp_f64)(const InterpolateBaryVjpArgs<double>&);
  InterpolateStatus (*attrs_vjp_f32)(const InterpolateAttrsVjpArgs<float>&);
  InterpolateStatus (*attrs_vjp_f64)(const InterpolateAttrsVjpArgs<double>&);
};

extern const InterpolateKernels LRAST_JOIN(interpolate_kernels, LRAST_ISA);

}  // namespace lrast

LRAST_BEGIN

/// Row, within a view's attributes, of a corner of a face.
LRAST_HD int64_t corner_row(const InterpolateLayout& layout, int32_t face, int corner) {
  const int64_t at = 3 * int64_t(face) + corner;
  return layout.faces ? layout.faces[at] : at;
}

/// The rows of a face's three corners. kBadFace or kBadVertex if an index names nothing; such rows
/// must not be read.
LRAST_HD InterpolateStatus::Code corner_rows(const InterpolateLayout& layout, int32_t face,
                                             int64_t* rows) {
  if (uint64_t(int64_t(face)) >= uint64_t(layout.num_faces)) return InterpolateStatus::kBadFace;
  for (int corner = 0; corner < 3; ++corner) {
    rows[corner] = corner_row(layout, face, corner);
    if (uint64_t(rows[corner]) >= uint64_t(layout.num_rows)) return InterpolateStatus::kBadVertex;
  }
  return InterpolateStatus::kOk;
}

/// Attributes of the view that a pixel, of N * P, belongs to.
template <typename Args>
LRAST_HD auto attrs_at(const Args& args, int64_t pixel) -> decltype(args.attrs) {
  const InterpolateLayout& layout = args.layout;
  if (layout.shared) return args.attrs;
  return args.attrs + pixel / layout.num_pixels * layout.num_rows * layout.num_channels;
}

LRAST_END
