// tests/cuda_shim/cuda_shim.h: runs CUDA kernels on the CPU, to test their logic where no GPU is.
//
// A fiber per CUDA thread, blocks one after another. Threads and blocks run forwards, backwards or
// shuffled, with pauses at atomics: a result that depends on the order shows. A barrier that not
// all threads of the block or warp reach ends the program. Races need not show in results; races.cpp
// finds them in a library that is compiled for it.
#pragma once
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <type_traits>
#include <utility>
#include <vector>
#ifndef __x86_64__
#include <ucontext.h>
#endif

// Of functions that a kernel's threads pass through on the shim's own behalf: what they read and
// write is none of the kernel's doing.
#ifdef CUDA_SHIM_RACES
#define CUDA_SHIM_UNSEEN __attribute__((no_sanitize("thread"), noinline))
#else
#define CUDA_SHIM_UNSEEN
#endif

#define __global__
#define __device__
#define __host__
#define __shared__ static
#define __launch_bounds__(...)
#define __grid_constant__
#define __noinline__ __attribute__((noinline))
#define threadIdx (cuda_shim::thread_index())
#define blockIdx (cuda_shim::unseen(cuda_shim::block))
#define blockDim (cuda_shim::unseen(cuda_shim::block_size))
#define gridDim (cuda_shim::unseen(cuda_shim::num_blocks))
#define LRAST_LAUNCH(kernel, blocks, threads, stream, args) \
  ((void)(stream), cuda_shim::launch(kernel, blocks, threads, args))

using cudaStream_t = void*;
enum cudaError_t { cudaSuccess, cudaErrorInvalidValue, cudaErrorInvalidConfiguration = 9 };
enum cudaMemcpyKind { cudaMemcpyDeviceToHost };
inline cudaError_t cudaGetLastError() { return cudaSuccess; }
inline cudaError_t cudaSetDevice(int) { return cudaSuccess; }
inline const char* cudaGetErrorString(cudaError_t error) {
  return error == cudaErrorInvalidValue ? "invalid argument" : "another error";
}
inline cudaError_t cudaMemsetAsync(void* memory, int byte, size_t bytes, cudaStream_t) {
  return memset(memory, byte, bytes), cudaSuccess;
}
inline cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind,
                                   cudaStream_t) {
  return memcpy(to, from, bytes), cudaSuccess;
}

