// csrc/kernels/cuda_block.cuh: launches, and prefix sums within warps, blocks and short arrays.
#pragma once
#include "../core/host_device.h"

LRAST_BEGIN

constexpr int kBlock = 256;      // threads per block of most kernels
constexpr int kScanBlock = 1024;
constexpr unsigned kWholeWarp = 0xffffffffu;

using Count = unsigned long long;

// The tests run kernels on the CPU and bring their own launch.
#ifndef LRAST_LAUNCH
#define LRAST_LAUNCH(kernel, blocks, threads, stream, args) kernel<<<blocks, threads, 0, stream>>>(args)
#endif

LRAST_HD int64_t blocks_for(int64_t items, int per_block) {
  return (items + per_block - 1) / per_block;
}

/// Launches kernels with one record of arguments on one stream; nothing for no blocks.
template <typename Args> class Launcher {
 public:
  Launcher(const Args& args, void* stream)
      : args_(args), stream_(static_cast<cudaStream_t>(stream)) {}
  template <typename Kernel>
  void operator()(Kernel* kernel, int64_t blocks, int threads = kBlock) {
    if (blocks > 0x7fffffff) too_large_ = true;
    if (blocks < 1 || too_large_) return;
    LRAST_LAUNCH(kernel, unsigned(blocks), unsigned(threads), stream_, args_);
  }
  void set(void* memory, int byte, int64_t bytes) {
    if (bytes > 0) keep(cudaMemsetAsync(memory, byte, size_t(bytes), stream_));
  }
  void to_host(void* host, const void* device, int64_t bytes) {
    keep(cudaMemcpyAsync(host, device, size_t(bytes), cudaMemcpyDeviceToHost, stream_));
  }
  /// What went wrong since the start, in this thread.
  cudaError_t error() const {
    const cudaError_t launch = cudaGetLastError();
    if (too_large_) return cudaErrorInvalidConfiguration;
    return error_ != cudaSuccess ? error_ : launch;
  }

 private:
  void keep(cudaError_t error) {
    if (error_ == cudaSuccess) error_ = error;
  }
  Args args_;
  cudaStream_t stream_;
  cudaError_t error_ = cudaSuccess;
  bool too_large_ = false;
};

/// Hands out arrays from one allocation, or only adds up their sizes when it starts at null.
class Arena {
 public:
  explicit Arena(const void* memory) : begin_(uintptr_t(memory)), end_(begin_) {}
  template <typename Item> Item* take(int64_t count) {
    Item* items = reinterpret_cast<Item*>(end_);
    constexpr int64_t kAlign = 256;
    end_ += uintptr_t((count * int64_t(sizeof(Item)) + kAlign - 1) / kAlign * kAlign);
    return items;
  }
  int64_t bytes() const { return int64_t(end_ - begin_); }

 private:
  uintptr_t begin_, end_;
};

inline __device__ int64_t thread_number() {
  return int64_t(blockIdx.x) * blockDim.x + threadIdx.x;
}
inline __device__ int lane_number() { return int(threadIdx.x & 31); }

/// A number that other threads may be changing meanwhile, with atomics or relaxed_store(). Plain
/// accesses would be a data race, and could show what was there when the kernel began: a
/// multiprocessor's own cache is never told. Neither of the two orders any other access.
template <typename Number> __device__ Number relaxed_load(const Number& number) {
  return *static_cast<const volatile Number*>(&number);
}
template <typename Number> __device__ void relaxed_store(Number& number, Number value) {
  *static_cast<volatile Number*>(&number) = value;
}

template <typename Number> __device__ Number warp_inclusive_sum(Number value) {
  for (int distance = 1; distance < 32; distance *= 2) {
    const Number other = __shfl_up_sync(kWholeWarp, value, distance);
    if (lane_number() >= distance) value += other;
  }
  return value;
}

/// Sum over the threads before this one; `total` gets that over the block. For all threads of it.
inline __device__ Count block_exclusive_sum(Count value, Count& total) {
  __shared__ Count warp_sums[32];
  const int warp = int(threadIdx.x / 32), num_warps = int(blockDim.x / 32);
  const Count inclusive = warp_inclusive_sum(value);
  if (lane_number() == 31) warp_sums[warp] = inclusive;
  __syncthreads();
  if (warp == 0) {
    const Count sum = warp_inclusive_sum(lane_number() < num_warps ? warp_sums[lane_number()] : 0);
    warp_sums[lane_number()] = sum;
  }
  __syncthreads();
  total = warp_sums[num_warps - 1];
  const Count before = warp > 0 ? warp_sums[warp - 1] : 0;
  __syncthreads();  // the next sum reuses warp_sums
  return before + inclusive - value;
}

/// Replaces values[0..count) by the sums before them and stores the total; for one block. It is
/// meant for one number per tile, so that a single block is no bottleneck.
inline __device__ void scan_in_block(Count* values, int64_t count, Count* total) {
  Count carry = 0;
  for (int64_t base = 0; base < count; base += blockDim.x) {
    const int64_t i = base + threadIdx.x;
    Count sum;
    const Count before = block_exclusive_sum(i < count ? values[i] : 0, sum);
    if (i < count) values[i] = carry + before;
    carry += sum;
  }
  if (threadIdx.x == 0) *total = carry;
}

LRAST_END
