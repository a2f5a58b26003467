// tests/cuda_shim/planted_races.cu: kernels with one mistake each, and the same without it.
struct Args { int* values; };  // (256,)

enum Mistake { kNone, kFirstBarrier, kSecondBarrier, kThirdBarrier };

// A running sum of 64 numbers by each of two blocks, which leaves out one of its barriers.
template <Mistake mistake> __global__ void running_sum(Args args) {
  __shared__ int sums[64];
  const int i = int(threadIdx.x);
  int* const values = args.values + 64 * blockIdx.x;
  sums[i] = values[i];
  if (mistake != kFirstBarrier) __syncthreads();
  for (int distance = 1; distance < 64; distance *= 2) {
    const int other = i >= distance ? sums[i - distance] : 0;
    if (mistake != kSecondBarrier) __syncthreads();
    sums[i] += other;
    if (mistake != kThirdBarrier) __syncthreads();
  }
  values[i] = sums[i];
}

// Each lane reads what its neighbour has written. Shuffles and votes do not order that.
template <bool barrier> __global__ void swap_in_warp(Args args) {
  __shared__ int box[64];
  const unsigned i = threadIdx.x;
  box[i] = int(i);
  if (barrier) __syncwarp(0xffffffffu);
  else __ballot_sync(0xffffffffu, true);
  args.values[64 * blockIdx.x + i] = box[i ^ 1];
}

// CUDA orders this one; the watch does not rely on it.
__global__ void swap_in_block(Args args) {
  __shared__ int boxes[64];
  const unsigned i = threadIdx.x;
  boxes[i] = int(i);
  __syncthreads_or(1);
  args.values[64 * blockIdx.x + i] = boxes[63 - i];
}

template <bool atomic> __global__ void write_from_blocks(Args args) {
  if (threadIdx.x != 0) return;
  if (atomic) atomicAdd(args.values, 1);
  else *args.values = 1;
}

// The other block may see the flag before the number: no fence orders them.
__global__ void publish(Args args) {
  if (threadIdx.x != 0) return;
  if (blockIdx.x == 0) {
    args.values[0] = 5;
    atomicExch(args.values + 1, 1);
  } else if (atomicAdd(args.values + 1, 0)) {
    args.values[2] = args.values[0];
  }
}

template <bool is_volatile> __global__ void look_first(Args args) {
  int seen;
  if (is_volatile) seen = *static_cast<const volatile int*>(args.values);
  else seen = args.values[0];
  if (seen < int(threadIdx.x)) atomicMax(args.values, int(threadIdx.x));
}

// Shared memory starts as what another block has left.
template <bool cleared> __global__ void count_in_block(Args args) {
  __shared__ int count;
  if (cleared) {
    if (threadIdx.x == 0) count = 0;
    __syncthreads();
  }
  if (threadIdx.x == 5) count = count + 1;
  __syncthreads();
  if (threadIdx.x == 0) args.values[blockIdx.x] = count;
}

// Bytes and words of one another's.
template <int stride> __global__ void write_bytes(Args args) {
  reinterpret_cast<char*>(args.values)[stride * threadIdx.x + 128 * blockIdx.x] = 1;
  if (stride == 2 && threadIdx.x == 3) args.values[32 * blockIdx.x] = 0;
}

#define RUN(name, kernel) \
  extern "C" void name(int* values) { LRAST_LAUNCH(kernel, 2, 64, nullptr, Args{values}); }
RUN(correct, running_sum<kNone>)
RUN(first_barrier, running_sum<kFirstBarrier>)
RUN(second_barrier, running_sum<kSecondBarrier>)
RUN(third_barrier, running_sum<kThirdBarrier>)
RUN(warp_barrier, swap_in_warp<true>)
RUN(warp_vote, swap_in_warp<false>)
RUN(block_vote, swap_in_block)
RUN(atomics_of_blocks, write_from_blocks<true>)
RUN(writes_of_blocks, write_from_blocks<false>)
RUN(flag_without_fence, publish)
RUN(volatile_look, look_first<true>)
RUN(plain_look, look_first<false>)
RUN(cleared_count, count_in_block<true>)
RUN(uncleared_count, count_in_block<false>)
RUN(bytes_side_by_side, write_bytes<1>)
RUN(word_over_bytes, write_bytes<2>)

// The end of a kernel orders everything.
extern "C" void one_after_another(int* values) {
  bytes_side_by_side(values);
  correct(values);
  warp_barrier(values);
}
