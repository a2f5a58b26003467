// csrc/kernels/antialias_backward.h: gradients of one view from its tape (CPU).
#pragma once
#include "antialias_tape.h"

LRAST_BEGIN

/// Sums over a contour edge: gradient of its top and bottom end by end_weights(), and further
/// screen-y gradients of the ends.
struct EdgeSums { double top, bottom, top_y, bottom_y; };

/// What one pixel's colour passes on: gradients of its coverage, and of its weights before they
/// were made non-negative and of the right sum.
struct PixelGrads { double coverage, weight[kSky + 1]; };

template <typename T>
const T* pixel_colour(const T* image, int64_t pixel, int width, int channels, int neighbor) {
  return image + (pixel + (neighbor / 3 - 1) * int64_t(width) + (neighbor % 3 - 1)) * channels;
}

template <typename T>
PixelGrads grads_of_pixel(const AntialiasBackwardArgs<T>& args, const T* image, const T* grad_out,
                          const BlendedPixel<T>& pixel) {
  const T* const grad = grad_out + int64_t(pixel.pixel) * args.num_channels;
  double along[9], mean = 0.0;  // grad . colour of each neighbour
  for (int j = 0; j < 9; ++j) {
    along[j] = 0.0;
    if (pixel.weight[j] == T(0) && j != pixel.sky) continue;
    const T* const colour = pixel_colour(image, pixel.pixel, args.width, args.num_channels, j);
    for (int c = 0; c < args.num_channels; ++c) along[j] += double(grad[c]) * double(colour[c]);
    mean += along[j] * (pixel.weight[j] / pixel.coverage);
  }
  PixelGrads out;
  for (int j = 0; j < 9; ++j)
    out.weight[j] = pixel.weight[j] > T(0) ? pixel.scale * (along[j] - mean) : 0.0;
  out.weight[kSky] = 0.0;
  out.coverage = pixel.sky >= 0 ? mean - along[pixel.sky] : 0.0;
  return out;
}

template <typename T> void add_clip_gradient(T* grad_verts, int64_t vert, ClipPoint p) {
  T* const grad = grad_verts + 4 * vert;
  grad[0] += T(p.x);
  grad[1] += T(p.y);
  grad[2] += T(p.z);
  grad[3] += T(p.w);
}

/// Adds a screen gradient at a contour edge's end to the vertex, or vertices, it comes from.
template <typename T>
void add_gradient_at_end(const AntialiasBackwardArgs<T>& args, const T* verts, const TapeCut* cuts,
                         int32_t end, ScreenPoint grad, T* grad_verts) {
  if (end < args.num_verts) {
    add_clip_gradient(grad_verts, end,
                      screen_from_clip_vjp(load_clip(verts + 4 * int64_t(end)), args.width,
                                           args.height, grad));
    return;
  }
  const TapeCut cut = cuts[end - args.num_verts];
  const ClipPoint a = load_clip(verts + 4 * int64_t(cut.visible));
  const ClipPoint b = load_clip(verts + 4 * int64_t(cut.hidden));
  ClipPoint grad_a, grad_b;
  clip_at_near_vjp(a, b, screen_from_clip_vjp(clip_at_near(a, b), args.width, args.height, grad),
                   grad_a, grad_b);
  add_clip_gradient(grad_verts, cut.visible, grad_a);
  add_clip_gradient(grad_verts, cut.hidden, grad_b);
}

/// Moves an intersection: the planes of both faces.
template <typename T>
void add_gradient_of_crossing(const AntialiasBackwardArgs<T>& args, const T* verts, bool flat,
                              const BlendedPixel<T>& pixel, const FaceCrossing<T>& crossing,
                              double grad_area, T* grad_verts) {
  const double x = pixel.pixel % args.width + 0.5, y = pixel.pixel / args.width + 0.5;
  for (int side = 0; side < 2; ++side) {
    const int32_t* const face =
        args.faces + 3 * int64_t(side == 0 ? crossing.face : crossing.other_face);
    const double grad = side == 0 ? grad_area : -grad_area;
    ClipPoint corners[3], grads[3] = {};
    for (int j = 0; j < 3; ++j) corners[j] = load_clip(verts + 4 * int64_t(face[j]));
    face_key_vjp(corners, args.width, args.height, x, y, flat,
                 {grad * crossing.x, grad * crossing.y, grad * crossing.center}, grads);
    for (int j = 0; j < 3; ++j) add_clip_gradient(grad_verts, face[j], grads[j]);
  }
}

