// csrc/kernels/antialias_cuda_backward.cuh: gradients of antialiased images (CUDA).
#pragma once
#include "antialias_cuda_forward.cuh"
#include "antialias_gradient.h"
#include "fixed_sum.cuh"

LRAST_BEGIN

/// A blended pixel without pieces shows its own colour and that of one neighbour.
template <typename T> struct CrossedPixel {
  T own, other;    // weights
  int32_t across;  // the neighbour, -1 if the pixel is not blended
};

template <typename T> struct AntialiasBackwardWork {
  AntialiasScene<T> scene;
  AntialiasBackwardArgs<T> args;
  int64_t num_targets;
  FixedSums<double> sums;       // (N, V, 4)
  bool adds;                    // else finds bounds, and stores what the image's gradient needs

  Border* borders;              // (capacity,), as the next three
  OutlineSpan<T>* spans;
  BorderPiece<T>* border_pieces;
  BlendedPixel<T>* blended;     // of pixels with pieces; its `pixel` is -1 if it is not blended
  CrossedPixel<T>* crossed;     // (N, H, W), of the others

  AntialiasBackwardWork(const AntialiasCudaBackwardArgs<T>& a, Arena& scratch,
                        const AntialiasCudaTape& tape)
      : scene(a.op, a, tape, a.op.faces, a.face_neighbors, a.face_idx, a.op.num_verts, a.num_faces,
              a.capacity),
        args(a.op),
        num_targets(a.op.grad_verts_clip ? 4 * a.op.num_views * a.op.num_verts : 0),
        // A piece may be part of an outline and of a border, with two ends and two vertices at each.
        sums(scratch, num_targets, 8 * a.capacity + 6 * scene.num_views * scene.num_pixels),
        adds(false) {
    scene.first.record = true;
    scene.first.image_grad = a.op.grad_image != nullptr;
    borders = scratch.take<Border>(a.capacity);
    spans = scratch.take<OutlineSpan<T>>(a.capacity);
    border_pieces = scratch.take<BorderPiece<T>>(a.capacity);
    blended = scratch.take<BlendedPixel<T>>(a.op.grad_image ? a.capacity : 0);
    crossed =
        scratch.take<CrossedPixel<T>>(a.op.grad_image ? scene.num_views * scene.num_pixels : 0);
  }
};

/// Adds up what the gradient of a blended pixel means for vertices.
template <typename T>
__device__ void add_pixel_gradients(const AntialiasBackwardWork<T>& work,
                                    const AntialiasCudaView<T>& view, int64_t index,
                                    const PixelChunk<T>& chunk) {
  const AntialiasBackwardArgs<T>& args = work.args;
  const BlendedPixel<T>& pixel = chunk.pixel;
  const T* const grad_out = args.grad_out + work.scene.num_pixels * args.num_channels * index;
  const PixelGrads grad = grads_of_pixel(args, view.image, grad_out, pixel);
  const auto visit = [&](int32_t vert, ClipPoint value) {
    const int64_t target = 4 * (args.num_verts * index + vert);
    const double values[4] = {value.x, value.y, value.z, value.w};
    for (int k = 0; k < 4; ++k)
      work.adds ? work.sums.add(target + k, values[k]) : work.sums.bound(target + k, values[k]);
  };
  const auto visit_edge = [&](int32_t edge, double top, double bottom, double top_y,
                              double bottom_y) {
    if (top == 0.0 && bottom == 0.0 && top_y == 0.0 && bottom_y == 0.0) return;
    const CudaTapeEdge& e = work.scene.tape.ends[edge];
    ScreenPoint at_top = end_gradient(e.dx, e.dy, top), at_bottom = end_gradient(e.dx, e.dy, bottom);
    at_top.y += top_y;
    at_bottom.y += bottom_y;
    visit_end_gradient(args, view.verts, TapeCut{e.visible[0], e.hidden[0]}, at_top, visit);
    visit_end_gradient(args, view.verts, TapeCut{e.visible[1], e.hidden[1]}, at_bottom, visit);
  };
  for (int64_t i = 0; i < chunk.spans.size(); ++i) {
    const OutlineSpan<T>& span = chunk.spans[i];
    visit_edge(span.edge, grad.coverage * span.top, grad.coverage * span.bottom, 0.0, 0.0);
  }
  for (int64_t i = 0; i < chunk.border_pieces.size(); ++i) {
    const BorderPiece<T>& border = chunk.border_pieces[i];
    const double area = grad.weight[border.right] - grad.weight[border.left];
    visit_edge(border.edge, area * border.top, area * border.bottom, area * border.sweep_top,
               area * border.sweep_bottom);
  }
  if (pixel.across >= 0)
    visit_crossing_gradient(args, view.verts, view.flat, pixel, chunk.crossing,
                            grad.weight[pixel.across] - grad.weight[kOwn], visit);
}

