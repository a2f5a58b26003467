// csrc/kernels/contour_cuda.h: contour coverage on a GPU, seen from the host.  See contour.h.
//
// Nothing here waits for the device, allocates or reads results: shapes of all launches follow from
// the sizes below, so that a call can be captured in a CUDA graph.
#pragma once
#include "contour.h"

namespace lrast {

template <typename T> struct ContourCudaArgs {
  ContourTopology topology;  // device arrays, as all below
  const T* verts_clip;       // (N, V, 4)
  T* coverage;               // (N, H, W), N * H * W < 2^31
  int64_t num_views;
  int32_t height, width;
  int64_t capacity;          // room for pieces, and for contour edges, over all views; > 0
  uint8_t* scratch;          // contour_cuda_scratch_bytes()
  uint8_t* tape;             // contour_cuda_tape_bytes(), for the backward call
  int64_t* needed;           // page-locked host memory or null: gets the capacity this call needed
  int32_t device;
  void* stream;
  int32_t cull = 0;          // RasterCull
  const int64_t* face_ranges = nullptr;  // (N, 2), or null: every view has all faces
};

template <typename T> struct ContourCudaBackwardArgs {
  const T* verts_clip;     // (N, V, 4)
  const T* grad_coverage;  // (N, H, W)
  const uint8_t* tape;
  T* grad_verts_clip;      // (N, V, 4), overwritten
  int64_t num_views, num_verts;
  int32_t height, width;
  int64_t capacity;        // as in the forward call
  uint8_t* scratch;        // contour_cuda_backward_scratch_bytes()
  int32_t device;
  void* stream;
};

/// Sizes in bytes; the pointers in the arguments are not looked at.
template <typename T> int64_t contour_cuda_scratch_bytes(const ContourCudaArgs<T>&);
template <typename T> int64_t contour_cuda_tape_bytes(int64_t capacity);
template <typename T>
int64_t contour_cuda_backward_scratch_bytes(const ContourCudaBackwardArgs<T>&);

/// Both return a cudaError_t, 0 for success.
///
/// Faces with a vertex that is not finite on the screen, or has w <= 0 in front of the near plane,
/// are left out with all their edges. Where `capacity` does not suffice, whole edges are left out
/// and `needed` exceeds it: the picture is wrong then and the caller must say so.
template <typename T> int contour_cuda_forward(const ContourCudaArgs<T>&);
template <typename T> int contour_cuda_backward(const ContourCudaBackwardArgs<T>&);

const char* cuda_error_text(int error);

}  // namespace lrast