template <typename T>
void backward_verts(const AntialiasBackwardArgs<T>& args, const AntialiasTape<T>& tape,
                    int64_t view, const Buffer<PixelGrads>& grads, Buffer<EdgeSums>& sums) {
  const T* const verts = args.verts_clip + 4 * args.num_verts * view;
  T* const grad_verts = args.grad_verts_clip + 4 * args.num_verts * view;
  const OutlineSpan<T>* span = tape.spans;
  const BorderPiece<T>* border = tape.borders;
  const FaceCrossing<T>* crossing = tape.crossings;
  sums.zero(tape.head.edges);
  for (int64_t i = 0; i < tape.head.pixels; ++i) {
    const BlendedPixel<T>& pixel = tape.pixels[i];
    const PixelGrads& grad = grads[i];
    for (int k = 0; k < pixel.num_spans; ++k, ++span) {
      sums[span->edge].top += grad.coverage * span->top;
      sums[span->edge].bottom += grad.coverage * span->bottom;
    }
    for (int k = 0; k < pixel.num_borders; ++k, ++border) {
      const double grad_area = grad.weight[border->right] - grad.weight[border->left];
      EdgeSums& sum = sums[border->edge];
      sum.top += grad_area * border->top;
      sum.bottom += grad_area * border->bottom;
      sum.top_y += grad_area * border->sweep_top;
      sum.bottom_y += grad_area * border->sweep_bottom;
    }
    if (pixel.across < 0) continue;
    add_gradient_of_crossing(args, verts, tape.head.flat != 0, pixel, *crossing++,
                             grad.weight[pixel.across] - grad.weight[kOwn], grad_verts);
  }
  for (int64_t i = 0; i < tape.head.edges; ++i) {
    const EdgeSums sum = sums[i];
    if (sum.top == 0.0 && sum.bottom == 0.0 && sum.top_y == 0.0 && sum.bottom_y == 0.0) continue;
    const TapeEdge& e = tape.edges[i];
    ScreenPoint top = end_gradient(e.dx, e.dy, sum.top);
    ScreenPoint bottom = end_gradient(e.dx, e.dy, sum.bottom);
    top.y += sum.top_y;
    bottom.y += sum.bottom_y;
    add_gradient_at_end(args, verts, tape.cuts, e.top, top, grad_verts);
    add_gradient_at_end(args, verts, tape.cuts, e.bottom, bottom, grad_verts);
  }
}

/// Gradient of the image in rows [begin, end). Contributions to a pixel come in the order of the
/// tape, whatever the rows are.
template <typename T>
void backward_image_rows(const AntialiasBackwardArgs<T>& args, const AntialiasTape<T>& tape,
                         int64_t view, int64_t begin, int64_t end) {
  const int64_t stride = int64_t(args.width) * args.num_channels;
  const T* const grad_out = args.grad_out + view * args.height * stride;
  T* const grad_image = args.grad_image + view * args.height * stride;
  memcpy(grad_image + begin * stride, grad_out + begin * stride,
         size_t((end - begin) * stride) * sizeof(T));
  // The first pixel that can reach into these rows.
  int64_t low = 0, high = tape.head.pixels;
  while (low < high) {
    const int64_t middle = low + (high - low) / 2;
    if (tape.pixels[middle].pixel / args.width < begin - 1) low = middle + 1;
    else high = middle;
  }
  const int64_t first = low;
  int64_t last = first;
  for (; last < tape.head.pixels && tape.pixels[last].pixel / args.width <= end; ++last) {
    const int64_t pixel = tape.pixels[last].pixel, row = pixel / args.width;
    if (row >= begin && row < end)
      for (int c = 0; c < args.num_channels; ++c) grad_image[pixel * args.num_channels + c] = T(0);
  }
  for (int64_t i = first; i < last; ++i) {
    const int64_t pixel = tape.pixels[i].pixel, row = pixel / args.width;
    const T* const grad = grad_out + pixel * args.num_channels;
    for (int j = 0; j < 9; ++j) {
      const int64_t target_row = row + j / 3 - 1;
      const double share =
          tape.pixels[i].weight[j] + (j == tape.pixels[i].sky ? 1.0 - tape.pixels[i].coverage : 0.0);
      if (share == 0.0 || target_row < begin || target_row >= end) continue;
      T* const target =
          grad_image + (pixel + (j / 3 - 1) * int64_t(args.width) + (j % 3 - 1)) * args.num_channels;
      for (int c = 0; c < args.num_channels; ++c) target[c] += T(share * double(grad[c]));
    }
  }
}

template <typename T>
void backward_view(const AntialiasBackwardArgs<T>& args, int64_t view, int threads) {
  static thread_local Buffer<PixelGrads> own_grads;
  static thread_local Buffer<EdgeSums> sums;
  Buffer<PixelGrads>& grads = own_grads;  // other threads must not resolve it themselves
  const AntialiasTape<T> tape(args.tape, view);
  const int64_t stride = int64_t(args.width) * args.num_channels;
  const T* const image = args.image + view * args.height * stride;
  const T* const grad_out = args.grad_out + view * args.height * stride;
  if (args.grad_verts_clip) {
    grads.resize(tape.head.pixels);
    parallel_chunks(tape.head.pixels, num_chunks(tape.head.pixels * args.num_channels, threads),
                    threads, [&](int, int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i)
        grads[i] = grads_of_pixel(args, image, grad_out, tape.pixels[i]);
    });
    backward_verts(args, tape, view, grads, sums);
  }
  if (args.grad_image)
    parallel_chunks(args.height, int(smaller<int64_t>(num_chunks(args.height * stride, threads),
                                                      args.height)),
                    threads, [&](int, int64_t begin, int64_t end) {
      backward_image_rows(args, tape, view, begin, end);
    });
}

LRAST_END
