// tests/ops/crew_stress.cpp: calls of all sizes, pauses between them, from two threads; see
// test_crew.py.
#include "kernels/crew.h"

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

namespace {

struct Call {
  std::atomic<long> next{0};
  std::vector<long> times_done;
};

void work(void* what) {
  Call& call = *static_cast<Call*>(what);
  const long tasks = long(call.times_done.size());
  for (long task; (task = call.next.fetch_add(1)) < tasks;) ++call.times_done[size_t(task)];
}

void run(int threads, int rounds, int longest_pause_us) {
  for (int round = 0; round < rounds; ++round) {
    Call call;
    call.times_done.assign(size_t(1 + round % 97), 0);
    lrast::work_with_crew(threads, work, &call);
    for (const long times : call.times_done)
      if (times != 1) {
        std::printf("a task was done %ld times\n", times);
        std::exit(1);
      }
    if (longest_pause_us > 0 && round % 16 == 0)
      std::this_thread::sleep_for(std::chrono::microseconds(longest_pause_us * (round % 5) / 4));
  }
}

}  // namespace

int main() {
  run(4, 5000, 0);
  run(3, 2000, 600);
  std::thread other([] { run(4, 4000, 0); });
  run(2, 4000, 100);
  other.join();
  std::puts("every task was done once");
}
