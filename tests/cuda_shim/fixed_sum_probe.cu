// tests/cuda_shim/fixed_sum_probe.cu: sums of given numbers by FixedSums, for its test.
#define LRAST_ISA cuda
#include "../../csrc/kernels/fixed_sum.cuh"

#include <vector>

LRAST_BEGIN
namespace {

template <typename T> struct Work {
  const double* values;    // (num_terms,)
  const int32_t* targets;  // (num_terms,)
  T* out;                  // (num_targets,)
  int64_t num_terms, num_targets;
  bool by_warp;
  FixedSums<T> sums;
};

/// Calls visit(target, value) for this thread's term, or for what its warp has for its target.
template <typename T, typename Visit> __device__ void each(const Work<T>& work, Visit visit) {
  const int64_t i = thread_number();
  const int32_t target = i < work.num_terms ? work.targets[i] : -1;
  double value = i < work.num_terms ? work.values[i] : 0.0;
  if (work.by_warp) {
    const WarpPeers peers{Count(target)};
    value = peers.sum(value);
    if (!peers.leads()) return;
  }
  if (target >= 0) visit(target, value);
}

template <typename T> __global__ void bound(Work<T> work) {
  each(work, [&](int32_t target, double value) { work.sums.bound(target, value); });
}
template <typename T> __global__ void add(Work<T> work) {
  each(work, [&](int32_t target, double value) { work.sums.add(target, value); });
}
template <typename T> __global__ void convert(Work<T> work) {
  const int64_t i = thread_number();
  if (i < work.num_targets) work.out[i] = work.sums.total(i);
}

template <typename T>
void run(const double* values, const int32_t* targets, int64_t num_terms, int64_t num_targets,
         int32_t by_warp, T* out) {
  Arena size(nullptr);
  const FixedSums<T> unplaced(size, num_targets, num_terms);
  std::vector<char> memory(size_t(size.bytes()), 0x55);
  Arena arena(memory.data());
  const FixedSums<T> sums(arena, num_targets, num_terms);
  const Work<T> work{values, targets, out, num_terms, num_targets, by_warp != 0, sums};
  Launcher<Work<T>> launch(work, nullptr);
  launch.set(sums.memory(), 0, sums.bytes());
  launch(bound<T>, blocks_for(num_terms, kBlock));
  launch(add<T>, blocks_for(num_terms, kBlock));
  launch(convert<T>, blocks_for(num_targets, kBlock));
}

}  // namespace
LRAST_END

extern "C" void sum_f32(const double* values, const int32_t* targets, int64_t num_terms,
                        int64_t num_targets, int32_t by_warp, float* out) {
  lrast::run(values, targets, num_terms, num_targets, by_warp, out);
}
extern "C" void sum_f64(const double* values, const int32_t* targets, int64_t num_terms,
                        int64_t num_targets, int32_t by_warp, double* out) {
  lrast::run(values, targets, num_terms, num_targets, by_warp, out);
}
