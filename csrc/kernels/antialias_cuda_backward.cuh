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
  // Both ends of the spans, then both ends of the borders.
  const int64_t num_spans = chunk.spans.size(), num_borders = chunk.border_pieces.size();
  for (int64_t i = 0; i < 2 * (num_spans + num_borders); ++i) {
    const int end = int(i & 1);
    int32_t edge;
    double along, sweep = 0.0;
    if (i < 2 * num_spans) {
      const OutlineSpan<T>& span = chunk.spans[i / 2];
      edge = span.edge;
      along = grad.coverage * (end ? span.bottom : span.top);
    } else {
      const BorderPiece<T>& border = chunk.border_pieces[i / 2 - num_spans];
      const double area = grad.weight[border.right] - grad.weight[border.left];
      edge = border.edge;
      along = area * (end ? border.bottom : border.top);
      sweep = area * (end ? border.sweep_bottom : border.sweep_top);
    }
    if (along == 0.0 && sweep == 0.0) continue;
    const CudaTapeEdge& e = work.scene.tape.ends[edge];
    ScreenPoint at_end = end_gradient(e.dx, e.dy, along);
    at_end.y += sweep;
    visit_end_gradient(args, view.verts, TapeCut{e.visible[end], e.hidden[end]}, at_end, visit);
  }
  if (pixel.across >= 0)
    visit_crossing_gradient(args, view.verts, view.flat, pixel, chunk.crossing,
                            grad.weight[pixel.across] - grad.weight[kOwn], visit);
}

/// Blends pixels again, and adds up their gradients.
template <typename T>
__global__ void __launch_bounds__(kFewBlock)
    sum_pixels(const __grid_constant__ AntialiasBackwardWork<T> work) {
  const AntialiasScene<T>& scene = work.scene;
  BlendPlace place{};
  if (scene.is_tape_lost() || !place.find(scene, thread_number())) return;
  const int32_t first = place.entry >= 0 ? scene.tape.touched[place.entry].first : 0;
  PixelChunk<T> chunk(scene.tape, work.borders + first, work.spans + first,
                      work.border_pieces + first);
  const AntialiasCudaView<T> view = scene.view(place.index);
  blend(scene, view, place, chunk);
  const bool is_blended = chunk.blended.size() > 0;
  if (!is_blended) chunk.pixel.pixel = -1;
  if (is_blended && work.args.grad_verts_clip) add_pixel_gradients(work, view, place.index, chunk);
  if (!work.args.grad_image || work.adds) return;
  if (place.entry >= 0) {
    work.blended[place.entry] = chunk.pixel;
    return;
  }
  CrossedPixel<T> crossed{T(0), T(0), -1};
  if (is_blended) {
    const int across = chunk.pixel.across;
    crossed = {chunk.pixel.weight[kOwn], chunk.pixel.weight[across], across};
  }
  work.crossed[place.pixel] = crossed;
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
  scene.place_of(pixel, index, row, column);
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