namespace cuda_shim {

struct Index { unsigned x = 0; };
enum Order { kForward, kReverse, kShuffled };
enum Kind { kBlockBarrier, kBlockVote, kWarpBarrier, kShuffleUp, kShuffle, kBallot, kMatch };

/// Threads that wait for each other: a block, or one of its warps.
struct Group {
  unsigned members = 0, arrived = 0, generation = 0;
  unsigned num_barriers = 0;  // shuffles and votes do not order what threads read and write
  Kind kind = kBlockBarrier;
  // What threads hand each other; two of each, so that no one overwrites too early.
  bool any[2] = {};
  uint64_t slots[2][32];
};

constexpr unsigned kMostThreads = 1024;
constexpr size_t kStackBytes = 64 * 1024;

struct Fiber {
  Index index;
  bool is_done = false;
  char* stack = nullptr;
#ifdef __x86_64__
  void* context = nullptr;
#else
  ucontext_t context;
#endif
};

inline Index block, block_size, num_blocks;
inline Fiber* current;
inline Fiber scheduler;
inline std::vector<Fiber*> fibers;
inline char* const stacks = new char[kMostThreads * kStackBytes];  // one after the other
inline Group whole_block, warps[32];
inline void (*entry)();
inline Order order = kForward;
inline uint32_t random_state = 1;
inline unsigned events;  // what has moved on; a round without is a deadlock
inline unsigned num_launches, num_blocks_run;  // since the start
inline bool in_kernel;
inline int left_out = -1;  // number of the barrier that a test of the tests leaves out

inline CUDA_SHIM_UNSEEN Index thread_index() { return current->index; }
inline CUDA_SHIM_UNSEEN Index unseen(const Index& index) { return index; }

inline CUDA_SHIM_UNSEEN bool keeps(int barrier) { return barrier != left_out; }

#ifdef CUDA_SHIM_RACES
__attribute__((visibility("hidden"))) void saw_atomic(const void* address, size_t bytes,
                                                      const void* caller);
#else
inline void saw_atomic(const void*, size_t, const void*) {}
#endif

[[noreturn]] inline CUDA_SHIM_UNSEEN void fail(const char* what) {
  fprintf(stderr, "cuda_shim: block %u: %s\n", block.x, what);
  abort();
}
inline CUDA_SHIM_UNSEEN uint32_t random() {
  random_state ^= random_state << 13;
  random_state ^= random_state >> 17;
  return random_state ^= random_state << 5;
}

#ifdef __x86_64__
extern "C" void cuda_shim_switch(void** save, void* load);
asm(R"(.text
.weak cuda_shim_switch
cuda_shim_switch:
  pushq %rbp; pushq %rbx; pushq %r12; pushq %r13; pushq %r14; pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15; popq %r14; popq %r13; popq %r12; popq %rbx; popq %rbp
  ret)");
inline CUDA_SHIM_UNSEEN void switch_to(Fiber* from, Fiber* to) {
  in_kernel = to != &scheduler;
  cuda_shim_switch(&from->context, to->context);
}
inline void prepare(Fiber* fiber, void (*start)()) {
  const uintptr_t top = uintptr_t(fiber->stack + kStackBytes) & ~uintptr_t(15);
  void** frame = reinterpret_cast<void**>(top) - 8;  // six registers, the start, no way back
  memset(frame, 0, 8 * sizeof(void*));
  frame[6] = reinterpret_cast<void*>(start);
  fiber->context = frame;
}
#else
inline CUDA_SHIM_UNSEEN void switch_to(Fiber* from, Fiber* to) {
  in_kernel = to != &scheduler;
  swapcontext(&from->context, &to->context);
}
inline void prepare(Fiber* fiber, void (*start)()) {
  getcontext(&fiber->context);
  fiber->context.uc_stack.ss_sp = fiber->stack;
  fiber->context.uc_stack.ss_size = kStackBytes;
  makecontext(&fiber->context, start, 0);
}
#endif

inline CUDA_SHIM_UNSEEN void pause() { switch_to(current, &scheduler); }
inline CUDA_SHIM_UNSEEN void start_fiber() {
  entry();
  current->is_done = true;
  ++events;
  pause();
}

inline CUDA_SHIM_UNSEEN void meet(Group& group, Kind kind) {
  if (group.arrived > 0 && group.kind != kind) fail("threads of a group wait at different barriers");
  group.kind = kind;
  const unsigned generation = group.generation;
  if (++group.arrived == group.members) {
    group.arrived = 0;
    group.any[++group.generation & 1] = false;
    group.num_barriers += kind == kBlockBarrier || kind == kWarpBarrier;
    ++events;
  }
  while (group.generation == generation) pause();
}

/// Hands `value` to the warp and returns all lanes' values.
inline CUDA_SHIM_UNSEEN const uint64_t* exchange(unsigned mask, Kind kind, uint64_t value) {
  if (mask != 0xffffffffu) fail("only whole warps are supported");
  Group& warp = warps[current->index.x / 32];
  uint64_t* slots = warp.slots[warp.generation & 1];
  slots[current->index.x & 31] = value;
  meet(warp, kind);
  return slots;
}

template <typename Number>
CUDA_SHIM_UNSEEN void before_atomic(const Number* number, const void* caller) {
  saw_atomic(number, sizeof(Number), caller);
  if (order == kShuffled && random() % 4 == 0) ++events, pause();
}

inline std::vector<unsigned> in_order(unsigned count) {
  std::vector<unsigned> numbers(count);
  for (unsigned i = 0; i < count; ++i) numbers[i] = order == kReverse ? count - 1 - i : i;
  if (order == kShuffled)
    for (unsigned i = count; i > 1; --i) std::swap(numbers[i - 1], numbers[random() % i]);
  return numbers;
}

/// Runs each of some threads until it has to wait. Returns how many have ended.
inline unsigned resume(unsigned first, unsigned count) {
  unsigned ended = 0;
  for (const unsigned i : in_order(count)) {
    if (fibers[first + i]->is_done) continue;
    current = fibers[first + i];
    switch_to(&scheduler, current);
    ended += current->is_done;
  }
  return ended;
}

inline void run_block() {
  ++num_blocks_run;
  const unsigned threads = block_size.x;
  while (fibers.size() < threads) {
    fibers.push_back(new Fiber());
    fibers.back()->stack = stacks + (fibers.size() - 1) * kStackBytes;
  }
  whole_block = Group{};
  whole_block.members = threads;
  for (unsigned i = 0; i < threads / 32; ++i) {
    warps[i] = Group{};
    warps[i].members = 32;
  }
  for (unsigned i = 0; i < threads; ++i) {
    fibers[i]->index.x = i;
    fibers[i]->is_done = false;
    prepare(fibers[i], start_fiber);
  }
  for (unsigned running = threads; running > 0;) {
    const unsigned before = events;
    if (order == kShuffled) {
      // Each warp runs as far as it can get: a late reader of what another overwrites shows.
      for (const unsigned warp : in_order(threads / 32))
        for (unsigned last = ~events; last != events; running -= resume(32 * warp, 32)) last = events;
    } else {
      running -= resume(0, threads);
    }
    if (events == before) fail("waits at a barrier that others never reach");
  }
}

template <typename Args>
void launch(void (*kernel)(Args), unsigned blocks, unsigned threads, const Args& args) {
  if (threads % 32 != 0 || threads > kMostThreads) fail("a block must be made of whole warps");
  static void (*the_kernel)(Args);
  static const Args* the_args;
  the_kernel = kernel;
  the_args = &args;
  entry = []() CUDA_SHIM_UNSEEN { the_kernel(*the_args); };
  block_size.x = threads;
  num_blocks.x = blocks;
  ++num_launches;
  for (const unsigned i : in_order(blocks)) {
    block.x = i;
    run_block();
  }
}

template <typename Value> CUDA_SHIM_UNSEEN uint64_t packed(Value value) {
  static_assert(sizeof(Value) <= 8 && std::is_trivially_copyable_v<Value>);
  uint64_t bits = 0;
  memcpy(&bits, &value, sizeof(Value));
  return bits;
}
template <typename Value> CUDA_SHIM_UNSEEN Value unpacked(uint64_t bits) {
  Value value;
  memcpy(&value, &bits, sizeof(Value));
  return value;
}

}  // namespace cuda_shim

