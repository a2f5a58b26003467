// csrc/kernels/soft_coverage_cpu.cpp: drives soft coverage over views, tiles and threads.  Compiled
// per ISA level.
#include "soft_coverage.h"

#include "soft_backward.h"
#include "soft_forward.h"
#include "soft_gather.h"

LRAST_BEGIN
namespace {

/// Calls body(tile) for all tiles of a view.
template <typename T, typename Body> void over_tiles(const SoftView<T>& view, Body&& body) {
  const int64_t tiles = view.num_tiles();
  const int chunks = view.threads <= 1 ? 1 : int(tiles);
  parallel_chunks(tiles, chunks, view.threads, [&](int, int64_t begin, int64_t end) {
    for (int64_t tile = begin; tile < end; ++tile) body(tile);
  });
}

template <typename T> SoftStatus forward_view(const SoftCoverageArgs<T>& args, SoftView<T> view) {
  static thread_local SoftFront own_front;
  SoftFront& front = own_front;  // other threads must not resolve it themselves
  const SoftStatus status = prepare_view(view, front, false);
  if (status.code != SoftStatus::kOk) return status;
  over_tiles(view, [&](int64_t tile) {
    static thread_local ForwardSpace<T> space;
    if (view.model.linear)
      forward_tile<true>(args, view, front, tile, space);
    else
      forward_tile<false>(args, view, front, tile, space);
  });
  return status;
}

template <typename T>
SoftStatus backward_view(const SoftCoverageBackwardArgs<T>& args, SoftView<T> view) {
  static thread_local SoftFront own_front;
  static thread_local GatherSpace<T> own_space;
  SoftFront& front = own_front;
  GatherSpace<T>& gather = own_space;
  const SoftStatus status = prepare_view(view, front, true);
  if (status.code != SoftStatus::kOk) return status;
  gather.gradients.resize(front.tile_faces.size());
  over_tiles(view, [&](int64_t tile) {
    static thread_local BackwardSpace<T> space;
    if (view.model.linear)
      backward_tile<true>(args, view, front, tile, space, gather.gradients.data());
    else
      backward_tile<false>(args, view, front, tile, space, gather.gradients.data());
  });
  gather_gradients(view, front, gather,
                   args.grad_verts_clip + 4 * view.num_verts * view.index);
  return status;
}

/// Calls body(view) for every view: threads over the views where there are enough, else inside each.
template <typename T, typename Args, typename Body>
SoftStatus over_views(const Args& args, Body&& body) {
  const int threads = larger(args.num_threads, 1);
  const bool outer = threads > 1 && args.num_views >= threads;
  const auto one = [&](int64_t index) -> SoftStatus {
    const SoftView<T> view{args.verts_clip + 4 * args.num_verts * index, args.faces, args.model,
                           index, args.num_verts, args.num_faces, args.height, args.width,
                           outer ? 1 : threads};
    try {
      return body(view);
    } catch (const std::bad_alloc&) {
      return {SoftStatus::kNoMemory, 0, 0};
    }
  };
  const SoftStatus good{SoftStatus::kOk, 0, 0};
  if (!outer) {
    SoftStatus status = good;
    for (int64_t i = 0; i < args.num_views && status.code == SoftStatus::kOk; ++i) status = one(i);
    return status;
  }
  SoftStatus* found = new (std::nothrow) SoftStatus[size_t(args.num_views)];
  if (!found) return {SoftStatus::kNoMemory, 0, 0};
#pragma omp parallel for num_threads(threads) schedule(dynamic, 1)
  for (int64_t i = 0; i < args.num_views; ++i) found[i] = one(i);
  SoftStatus status = good;
  for (int64_t i = args.num_views - 1; i >= 0; --i)
    if (found[i].code != SoftStatus::kOk) status = found[i];
  delete[] found;
  return status;
}

template <typename T> SoftStatus forward(const SoftCoverageArgs<T>& args) {
  return over_views<T>(args, [&](const SoftView<T>& view) { return forward_view(args, view); });
}

template <typename T> SoftStatus backward(const SoftCoverageBackwardArgs<T>& args) {
  return over_views<T>(args, [&](const SoftView<T>& view) { return backward_view(args, view); });
}

}  // namespace
LRAST_END

namespace lrast {
const SoftCoverageKernels LRAST_JOIN(soft_coverage_kernels, LRAST_ISA){
    forward<float>, forward<double>, backward<float>, backward<double>};
}
