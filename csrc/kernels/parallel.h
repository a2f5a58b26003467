// csrc/kernels/parallel.h: loops over chunks whose results do not depend on the number of threads.
#pragma once
#include <new>

#include "../core/host_device.h"

LRAST_BEGIN

/// How many chunks to cut `count` items into: one thread takes all in one.
inline int num_chunks(int64_t count, int threads) {
  constexpr int64_t kSmallest = 4096;  // below this a thread costs more than it saves
  if (threads <= 1) return 1;
  return int(clamped<int64_t>(count / kSmallest, 1, 4 * int64_t(threads)));
}

/// Calls body(chunk, begin, end) for each chunk. Throws std::bad_alloc if one did.
template <typename Body>
void parallel_chunks(int64_t count, int chunks, [[maybe_unused]] int threads, Body&& body) {
  if (chunks <= 1) {
    if (chunks == 1) body(0, int64_t(0), count);
    return;
  }
  int failed = 0;
#pragma omp parallel for num_threads(threads) schedule(dynamic, 1) reduction(| : failed)
  for (int chunk = 0; chunk < chunks; ++chunk) {
    try {
      body(chunk, count * chunk / chunks, count * (chunk + 1) / chunks);
    } catch (const std::bad_alloc&) {
      failed |= 1;  // exceptions must not leave a parallel region
    }
  }
  if (failed) throw std::bad_alloc();
}

/// Calls body(view, threads inside the view) for every view: threads over the views where there
/// are enough of them, else inside each. Returns whether memory ran out.
template <typename Body> int over_views(int64_t num_views, int threads, Body&& body) {
  int failed = 0;
  if (threads > 1 && num_views >= threads) {
#pragma omp parallel for num_threads(threads) schedule(dynamic, 1) reduction(| : failed)
    for (int64_t view = 0; view < num_views; ++view) {
      try {
        body(view, 1);
      } catch (const std::bad_alloc&) {
        failed |= 1;
      }
    }
    return failed;
  }
  try {
    for (int64_t view = 0; view < num_views; ++view) body(view, threads);
  } catch (const std::bad_alloc&) {
    failed = 1;
  }
  return failed;
}

LRAST_END
