// csrc/kernels/rasterize_cuda.h: hard visibility on a GPU, seen from the host.  See rasterize.h.
#pragma once
#include "rasterize.h"

namespace lrast {

/// Sizes in bytes; only the sizes in the arguments are looked at.
template <typename T> int64_t rasterize_cuda_scratch_bytes(const RasterizeArgs<T>&);
template <typename T> int64_t rasterize_cuda_scratch_bytes(const RasterizeBackwardArgs<T>&);

/// Both return a cudaError_t, 0 for success, and do not wait. Arrays are on the device; num_threads
/// is not looked at, and grad_verts_clip is overwritten.
///
/// Faces are left out that name no vertex, or one that is not finite on the screen, or has w <= 0 in
/// front of the near plane; and all faces of a view whose range is not one.
template <typename T>
int rasterize_cuda(const RasterizeArgs<T>&, uint8_t* scratch, int32_t device, void* stream);
template <typename T>
int rasterize_cuda(const RasterizeBackwardArgs<T>&, uint8_t* scratch, int32_t device, void* stream);

}  // namespace lrast
