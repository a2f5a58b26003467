// csrc/kernels/thin_parts.cpp: drives it over views and threads (CPU).
#include "thin_parts.h"

#include "parallel.h"

LRAST_BEGIN
namespace {

/// Marks the thin pixels of a view; whether there are any.
template <typename T> bool mark_thin(const ThinPartsArgs<T>& args, int64_t view, int threads) {
  const int64_t size = int64_t(args.height) * args.width;
  int found = 0;
  parallel_chunks(size, num_chunks(size, threads), threads, [&](int, int64_t begin, int64_t end) {
    int here = 0;
    for (int64_t i = view * size + begin; i < view * size + end; ++i) {
      const bool thin = is_thin(args, i);
      args.nearest[i] = thin ? 0 : kNotThin;
      here |= int(thin);
    }
    if (here) __atomic_store_n(&found, 1, __ATOMIC_RELAXED);
  });
  return found != 0;
}

/// The larger one stays, whatever the order.
inline void raise_to(uint64_t& word, uint64_t offered) {
  uint64_t seen = __atomic_load_n(&word, __ATOMIC_RELAXED);
  while (seen < offered && !__atomic_compare_exchange_n(&word, &seen, offered, true,
                                                        __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
  }
}

template <typename T> void fill_view(const ThinPartsArgs<T>& args, int64_t index, int threads) {
  const int64_t size = int64_t(args.height) * args.width, edges = args.topology.num_edges;
  if (mark_thin(args, index, threads)) {
    const ThinView<T> view{args, index};
    uint64_t* const nearest = args.nearest + index * size;
    parallel_chunks(edges, num_chunks(edges, threads), threads,
                    [&](int, int64_t begin, int64_t end) {
      for (int64_t e = begin; e < end; ++e)
        offer_edge(
            view, e,
            [&](int64_t pixel) {
              return __atomic_load_n(&nearest[pixel], __ATOMIC_RELAXED) != kNotThin;
            },
            [&](int64_t pixel, uint64_t word) { raise_to(nearest[pixel], word); });
    });
  }
  parallel_chunks(size, num_chunks(size, threads), threads, [&](int, int64_t begin, int64_t end) {
    for (int64_t i = index * size + begin; i < index * size + end; ++i) resolve_thin(args, i);
  });
}

template <typename T> int run(const ThinPartsArgs<T>& args) {
  constexpr int kNoMemory = ContourStatus::kNoMemory;
  return over_views(args.num_views, larger(args.num_threads, 1),
                    [&](int64_t view, int threads) { fill_view(args, view, threads); })
             ? kNoMemory
             : 0;
}

}  // namespace
LRAST_END

namespace lrast {
int thin_parts_f32(const ThinPartsArgs<float>& args) { return run(args); }
int thin_parts_f64(const ThinPartsArgs<double>& args) { return run(args); }
}  // namespace lrast
