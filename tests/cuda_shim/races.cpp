// tests/cuda_shim/races.cpp: finds data races of CUDA kernels that run under cuda_shim.h.
//
// The kernels are compiled with -fsanitize=thread, whose hooks tell here what each thread reads and
// writes; no sanitizer is linked. Two accesses to the same bytes, one of them a write, must be
// ordered: by the end of a kernel, by __syncthreads() between threads of a block, by __syncwarp()
// between lanes of a warp. Nothing else orders, in particular no shuffle, atomic or vote, even
// one of the block (__syncthreads_or), which does in CUDA: no kernel of ours leans on that. Atomics
// do not race with each other, nor with volatile accesses. All this depends on what is executed, not
// on who comes first.
#ifndef __x86_64__
#error "written for the fibers of x86-64"
#endif
#include <dlfcn.h>
#include <link.h>

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <unordered_map>

#include "cuda_shim.h"

namespace {

using namespace cuda_shim;

enum Access : uint8_t { kRead, kWrite, kRelaxedRead, kRelaxedWrite, kNumAccesses };
const char* const kNames[] = {"read", "write", "volatile read", "atomic or volatile write"};
constexpr uint16_t kSeveral = 0xffff;

struct Moment {
  uint32_t block;                       // of all that have run
  uint32_t block_barriers, warp_barriers;  // that the thread has passed
  uint16_t warp, thread;
};

/// The accesses of one kind to some bytes, as far as later ones must know: who, since when.
struct Past {
  Moment last;
  uint32_t caller = 0;  // of the last one
  bool any = false, several_blocks = false;

  /// Whether one of them is not ordered before `now`.
  bool races_with(const Moment& now) const {
    if (!any) return false;
    if (several_blocks || last.block != now.block) return true;
    if (last.block_barriers != now.block_barriers) return false;
    if (last.warp != now.warp) return true;
    return last.warp_barriers == now.warp_barriers && last.thread != now.thread;
  }
  void add(Moment now, uint32_t from) {
    if (any && last.block != now.block) {
      several_blocks = true;
    } else if (any && last.block_barriers == now.block_barriers) {
      if (last.warp != now.warp) now.warp = kSeveral;
      else if (last.warp_barriers == now.warp_barriers && last.thread != now.thread)
        now.thread = kSeveral;
    }
    any = true;
    last = now;
    caller = from;
  }
};

struct Bytes {
  uint32_t run = 0;  // the launch, or in shared memory the block, that all below is about
  Past past[kNumAccesses];
};

/// Eight bytes of memory: together, or in equal parts once they are accessed in parts.
struct Word {
  int num_parts = 1;
  Bytes whole;
  std::unique_ptr<std::array<Bytes, 8>> parts;

  void split_into(int count) {
    if (count <= num_parts) return;
    auto finer = std::make_unique<std::array<Bytes, 8>>();
    for (int i = 0; i < count; ++i)
      (*finer)[i] = parts ? (*parts)[i * num_parts / count] : whole;
    parts = std::move(finer);
    num_parts = count;
  }
  Bytes& part(int i) { return parts ? (*parts)[i] : whole; }
};

constexpr uintptr_t kPageBytes = 4096;
using Page = std::array<Word, kPageBytes / 8>;
std::unordered_map<uintptr_t, std::unique_ptr<Page>> pages;
constexpr size_t kMostPages = 1 << 14;
uint32_t launch_of_pages;

struct Segment { uintptr_t begin = 0, end = 0, base = 0; };

/// Where this library keeps its variables; those of kernels are their shared memory.
Segment find_own_variables() {
  Segment found;
  const auto visit = [](dl_phdr_info* info, size_t, void* data) {
    Segment segment;
    bool is_own = false;
    segment.base = info->dlpi_addr;
    const auto own = reinterpret_cast<uintptr_t>(&pages);
    for (int i = 0; i < info->dlpi_phnum; ++i) {
      const auto& header = info->dlpi_phdr[i];
      if (header.p_type != PT_LOAD) continue;
      const uintptr_t begin = info->dlpi_addr + header.p_vaddr, end = begin + header.p_memsz;
      if (own < begin || own >= end) continue;
      is_own = true;
      segment.begin = begin;
      segment.end = end;
    }
    if (is_own) *static_cast<Segment*>(data) = segment;
    return int(is_own);
  };
  dl_iterate_phdr(visit, &found);
  return found;
}
const Segment own_variables = find_own_variables();

bool is_shared(uintptr_t address) {
  return address >= own_variables.begin && address < own_variables.end;
}

using Place = std::tuple<uint32_t, Access, uint32_t, Access, bool>;
std::map<Place, std::pair<uint64_t, Moment>> races;
std::map<uint32_t, Moment> unwritten;  // reads of shared memory that no thread of the block wrote
bool reads_other_stack = false;

Word& word_at(uintptr_t address) {
  static uintptr_t last_page = ~uintptr_t(0);
  static Page* page = nullptr;
  if (launch_of_pages != num_launches && pages.size() > kMostPages) {
    pages.clear();
    last_page = ~uintptr_t(0);
  }
  launch_of_pages = num_launches;
  if (address / kPageBytes != last_page) {
    auto& entry = pages[address / kPageBytes];
    if (!entry) entry = std::make_unique<Page>();
    page = entry.get();
    last_page = address / kPageBytes;
  }
  return (*page)[address % kPageBytes / 8];
}

void visit(Bytes& bytes, bool shared, const Moment& now, Access access, uint32_t caller,
           bool is_scalar) {
  const uint32_t run = shared ? num_blocks_run : num_launches;
  if (bytes.run != run) bytes = Bytes{run, {}};
  if (shared && is_scalar && access == kRead && !bytes.past[kWrite].any &&
      !bytes.past[kRelaxedWrite].any)
    unwritten.emplace(caller, now);
  for (const Access other : {kRead, kWrite, kRelaxedRead, kRelaxedWrite}) {
    const bool a_write = access == kWrite || access == kRelaxedWrite || other == kWrite ||
                         other == kRelaxedWrite;
    const bool both_relaxed = access >= kRelaxedRead && other >= kRelaxedRead;
    if (!a_write || both_relaxed || !bytes.past[other].races_with(now)) continue;
    const Place place{bytes.past[other].caller, other, caller, access, shared};
    ++races.emplace(place, std::make_pair(uint64_t(0), now)).first->second.first;
  }
  bytes.past[access].add(now, caller);
}

void note(const volatile void* pointer, size_t size, Access access, const void* from,
          bool is_scalar = true) {
  if (!in_kernel) return;
  uintptr_t address = reinterpret_cast<uintptr_t>(pointer);
  const uintptr_t in_stacks = address - reinterpret_cast<uintptr_t>(stacks);
  if (in_stacks < kMostThreads * kStackBytes) {
    if (in_stacks / kStackBytes != current->index.x) reads_other_stack = true;
    return;
  }
  const unsigned warp = current->index.x / 32;
  const Moment now{num_blocks_run, whole_block.num_barriers, warps[warp].num_barriers,
                   uint16_t(warp), uint16_t(current->index.x)};
  const auto caller = uint32_t(reinterpret_cast<uintptr_t>(from) - own_variables.base);
  const bool shared = is_shared(address);
  for (const uintptr_t end = address + size; address < end;) {
    const uintptr_t here = address % 8;
    const size_t part = std::min<size_t>(8 - here, end - address);
    Word& word = word_at(address);
    size_t unit = 8;  // the largest that the accessed part is made of
    while (here % unit || part % unit) unit /= 2;
    word.split_into(int(8 / unit));
    const size_t held = 8 / word.num_parts;
    for (size_t at = here; at < here + part; at += held)
      visit(word.part(int(at / held)), shared, now, access, caller, is_scalar);
    address += part;
  }
}

std::string described(const Place& place, uint64_t count, const Moment& now) {
  char line[256];
  snprintf(line, sizeof line, "%s 0x%x, %s 0x%x: %s memory, thread %u, %llu times\n",
           kNames[std::get<1>(place)], std::get<0>(place) - 1, kNames[std::get<3>(place)],
           std::get<2>(place) - 1, std::get<4>(place) ? "shared" : "global", now.thread,
           static_cast<unsigned long long>(count));
  return line;
}

}  // namespace