/// Blends the pixels with pieces again, and adds up their gradients.
template <typename T>
__global__ void __launch_bounds__(kFewBlock)
    sum_touched_pixels(const __grid_constant__ AntialiasBackwardWork<T> work) {
  const AntialiasScene<T>& scene = work.scene;
  const int64_t entry = thread_number();
  if (scene.is_tape_lost() || entry >= scene.num_touched()) return;
  const TouchedPixel touched = scene.tape.touched[entry];
  PixelChunk<T> chunk(scene.tape, work.borders + touched.first, work.spans + touched.first,
                      work.border_pieces + touched.first);
  chunk.pixel.pixel = -1;
  if (!is_unchanged(scene, scene.tape.marks[touched.pixel])) {
    int64_t index;
    int row, column;
    place_of(scene, touched.pixel, index, row, column);
    const AntialiasCudaView<T> view = scene.view(index);
    blend_touched(view, scene.tape, entry, row, column, chunk);
    if (chunk.blended.size() > 0 && work.args.grad_verts_clip)
      add_pixel_gradients(work, view, index, chunk);
  }
  if (work.args.grad_image && !work.adds) work.blended[entry] = chunk.pixel;
}

/// The same for pixels that only an intersection passes.
template <typename T>
__global__ void __launch_bounds__(kFewBlock)
    sum_crossed_pixels(const __grid_constant__ AntialiasBackwardWork<T> work) {
  const AntialiasScene<T>& scene = work.scene;
  const int64_t pixel = thread_number();
  if (scene.is_tape_lost() || pixel >= scene.num_views * scene.num_pixels) return;
  const uint32_t mark = scene.tape.marks[pixel];
  if (mark >> kMarkBits) return;
  CrossedPixel<T> crossed{T(0), T(0), -1};
  int64_t index;
  int row, column;
  place_of(scene, pixel, index, row, column);
  const AntialiasCudaView<T> view = scene.view(index);
  Crossing crossing;
  if (!is_unchanged(scene, mark) && find_nearest_crossing(view, row, column, crossing)) {
    PixelChunk<T> chunk(scene.tape, nullptr, nullptr, nullptr);
    blend_pixel(view, row, column, static_cast<const PixelPieces*>(nullptr), &crossing, chunk);
    if (chunk.blended.size() > 0) {
      crossed = {chunk.pixel.weight[kOwn], chunk.pixel.weight[crossing.across], crossing.across};
      if (work.args.grad_verts_clip) add_pixel_gradients(work, view, index, chunk);
    }
  }
  if (work.args.grad_image && !work.adds) work.crossed[pixel] = crossed;
}

/// How much of neighbour j's colour a pixel shows; false if it is not blended.
template <typename T>
__device__ bool find_share(const AntialiasBackwardWork<T>& work, int64_t pixel, int j,
                           double& share) {
  const uint32_t number = work.scene.tape.marks[pixel] >> kMarkBits;
  if (number) {
    const BlendedPixel<T>& blended = work.blended[number - 1];
    if (blended.pixel < 0) return false;
    share = share_of(blended, j);
    return true;
  }
  const CrossedPixel<T> crossed = work.crossed[pixel];
  if (crossed.across < 0) return false;
  share = j == kOwn ? crossed.own : j == crossed.across ? crossed.other : T(0);
  return true;
}

/// Gradient of the image: a thread per pixel, which asks those around what they show of it, in the
/// order in which the CPU adds.
template <typename T>
__global__ void __launch_bounds__(kBlock)
    gather_image(const __grid_constant__ AntialiasBackwardWork<T> work) {
  const AntialiasScene<T>& scene = work.scene;
  const AntialiasBackwardArgs<T>& args = work.args;
  const int64_t pixel = thread_number();
  if (pixel >= scene.num_views * scene.num_pixels) return;
  const int channels = args.num_channels;
  T* const grad_image = args.grad_image + pixel * channels;
  if (scene.is_tape_lost()) {
    // The host cannot know without waiting, and must not go on with a zero gradient.
    for (int c = 0; c < channels; ++c) grad_image[c] = T(NAN);
    return;
  }
  int64_t index;
  int row, column;
  place_of(scene, pixel, index, row, column);
  double share[9];
  bool keeps = true;
  for (int j = 0; j < 9; ++j) {
    share[j] = 0.0;
    const int r = row + row_of(j), c = column + column_of(j);
    if (r < 0 || r >= args.height || c < 0 || c >= args.width) continue;
    const int64_t other = index * scene.num_pixels + int64_t(r) * args.width + c;
    const bool is_blended = find_share(work, other, 8 - j, share[j]);
    if (j == kOwn) keeps = !is_blended;
  }
  const T* const grad_out = args.grad_out + pixel * channels;
  for (int c = 0; c < channels; ++c) {
    T sum = keeps ? grad_out[c] : T(0);
    for (int j = 0; j < 9; ++j) {
      if (share[j] == 0.0) continue;
      const int64_t offset = row_of(j) * int64_t(args.width) + column_of(j);
      sum += T(share[j] * double(grad_out[offset * channels + c]));
    }
    grad_image[c] = sum;
  }
}

template <typename T>
__global__ void __launch_bounds__(kBlock) store_verts(const AntialiasBackwardWork<T> work) {
  const int64_t i = thread_number();
  if (i >= work.num_targets) return;
  work.args.grad_verts_clip[i] = work.scene.is_tape_lost() ? T(NAN) : T(work.sums.total(i));
}

LRAST_END
