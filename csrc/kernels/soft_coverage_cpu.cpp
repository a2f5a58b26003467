// csrc/kernels/soft_coverage_cpu.cpp: drives soft coverage over views, tiles and threads.  Compiled
// per ISA level.
#include "soft_coverage.h"

#include "soft_backward.h"
#include "soft_forward.h"
#include "soft_gather.h"
#include "soft_views.h"

LRAST_BEGIN
namespace {

template <typename T> SoftStatus forward_view(const SoftCoverageArgs<T>& args, SoftView<T> view) {
  static thread_local SoftFront own_front;
  SoftFront& front = own_front;  // other threads must not resolve it themselves
  const SoftStatus status = prepare_view(view, front);
  if (status.code != SoftStatus::kOk) return status;
  if (args.last.key) clear_last(view, args.last);
  const auto nothing = [](TileBand) {};
  const auto tile_forward = [&](int64_t tile) {
    static thread_local ForwardSpace<T> space;
    if (view.model.linear)
      forward_tile<true>(args, view, front, tile, space);
    else
      forward_tile<false>(args, view, front, tile, space);
  };
  over_bands(view, front, sizeof(int32_t), false, nothing, tile_forward, nothing);
  return status;
}

template <typename T>
SoftStatus backward_view(const SoftCoverageBackwardArgs<T>& args, SoftView<T> view) {
  static thread_local SoftFront own_front;
  static thread_local GatherSpace<T> own_space;
  SoftFront& front = own_front;
  GatherSpace<T>& gather = own_space;
  const SoftStatus status = prepare_view(view, front);
  if (status.code != SoftStatus::kOk) return status;
  const int64_t bytes = sizeof(int32_t) + sizeof(int64_t) + sizeof(CornerGradients<T>);
  gather.faces.zero(view.num_faces);
  const auto make_room = [&](TileBand) { gather.gradients.resize(front.tile_faces.size()); };
  const auto tile_backward = [&](int64_t tile) {
    static thread_local BackwardSpace<T> space;
    if (view.model.linear)
      backward_tile<true>(args, view, front, tile, space, gather.gradients.data());
    else
      backward_tile<false>(args, view, front, tile, space, gather.gradients.data());
  };
  const auto add = [&](TileBand) { add_band(view, front, gather); };
  over_bands(view, front, bytes, true, make_room, tile_backward, add);
  gather_gradients(view, front, gather,
                   args.grad_verts_clip + 4 * view.num_verts * view.index);
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
