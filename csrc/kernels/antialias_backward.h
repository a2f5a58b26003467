// csrc/kernels/antialias_backward.h: gradients of one view from its tape (CPU).
#pragma once
#include "antialias_gradient.h"
#include "antialias_tape.h"

LRAST_BEGIN

/// Sums over a contour edge: gradient of its top and bottom end by end_weights(), and further
/// screen-y gradients of the ends.
struct EdgeSums { double top, bottom, top_y, bottom_y; };

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
  const TapeCut from = end < args.num_verts ? TapeCut{end, -1} : cuts[end - args.num_verts];
  visit_end_gradient(args, verts, from, grad, [&](int32_t vert, ClipPoint value) {
    add_clip_gradient(grad_verts, vert, value);
  });
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
    visit_crossing_gradient(args, verts, tape.head.flat != 0, pixel, *crossing++,
                            grad.weight[pixel.across] - grad.weight[kOwn],
                            [&](int32_t vert, ClipPoint value) {
      add_clip_gradient(grad_verts, vert, value);
    });
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
      const double share = share_of(tape.pixels[i], j);
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
