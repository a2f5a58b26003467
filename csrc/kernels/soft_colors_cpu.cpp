// csrc/kernels/soft_colors_cpu.cpp: drives soft colours over views, tiles and threads.  Compiled
// per ISA level.
#include "soft_colors.h"

#include "soft_color_backward.h"
#include "soft_color_forward.h"
#include "soft_color_gather.h"
#include "soft_views.h"

LRAST_BEGIN
namespace {

/// prepare_view(), and how colours see the view.
template <typename T>
SoftStatus prepare_colors(const SoftView<T>& view, SoftFront& front) {
  const SoftStatus status = prepare_view(view, front);
  if (view.num_verts > 0)
    front.perspective = colors_in_perspective(front.perspective, view.verts[3]);
  return status;
}

template <typename T> SoftStatus forward_view(const SoftColorsArgs<T>& args, SoftView<T> view) {
  static thread_local SoftFront own_front;
  SoftFront& front = own_front;  // other threads must not resolve it themselves
  const SoftStatus status = prepare_colors(view, front);
  if (status.code != SoftStatus::kOk) return status;
  const auto nothing = [](TileBand) {};
  const auto tile_forward = [&](int64_t tile) {
    static thread_local ColorForwardSpace<T> space;
    if (view.model.linear)
      forward_color_tile<true>(args, view, front, tile, space);
    else
      forward_color_tile<false>(args, view, front, tile, space);
  };
  over_bands(view, front, sizeof(int32_t), false, nothing, tile_forward, nothing);
  return status;
}

template <typename T>
SoftStatus backward_view(const SoftColorsBackwardArgs<T>& args, SoftView<T> view) {
  static thread_local SoftFront own_front;
  static thread_local ColorGatherSpace<T> own_space;
  SoftFront& front = own_front;
  ColorGatherSpace<T>& gather = own_space;
  const SoftStatus status = prepare_colors(view, front);
  if (status.code != SoftStatus::kOk) return status;
  const int64_t size = color_gradient_size(args.color_model.num_channels);
  const int64_t bytes = sizeof(int32_t) + sizeof(int64_t) + size * int64_t(sizeof(T));
  gather.faces.zero(view.num_faces * size);
  const auto make_room = [&](TileBand) { gather.gradients.resize(front.tile_faces.size() * size); };
  const auto tile_backward = [&](int64_t tile) {
    static thread_local ColorBackwardSpace<T> space;
    if (view.model.linear)
      backward_color_tile<true>(args, view, front, tile, space, gather.gradients.data());
    else
      backward_color_tile<false>(args, view, front, tile, space, gather.gradients.data());
  };
  const auto add = [&](TileBand) { add_color_band(view, front, size, gather); };
  over_bands(view, front, bytes, true, make_room, tile_backward, add);
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