namespace cuda_shim {
void saw_atomic(const void* address, size_t bytes, const void* caller) {
  note(address, bytes, kRelaxedWrite, caller);
}
}  // namespace cuda_shim

#define LRAST_VISIBLE extern "C" __attribute__((visibility("default")))

/// What was found since the last call: a line each, with offsets of the code in this library.
LRAST_VISIBLE const char* cuda_shim_races() {
  static std::string text;
  text.clear();
  for (const auto& [place, found] : races) text += described(place, found.first, found.second);
  for (const auto& [caller, now] : unwritten) {
    char line[128];
    snprintf(line, sizeof line, "read 0x%x: shared memory that its block has not written\n",
             caller - 1);
    text += line;
  }
  if (reads_other_stack) text += "a thread uses local memory of another one\n";
  races.clear();
  unwritten.clear();
  reads_other_stack = false;
  return text.c_str();
}

/// Has kernels leave out the barrier that asks cuda_shim::keeps() with this number.
LRAST_VISIBLE void cuda_shim_leave_out(int barrier) { left_out = barrier; }

// --- hooks of the compiler -----------------------------------------------------------------------

#define LRAST_HOOK extern "C" __attribute__((visibility("hidden"))) void
LRAST_HOOK __tsan_init() {}
LRAST_HOOK __tsan_func_entry(void*) {}
LRAST_HOOK __tsan_func_exit() {}
LRAST_HOOK __tsan_read_range(void* address, size_t size) {
  note(address, size, kRead, __builtin_return_address(0), false);
}
LRAST_HOOK __tsan_write_range(void* address, size_t size) {
  note(address, size, kWrite, __builtin_return_address(0), false);
}
#define LRAST_HOOKS(size)                                               \
  LRAST_HOOK __tsan_read##size(void* address) {                         \
    note(address, size, kRead, __builtin_return_address(0));            \
  }                                                                     \
  LRAST_HOOK __tsan_write##size(void* address) {                        \
    note(address, size, kWrite, __builtin_return_address(0));           \
  }                                                                     \
  LRAST_HOOK __tsan_unaligned_read##size(void* address) {               \
    note(address, size, kRead, __builtin_return_address(0));            \
  }                                                                     \
  LRAST_HOOK __tsan_unaligned_write##size(void* address) {              \
    note(address, size, kWrite, __builtin_return_address(0));           \
  }                                                                     \
  LRAST_HOOK __tsan_volatile_read##size(void* address) {                \
    note(address, size, kRelaxedRead, __builtin_return_address(0));     \
  }                                                                     \
  LRAST_HOOK __tsan_volatile_write##size(void* address) {               \
    note(address, size, kRelaxedWrite, __builtin_return_address(0));    \
  }
LRAST_HOOKS(1)
LRAST_HOOKS(2)
LRAST_HOOKS(4)
LRAST_HOOKS(8)
LRAST_HOOKS(16)
