// csrc/kernels/soft_coverage_cuda.h: soft coverage on a GPU, seen from the host.  See
// soft_coverage.h.
#pragma once
#include "soft_coverage.h"

namespace lrast {

/// Sizes in bytes; only the sizes in the arguments are looked at.
template <typename T> int64_t soft_coverage_cuda_scratch_bytes(const SoftCoverageArgs<T>&);
template <typename T> int64_t soft_coverage_cuda_scratch_bytes(const SoftCoverageBackwardArgs<T>&);

/// Both return a cudaError_t, 0 for success, and do not wait. Arrays are on the device; num_threads
/// is not looked at. Faces for which the CPU would refuse the call are left out.
template <typename T>
int soft_coverage_cuda(const SoftCoverageArgs<T>&, uint8_t* scratch, int32_t device, void* stream);
template <typename T>
int soft_coverage_cuda(const SoftCoverageBackwardArgs<T>&, uint8_t* scratch, int32_t device,
                       void* stream);

}  // namespace lrast
