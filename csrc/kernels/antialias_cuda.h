// csrc/kernels/antialias_cuda.h: antialiased images on a GPU, seen from the host.  See antialias.h.
//
// Nothing here waits for the device, allocates or reads results, as in contour_cuda.h.
#pragma once
#include "antialias.h"

namespace lrast {

template <typename T> struct AntialiasCudaArgs {
  AntialiasArgs<T> op;  // device arrays; `out` holds a copy of the image on entry
  int64_t capacity;     // room for pieces, and for contour edges, over all views; > 0
  uint8_t* scratch;     // antialias_cuda_scratch_bytes()
  uint8_t* tape;        // antialias_cuda_tape_bytes(), for the backward call
  int64_t* needed;      // page-locked host memory or null: gets the capacity this call needed
  int32_t device;
  void* stream;
};

template <typename T> struct AntialiasCudaBackwardArgs {
  AntialiasBackwardArgs<T> op;    // device arrays; gradients are overwritten, op.tape is not used
  const int32_t* face_neighbors;  // (F, 3)
  const int32_t* face_idx;        // (N, H, W)
  const int64_t* face_ranges;     // (N, 2), or null; as the next two in the forward call
  int32_t cull, premultiplied;
  int64_t num_faces;
  int64_t capacity;               // as in the forward call
  const uint8_t* tape;
  uint8_t* scratch;               // antialias_cuda_backward_scratch_bytes()
  int32_t device;
  void* stream;
};

/// Sizes in bytes. Of pointers in the arguments only is looked at which gradients are null.
int64_t antialias_cuda_tape_bytes(int64_t num_views, int32_t height, int32_t width,
                                  int64_t capacity);
template <typename T> int64_t antialias_cuda_scratch_bytes(const AntialiasCudaArgs<T>&);
template <typename T>
int64_t antialias_cuda_backward_scratch_bytes(const AntialiasCudaBackwardArgs<T>&);

/// Both return a cudaError_t, 0 for success.
///
/// Vertices that the CPU would refuse, and pieces without room, are treated as in contour_cuda.h.
/// Numbers of faces that are not there count as background.
template <typename T> int antialias_cuda_forward(const AntialiasCudaArgs<T>&);
template <typename T> int antialias_cuda_backward(const AntialiasCudaBackwardArgs<T>&);

}  // namespace lrast
