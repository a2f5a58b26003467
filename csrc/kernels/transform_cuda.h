// csrc/kernels/transform_cuda.h: points to clip space on a GPU, seen from the host.  See transform.h.
#pragma once
#include "transform.h"

namespace lrast {

/// Points that one block of threads sums up for the matrices' gradient.
constexpr int64_t kTransformCudaBlock = 2048;

/// All return a cudaError_t, 0 for success, and do not wait. Arrays are on the device; num_threads
/// is not looked at.
template <typename T> int transform_cuda(const TransformArgs<T>&, int32_t device, void* stream);
template <typename T>
int transform_cuda(const TransformPointsVjpArgs<T>&, int32_t device, void* stream);
template <typename T>
int transform_cuda(const TransformMatricesVjpArgs<T>&, int32_t device, void* stream);

}  // namespace lrast
