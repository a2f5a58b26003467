// csrc/kernels/parallel.h: loops over chunks whose results do not depend on the number of threads.
#pragma once
#include <new>

#include "buffer.h"
#include "crew.h"

LRAST_BEGIN

inline void pause_briefly() {
#ifdef __SSE2__
  __builtin_ia32_pause();
#endif
}

/// How many chunks to cut `count` items into: one thread takes all in one.
inline int num_chunks(int64_t count, int threads) {
  constexpr int64_t kSmallest = 4096;  // below this a thread costs more than it saves
  if (threads <= 1) return 1;
  return int(clamped<int64_t>(count / kSmallest, 1, 4 * int64_t(threads)));
}

/// Whoever finds nothing left also sees what those before it did until they took theirs.
inline int64_t take_next(int64_t& counter) {
  return __atomic_fetch_add(&counter, 1, __ATOMIC_ACQ_REL);
}

constexpr int kMostTurns = 2000;  // of waiting for others: about 0.1 ms

/// Runs `work` on so many threads at once, or on fewer: on those that wake up before it is done.
/// Throws std::bad_alloc if one did.
template <typename Work> void on_threads(int threads, Work&& work) {
  if (threads <= 1) return work();
  struct Call {
    Work& work;
    int failed;
  } call{work, 0};
  const auto run = [](void* what) {
    Call& call = *static_cast<Call*>(what);
    try {
      call.work();
    } catch (const std::bad_alloc&) {
      __atomic_store_n(&call.failed, 1, __ATOMIC_RELAXED);
    }
  };
  work_with_crew(threads, run, &call);
  if (call.failed) throw std::bad_alloc();
}

/// Calls body(task) for each task, in no order. Throws std::bad_alloc if one did.
template <typename Body> void parallel_tasks(int64_t num_tasks, int threads, Body&& body) {
  int64_t next = 0;
  on_threads(int(smaller<int64_t>(threads, num_tasks)), [&] {
    for (int64_t task; (task = take_next(next)) < num_tasks;) body(task);
  });
}

/// Calls body(chunk, begin, end) for each chunk. Throws std::bad_alloc if one did.
template <typename Body>
void parallel_chunks(int64_t count, int chunks, int threads, Body&& body) {
  parallel_tasks(chunks, threads, [&](int64_t chunk) {
    body(int(chunk), count * chunk / chunks, count * (chunk + 1) / chunks);
  });
}

/// Blocks of work that begin with a part for one thread, which makes tasks for whoever is free.
class TaskBlocks {
 public:
  explicit TaskBlocks(int64_t num_blocks) {
    tasks_.zero(num_blocks);
    next_task_.zero(num_blocks);
  }

  /// What one of the threads does: `begin(block)` returns its number of tasks, `run(block, task)`.
  template <typename Begin, typename Run> void work(Begin&& begin, Run&& run) {
    for (int64_t block; (block = take_next(next_block_)) < tasks_.size();) {
      __atomic_store_n(&tasks_[block], begin(block), __ATOMIC_RELEASE);
      run_tasks(block, run);
    }
    for (int64_t block = 0; block < tasks_.size(); ++block) run_tasks(block, run);
  }

 private:
  template <typename Run> void run_tasks(int64_t block, Run&& run) {
    const int64_t count = __atomic_load_n(&tasks_[block], __ATOMIC_ACQUIRE);  // 0 until it has begun
    if (count == 0) return;
    for (int64_t task; (task = take_next(next_task_[block])) < count;) run(block, task);
  }

  Buffer<int64_t> tasks_, next_task_;  // per block
  int64_t next_block_ = 0;
};

/// Calls body(view, threads inside the view) for every view: threads over the views where there
/// are enough of them, else inside each. Returns whether memory ran out.
template <typename Body> int over_views(int64_t num_views, int threads, Body&& body) {
  try {
    if (threads > 1 && num_views >= threads)
      parallel_tasks(num_views, threads, [&](int64_t view) { body(view, 1); });
    else
      for (int64_t view = 0; view < num_views; ++view) body(view, threads);
    return 0;
  } catch (const std::bad_alloc&) {
    return 1;
  }
}

LRAST_END
