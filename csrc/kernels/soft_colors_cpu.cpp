// csrc/kernels/soft_colors_cpu.cpp: drives soft colours over views, tiles and threads.  Compiled per
// ISA level.
#include "soft_colors.h"

#include "soft_color_backward.h"
#include "soft_color_forward.h"
#include "soft_color_gather.h"
#include "soft_views.h"

LRAST_BEGIN
namespace {

/// prepare_view(), and how colours see the view.
template <typename T>
SoftStatus prepare_colors(const SoftView<T>& view, SoftFront& front, bool for_gradient) {
  const SoftStatus status = prepare_view(view, front, for_gradient);
  if (view.num_verts > 0)
    front.perspective = colors_in_perspective(front.perspective, view.verts[3]);
  return status;
}

template <typename T> SoftStatus forward_view(const SoftColorsArgs<T>& args, SoftView<T> view) {
  static thread_local SoftFront own_front;
  SoftFront& front = own_front;  // other threads must not resolve it themselves
  const SoftStatus status = prepare_colors(view, front, false);
  if (status.code != SoftStatus::kOk) return status;
  over_all_tiles(view, [&](int64_t tile) {
    static thread_local ColorForwardSpace<T> space;
    if (view.model.linear)
      forward_color_tile<true>(args, view, front, tile, space);
    else
      forward_color_tile<false>(args, view, front, tile, space);
  });
  return status;
}

template <typename T>
SoftStatus backward_view(const SoftColorsBackwardArgs<T>& args, SoftView<T> view) {
  static thread_local SoftFront own_front;
  static thread_local ColorGatherSpace<T> own_space;
  SoftFront& front = own_front;
  ColorGatherSpace<T>& gather = own_space;
  const SoftStatus status = prepare_colors(view, front, true);
  if (status.code != SoftStatus::kOk) return status;
  gather.gradients.resize(front.tile_faces.size() *
                          color_gradient_size(args.color_model.num_channels));
  over_all_tiles(view, [&](int64_t tile) {
    static thread_local ColorBackwardSpace<T> space;
    if (view.model.linear)
      backward_color_tile<true>(args, view, front, tile, space, gather.gradients.data());
    else
      backward_color_tile<false>(args, view, front, tile, space, gather.gradients.data());
  });
  gather_color_gradients(args, view, front, gather);
  return status;
}

template <typename T> SoftStatus forward(const SoftColorsArgs<T>& args) {
  return over_views<T>(args, [&](const SoftView<T>& view) { return forward_view(args, view); });
}

/// Views one after the other: they share the gradient of the colours.
template <typename T> SoftStatus backward(const SoftColorsBackwardArgs<T>& args) {
  return over_views<T>(args, [&](const SoftView<T>& view) { return backward_view(args, view); },
                       false);
}

}  // namespace
LRAST_END

namespace lrast {
const SoftColorsKernels LRAST_JOIN(soft_colors_kernels, LRAST_ISA){
    forward<float>, forward<double>, backward<float>, backward<double>};
}