inline CUDA_SHIM_UNSEEN void __syncthreads() {
  cuda_shim::meet(cuda_shim::whole_block, cuda_shim::kBlockBarrier);
}
/// Whether the value is not 0 for any thread of the block. CUDA has it order reads and writes like
/// __syncthreads(); races.cpp does not, so that barriers that others depend on are all plain ones.
inline CUDA_SHIM_UNSEEN int __syncthreads_or(int value) {
  bool& any = cuda_shim::whole_block.any[cuda_shim::whole_block.generation & 1];
  any = any || value;
  cuda_shim::meet(cuda_shim::whole_block, cuda_shim::kBlockVote);
  return any;
}
inline CUDA_SHIM_UNSEEN void __syncwarp(unsigned mask) {
  cuda_shim::exchange(mask, cuda_shim::kWarpBarrier, 0);
}
template <typename Value>
CUDA_SHIM_UNSEEN Value __shfl_up_sync(unsigned mask, Value value, unsigned distance) {
  const unsigned lane = threadIdx.x & 31;
  const uint64_t* all = cuda_shim::exchange(mask, cuda_shim::kShuffleUp, cuda_shim::packed(value));
  return lane < distance ? value : cuda_shim::unpacked<Value>(all[lane - distance]);
}
template <typename Value>
CUDA_SHIM_UNSEEN Value __shfl_sync(unsigned mask, Value value, unsigned lane) {
  const uint64_t* all = cuda_shim::exchange(mask, cuda_shim::kShuffle, cuda_shim::packed(value));
  return cuda_shim::unpacked<Value>(all[lane & 31]);
}
inline CUDA_SHIM_UNSEEN unsigned __ballot_sync(unsigned mask, bool value) {
  const uint64_t* all = cuda_shim::exchange(mask, cuda_shim::kBallot, value);
  unsigned bits = 0;
  for (int lane = 0; lane < 32; ++lane) bits |= unsigned(all[lane]) << lane;
  return bits;
}
/// Lanes with the same value.
template <typename Value>
CUDA_SHIM_UNSEEN unsigned __match_any_sync(unsigned mask, Value value) {
  const uint64_t mine = cuda_shim::packed(value);
  const uint64_t* all = cuda_shim::exchange(mask, cuda_shim::kMatch, mine);
  unsigned bits = 0;
  for (int lane = 0; lane < 32; ++lane) bits |= unsigned(all[lane] == mine) << lane;
  return bits;
}
inline int __popc(unsigned bits) { return __builtin_popcount(bits); }
inline int __ffs(int bits) { return __builtin_ffs(bits); }
template <typename Number, typename Other>
CUDA_SHIM_UNSEEN Number atomicAdd(Number* number, Other value) {
  cuda_shim::before_atomic(number, __builtin_return_address(0));
  const Number old = *number;
  *number = Number(old + Number(value));
  return old;
}
template <typename Number, typename Other>
CUDA_SHIM_UNSEEN Number atomicMax(Number* number, Other value) {
  cuda_shim::before_atomic(number, __builtin_return_address(0));
  const Number old = *number;
  if (old < Number(value)) *number = Number(value);
  return old;
}
template <typename Number, typename Other>
CUDA_SHIM_UNSEEN Number atomicOr(Number* number, Other value) {
  cuda_shim::before_atomic(number, __builtin_return_address(0));
  const Number old = *number;
  *number = Number(old | Number(value));
  return old;
}
template <typename Number>
CUDA_SHIM_UNSEEN Number atomicCAS(Number* number, Number expected, Number value) {
  cuda_shim::before_atomic(number, __builtin_return_address(0));
  const Number old = *number;
  if (old == expected) *number = value;
  return old;
}
template <typename Number, typename Other>
CUDA_SHIM_UNSEEN Number atomicExch(Number* number, Other value) {
  cuda_shim::before_atomic(number, __builtin_return_address(0));
  const Number old = *number;
  *number = Number(value);
  return old;
}

/// 0 forwards, 1 backwards, 2 shuffled by `seed`; for all launches from now on.
extern "C" inline __attribute__((used, visibility("default"))) void cuda_shim_order(int order,
                                                                                   unsigned seed) {
  cuda_shim::order = cuda_shim::Order(order);
  cuda_shim::random_state = seed * 2654435761u + 1;
}
