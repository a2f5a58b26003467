// csrc/kernels/soft_coverage.h: probabilistic coverage of all faces.  See ops/soft_coverage.py.
#pragma once
#include "../core/soft_face.h"

// Plain records carry no code, so all ISA levels share them.
namespace lrast {

/// Of a picture in which only some nearest faces of each pixel count, the last of these: a face
/// counts where its depth key is larger, or equal and its number not larger.
template <typename Key, typename Face> struct SoftLast {
  Key* key;    // (N, H, W), null where all faces count
  Face* face;  // (N, H, W)
};

template <typename T> struct SoftCoverageArgs {
  const T* verts_clip;     // (N, V, 4)
  const int32_t* faces;    // (F, 3)
  SoftModel model;
  int64_t num_views, num_verts, num_faces;
  int32_t height, width;
  int32_t num_threads;
  T* coverage;             // (N, H, W)
  T* uncovered;            // (N, H, W): product of 1 - p, or 0 where nothing can change it
  SoftLast<T, int32_t> last;
};

template <typename T> struct SoftCoverageBackwardArgs {
  const T* verts_clip;     // (N, V, 4)
  const int32_t* faces;    // (F, 3)
  SoftModel model;
  int64_t num_views, num_verts, num_faces;
  int32_t height, width;
  int32_t num_threads;
  const T* grad_coverage;  // (N, H, W)
  const T* uncovered;      // (N, H, W), and last: as the forward pass left them
  SoftLast<const T, const int32_t> last;
  T* grad_verts_clip;      // (N, V, 4)
};

/// Outcome of a call. On failure `view` and `item` name the vertex, or the face.
struct SoftStatus {
  enum Code { kOk, kNotFinite, kNotInFront, kNoMemory, kNoIsa, kNoSuchVertex };
  int32_t code;
  int64_t view, item;
};

/// Entry points of one ISA level.
struct SoftCoverageKernels {
  SoftStatus (*forward_f32)(const SoftCoverageArgs<float>&);
  SoftStatus (*forward_f64)(const SoftCoverageArgs<double>&);
  SoftStatus (*backward_f32)(const SoftCoverageBackwardArgs<float>&);
  SoftStatus (*backward_f64)(const SoftCoverageBackwardArgs<double>&);
};

extern const SoftCoverageKernels LRAST_JOIN(soft_coverage_kernels, LRAST_ISA);

}  // namespace lrast
