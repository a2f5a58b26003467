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

/// The attributes of the three corners of the face seen at `pixel`, of N * P, or nulls where none is.
template <int kChannels, typename T>
LRAST_HD InterpolateStatus::Code corners_at(const InterpolateLayout& layout, const T* attrs,
                                            int64_t pixel, const T** corners) {
  const int64_t channels = kChannels ? kChannels : layout.num_channels;
  const int32_t face = layout.face_idx[pixel];
  corners[0] = nullptr;
  if (face == -1) return InterpolateStatus::kOk;
  int64_t rows[3];
  const InterpolateStatus::Code code = corner_rows(layout, face, rows);
  if (code != InterpolateStatus::kOk) return code;
  for (int corner = 0; corner < 3; ++corner) corners[corner] = attrs + rows[corner] * channels;
  return InterpolateStatus::kOk;
}

/// One pixel of N * P; attrs = attrs_at(args, pixel). kChannels is the number of channels where the
/// compiler is to know it, or 0. Writes zeros on the background, and nothing unless it returns kOk.
template <int kChannels, typename Blend = BlendOneByOne, typename T>
LRAST_HD InterpolateStatus::Code interpolate_at(const InterpolateArgs<T>& args, const T* attrs,
                                                int64_t pixel) {
  const int channels = kChannels ? kChannels : args.layout.num_channels;
  T* const out = args.out + pixel * channels;
  const T* corners[3];
  const InterpolateStatus::Code code = corners_at<kChannels>(args.layout, attrs, pixel, corners);
  if (code != InterpolateStatus::kOk) return code;
  if (corners[0]) {
    Blend::template rows<kChannels>(corners, args.bary + 3 * pixel, channels, out);
  } else {
    for (int c = 0; c < channels; ++c) out[c] = T(0);
  }
  return InterpolateStatus::kOk;
}

/// As interpolate_at(), for the gradient of the pixel's three weights.
template <int kChannels, typename Blend = BlendOneByOne, typename T>
LRAST_HD InterpolateStatus::Code interpolate_bary_vjp_at(const InterpolateBaryVjpArgs<T>& args,
                                                         const T* attrs, int64_t pixel) {
  const int channels = kChannels ? kChannels : args.layout.num_channels;
  T* const out = args.grad_bary + 3 * pixel;
  const T* corners[3];
  const InterpolateStatus::Code code = corners_at<kChannels>(args.layout, attrs, pixel, corners);
  if (code != InterpolateStatus::kOk) return code;
  if (corners[0]) {
    Blend::template weights_vjp<kChannels>(args.grad + pixel * channels, corners, channels, out);
  } else {
    for (int corner = 0; corner < 3; ++corner) out[corner] = T(0);
  }
  return InterpolateStatus::kOk;
}

LRAST_END
