// csrc/kernels/interpolate_cuda.h: vertex attributes at pixels on a GPU, seen from the host.  See
// interpolate.h.
#pragma once
#include "interpolate.h"

namespace lrast {

/// All return a cudaError_t, 0 for success, and do not wait. Arrays are on the device; num_threads
/// is not looked at. A pixel whose face or vertex numbers name nothing becomes NaN; no gradient flows
/// from it.
template <typename T> int interpolate_cuda(const InterpolateArgs<T>&, int32_t device, void* stream);
template <typename T>
int interpolate_cuda(const InterpolateBaryVjpArgs<T>&, int32_t device, void* stream);
/// scratch: interpolate_cuda_scratch_bytes().
template <typename T>
int interpolate_cuda(const InterpolateAttrsVjpArgs<T>&, uint8_t* scratch, int32_t device,
                     void* stream);
/// For as many attributes as are summed.
template <typename T> int64_t interpolate_cuda_scratch_bytes(int64_t num_attributes);

}  // namespace lrast
