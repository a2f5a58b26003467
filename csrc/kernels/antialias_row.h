// csrc/kernels/antialias_row.h: colours of a row of pixels (CPU).
#pragma once
#include <string.h>

#include "antialias_blend.h"

LRAST_BEGIN

/// Of several intersections of a pixel, the one nearest to its centre.
inline void keep_nearest(int32_t* nearest, const Crossing* all, const Crossing* begin,
                         const Crossing* end) {
  for (const Crossing* it = begin; it < end; ++it) {
    int32_t& kept = nearest[it->column];
    if (kept < 0 || it->distance < all[kept].distance) kept = int32_t(it - all);
  }
}

/// What a row shows where nothing is blended. Called while the row is in the cache anyway.
template <typename T> void copy_row(const AntialiasView<T>& view, int row) {
  const int64_t stride = int64_t(view.width) * view.channels;
  memcpy(view.out + row * stride, view.image + row * stride, size_t(stride) * sizeof(T));
}

/// Colours of one row's blended pixels; the others have theirs. `here` says where outlines pass;
/// `above` are intersections that the row above found for this one.
template <typename T, typename Crossings>
void blend_row(const AntialiasView<T>& view, int row, const RowPixels& here,
               const Crossing* crossings, int64_t num_crossings, const Crossing* above,
               int64_t num_above, RowChunk<T>& chunk, Crossings& merged) {
  if (num_crossings + num_above == 0) {
    for (const PixelPieces* it = here.begin; it < here.end; ++it)
      blend_pixel(view, row, it->column, it, nullptr, chunk);
    return;
  }
  merged.clear();
  for (int64_t i = 0; i < num_above; ++i) merged.push(above[i]);
  for (int64_t i = 0; i < num_crossings; ++i) merged.push(crossings[i]);
  chunk.nearest.resize(view.width);
  memset(chunk.nearest.data(), 0xff, size_t(view.width) * sizeof(int32_t));
  const Crossing* const all = merged.data();
  keep_nearest(chunk.nearest.data(), all, all, all + merged.size());
  const PixelPieces* it = here.begin;
  for (int column = 0; column < view.width; ++column) {
    const PixelPieces* pixel = it < here.end && it->column == column ? it++ : nullptr;
    const int32_t kept = chunk.nearest[column];
    if (pixel || kept >= 0)
      blend_pixel(view, row, column, pixel, kept < 0 ? nullptr : all + kept, chunk);
  }
}

LRAST_END
