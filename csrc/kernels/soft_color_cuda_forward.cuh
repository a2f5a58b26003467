// csrc/kernels/soft_color_cuda_forward.cuh: softly visible colours of tiles (CUDA).
#pragma once
#include "soft_color_cuda_tile.cuh"

LRAST_BEGIN

constexpr int kChannels = 4;  // that a thread adds up at a time: three of colour and the share of faces

template <typename T> struct SoftColorsForwardWork {
  SoftScene<T> scene;
  SoftColorsArgs<T> args;
  SoftColorsForwardWork(const SoftColorsArgs<T>& a, Arena& scratch) : scene(a, scratch), args(a) {}
};

/// What a pixel has gathered.
template <typename T> struct ColorPixel {
  T product, largest, total;  // see SoftColorsArgs; the product is of 1 / (1 - p)
  T sum[kChannels];
};

/// Adds what a face weighs at a pixel, as blend() of the CPU does.
template <typename T>
__device__ void blend_face(const ColorScene<T>& colors, const ColorBatch<T>& batch, int i, int h,
                           T x, T y, T p, int first, ColorPixel<T>& pixel) {
  const ColorTriangle<T>& triangle = batch.half[i][h];
  const ColorPoint<T> point = color_point(triangle, x, y);
  const T exponent = point.key * colors.slope + colors.offset;
  const T before = pixel.largest, now = larger(before, exponent);
  const T weight = p * decay<T>(exponent - now);
  if (before < now) {
    // A new maximum: what is there already loses weight.
    const T scale = decay<T>(before - now);
    pixel.largest = now;
    pixel.total = pixel.total * scale;
    for (int c = 0; c < kChannels; ++c) pixel.sum[c] = pixel.sum[c] * scale;
  }
  pixel.total = pixel.total + weight;
#pragma unroll
  for (int c = 0; c < kChannels; ++c) {
    if (first + c < colors.channels) {
      T color = point.bary[0] * colors.corner(batch, i, triangle.corner[0], first + c);
      for (int j = 1; j < 3; ++j)
        color = color + point.bary[j] * colors.corner(batch, i, triangle.corner[j], first + c);
      pixel.sum[c] = pixel.sum[c] + weight * color;
    } else {
      pixel.sum[c] = pixel.sum[c] + weight;  // the share of faces, and beyond it nothing that counts
    }
  }
}

/// Colours of tiles, so many channels at a time as a thread has room for: a picture with more of them
/// goes through the faces again.
template <typename T>
__global__ void __launch_bounds__(kBlock, kBlocksAtOnce<T>)
    color_tiles(const __grid_constant__ SoftColorsForwardWork<T> work) {
  __shared__ ColorBatch<T> batch;
  const SoftScene<T>& scene = work.scene;
  const SoftColorsArgs<T>& args = work.args;
  const SoftTile<T> tile(scene, blockIdx.x);
  const ColorScene<T> colors(scene, tile.view, args.colors, args.color_model);
  for (int first = 0; first <= colors.channels; first += kChannels) {
    ColorPixel<T> pixels[kRow];
    for (ColorPixel<T>& pixel : pixels) {
      pixel = {T(1), colors.background, T(1), {}};
    }
    visit_colors(scene, tile, colors.perspective, batch, [&](int i) {
      if (!batch.may_reach(tile, i)) return;
      RowFrames<T> frames(tile, batch, i);
      for (int p = 0; p < kRow; ++p) {
        frames.move_to(p);
        SoftChance<T> chance;
        if (!chance_at(tile, frames, chance)) continue;
        ColorPixel<T>& pixel = pixels[p];
        pixel.product = with_face<T>(pixel.product, chance.odds);
        const T x = tile.middle_x() + tile.offset(p), y = tile.middle_y() + tile.offset(tile.row);
        const int h = is_in_half(batch, i, 0, x, y) ? 0 : 1;
        blend_face(colors, batch, i, h, x, y, chance.odds / chance.factor, first, pixel);
      }
    });
    for (int p = 0; p < kRow; ++p) {
      const int64_t place = tile.place(scene, p);
      if (place < 0) continue;
      const ColorPixel<T>& pixel = pixels[p];
      T* const image = args.image + place * (colors.channels + 1) + first;
      for (int c = 0; c < kChannels; ++c)
        if (first + c <= colors.channels) image[c] = pixel.sum[c] / pixel.total;
      if (first > 0) continue;
      args.coverage[place] = (pixel.product - T(1)) / pixel.product;
      args.uncovered[place] = pixel.product < T(Power<T>::kCap) ? T(1) / pixel.product : T(0);
      args.largest[place] = pixel.largest;
      args.total[place] = pixel.total;
    }
  }
}

LRAST_END
