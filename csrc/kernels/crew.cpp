// csrc/kernels/crew.cpp
// Not OpenMP: a team of its threads starts and ends together, so that a call waits for a thread to
// wake up although its work is done (at times as long as a gradient takes), a child of fork() hangs,
// and macOS has none. docs/decisions/threads.md
#include "crew.h"

#include <signal.h>
#include <stdint.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <new>
#include <thread>

#ifndef _WIN32
#include <pthread.h>
#endif

namespace lrast {
namespace {

using Clock = std::chrono::steady_clock;

// How long a member that has no more to do looks for the next call before it sleeps, and the caller
// for the end of the others' last tasks. Calls of a training step follow each other in less.
// Meanwhile the core is anybody's.
constexpr std::chrono::microseconds kLinger(200), kPatience(50);

// One word tells it all: the number of the call, seats that are free in it, members at work.
constexpr uint64_t kWorker = 1, kSeat = 1 << 16, kCall = uint64_t(1) << 32;
constexpr int kMostSeats = 0x7fff;
int free_seats(uint64_t state) { return int(state >> 16 & 0xffff); }
int workers(uint64_t state) { return int(state & 0xffff); }
uint64_t call_number(uint64_t state) { return state >> 32; }

class Crew {
 public:
  void work(int others, void (*work)(void*), void* what) {
    if (is_taken_.exchange(true, std::memory_order_acquire)) return work(what);
    const int seats = hire(others);
    work_ = work;
    what_ = what;
    const uint64_t number = call_number(state_.load(std::memory_order_relaxed)) + 1;
    state_.store(number * kCall + uint64_t(seats) * kSeat);
    wake(seats);
    work(what);
    // Whoever has not come by now is not waited for.
    uint64_t state = state_.load(std::memory_order_relaxed);
    while (!state_.compare_exchange_weak(state, state - uint64_t(free_seats(state)) * kSeat,
                                         std::memory_order_acquire))
      continue;
    wait_for_workers();
    is_taken_.store(false, std::memory_order_release);
  }

 private:
  /// Makes threads until there are `wanted`; returns how many of these there are.
  int hire(int wanted) {
    if (wanted > kMostSeats) wanted = kMostSeats;
#ifndef _WIN32
    // Ctrl-C is for Python's own threads.
    sigset_t all, before;
    const bool hires = num_members_ < wanted;
    if (hires) {
      sigfillset(&all);
      for (const int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT}) sigdelset(&all, fault);
      pthread_sigmask(SIG_SETMASK, &all, &before);
    }
#endif
    try {
      for (; num_members_ < wanted; ++num_members_)
        std::thread([this] { serve(); }).detach();
    } catch (...) {  // no more threads or memory allowed: those there are will do
    }
#ifndef _WIN32
    if (hires) pthread_sigmask(SIG_SETMASK, &before, nullptr);
#endif
    return num_members_ < wanted ? num_members_ : wanted;
  }

  void wake(int seats) {
    const int sleeping = num_sleeping_.load();
    if (sleeping == 0) return;
    // A member counts itself before it looks for a call, both with the lock: with it here, none is
    // in between.
    mutex_.lock();
    mutex_.unlock();
    if (seats >= sleeping) return wakes_.notify_all();
    for (int i = 0; i < seats; ++i) wakes_.notify_one();
  }

  /// Most are at their last task, if any. Sleeping at once would take longer than that.
  void wait_for_workers() {
    const Clock::time_point end = Clock::now() + kPatience;
    while (workers(state_.load(std::memory_order_acquire)) > 0) {
      if (Clock::now() < end) {
        std::this_thread::yield();
        continue;
      }
      std::unique_lock<std::mutex> lock(mutex_);
      is_awaited_.store(true);
      ends_.wait(lock, [&] { return workers(state_.load()) == 0; });
      is_awaited_.store(false);
    }
  }
  void leave() {
    if (workers(state_.fetch_sub(kWorker)) > 1 || !is_awaited_.load()) return;
    mutex_.lock();
    mutex_.unlock();
    ends_.notify_all();
  }

  [[noreturn]] void serve() {
    for (uint64_t last = 0;;) {
      wait_for_call(last);
      uint64_t state = state_.load(std::memory_order_acquire);
      last = call_number(state);
      while (call_number(state) == last && free_seats(state) > 0) {
        if (!state_.compare_exchange_weak(state, state - kSeat + kWorker,
                                          std::memory_order_acquire))
          continue;
        work_(what_);
        leave();
        break;
      }
    }
  }

  bool has_call_after(uint64_t last, uint64_t state) const {
    return call_number(state) != last && free_seats(state) > 0;
  }

  void wait_for_call(uint64_t last) {
    const Clock::time_point end = Clock::now() + kLinger;
    do {
      if (has_call_after(last, state_.load(std::memory_order_acquire))) return;
      std::this_thread::yield();
    } while (Clock::now() < end);
    std::unique_lock<std::mutex> lock(mutex_);
    ++num_sleeping_;
    wakes_.wait(lock, [&] { return has_call_after(last, state_.load()); });
    --num_sleeping_;
  }

  std::atomic<bool> is_taken_{false};
  std::atomic<uint64_t> state_{0};
  void (*work_)(void*) = nullptr;
  void* what_ = nullptr;
  int num_members_ = 0;  // all of the threads that is_taken_ lets in

  std::mutex mutex_;
  std::condition_variable wakes_, ends_;
  std::atomic<bool> is_awaited_{false};
  std::atomic<int> num_sleeping_{0};
};

// Never destroyed: its threads run until the process ends.
std::atomic<Crew*> crew{nullptr};

/// Null if there is no memory for one.
Crew* own_crew() {
  Crew* found = crew.load(std::memory_order_acquire);
  if (found) return found;
#ifndef _WIN32
  // A child has none of its parent's threads. No lock is held here: it could be at the fork.
  static std::atomic<bool> is_registered{false};
  if (!is_registered.exchange(true))
    pthread_atfork(nullptr, nullptr, [] { crew.store(nullptr, std::memory_order_release); });
#endif
  Crew* made = new (std::nothrow) Crew;
  if (crew.compare_exchange_strong(found, made, std::memory_order_acq_rel)) return made;
  delete made;  // another thread was first
  return found;
}

}  // namespace

void work_with_crew(int threads, void (*work)(void*), void* what) {
  Crew* others = threads > 1 ? own_crew() : nullptr;
  if (!others) return work(what);
  others->work(threads - 1, work, what);
}

}  // namespace lrast
