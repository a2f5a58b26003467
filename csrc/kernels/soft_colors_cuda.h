// csrc/kernels/soft_colors_cuda.h: soft visibility of colours on a GPU, seen from the host.  See
// soft_colors.h.
#pragma once
#include "soft_colors.h"

namespace lrast {

/// Sizes in bytes; only the sizes in the arguments are looked at.
template <typename T> int64_t soft_colors_cuda_scratch_bytes(const SoftColorsArgs<T>&);
template <typename T> int64_t soft_colors_cuda_scratch_bytes(const SoftColorsBackwardArgs<T>&);

/// Both return a cudaError_t, 0 for success, and do not wait. Arrays are on the device; num_threads
/// is not looked at, and grad_colors need not be zero. Faces for which the CPU would refuse the call
/// are left out.
template <typename T>
int soft_colors_cuda(const SoftColorsArgs<T>&, uint8_t* scratch, int32_t device, void* stream);
template <typename T>
int soft_colors_cuda(const SoftColorsBackwardArgs<T>&, uint8_t* scratch, int32_t device,
                     void* stream);

}  // namespace lrast
