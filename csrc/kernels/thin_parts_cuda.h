// csrc/kernels/thin_parts_cuda.h: faces for thin parts on a GPU, seen from the host.  See
// thin_parts.h.
#pragma once
#include "thin_parts.h"

namespace lrast {

/// Returns a cudaError_t, 0 for success, and does not wait. Arrays are on the device; num_threads is
/// not looked at. The same bits as on the CPU.
template <typename T> int thin_parts_cuda(const ThinPartsArgs<T>&, int32_t device, void* stream);

}  // namespace lrast
