// csrc/kernels/rasterize.h: hard visibility with weights and depth.  See ops/rasterize.py.
#pragma once
#include <stdint.h>

#include "../core/host_device.h"

// Plain records carry no code, so all ISA levels share them.
namespace lrast {

template <typename T> struct RasterizeArgs {
  const T* verts_clip;         // (V, 4) if shared, else (N, V, 4)
  const int32_t* faces;        // (F, 3)
  const int64_t* face_ranges;  // (N, 2), or null: every view draws all faces
  int32_t* face_idx;           // (N, L, H, W)
  T* bary;                     // (N, L, H, W, 3), or null with depth: one layer, faces only
  T* depth;                    // (N, L, H, W)
  T* coverage;                 // (N, H, W) where bary is null: 1 where a face is seen, else 0
  int64_t num_views, num_verts, num_faces;
  int32_t height, width, num_layers;
  int32_t cull;                // RasterCull
  int32_t shared, num_threads;
};

template <typename T> struct RasterizeBackwardArgs {
  const T* verts_clip;         // (V, 4) if shared, else (N, V, 4)
  const int32_t* faces;        // (F, 3)
  const int32_t* face_idx;     // (N, L, H, W)
  const T* grad_bary;          // (N, L, H, W, 3) or null
  const T* grad_depth;         // (N, L, H, W) or null
  T* grad_verts_clip;          // as verts_clip, zero on entry
  int64_t num_views, num_verts;
  int32_t height, width, num_layers;
  int32_t shared, num_threads;
};

/// Outcome of a forward call. On failure `view` and `item` name the view and its vertex or face.
struct RasterizeStatus {
  enum Code { kOk, kNotFinite, kNotInFront, kNoMemory, kNoIsa, kBadFace, kBadRange };
  int32_t code;
  int64_t view, item;
};

/// Entry points of one ISA level.
struct RasterizeKernels {
  RasterizeStatus (*forward_f32)(const RasterizeArgs<float>&);
  RasterizeStatus (*forward_f64)(const RasterizeArgs<double>&);
  RasterizeStatus::Code (*backward_f32)(const RasterizeBackwardArgs<float>&);
  RasterizeStatus::Code (*backward_f64)(const RasterizeBackwardArgs<double>&);
};

extern const RasterizeKernels LRAST_JOIN(rasterize_kernels, LRAST_ISA);

}  // namespace lrast
