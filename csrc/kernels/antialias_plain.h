// csrc/kernels/antialias_plain.h: pixels around which an image has one colour (CPU).
#pragma once
#include "antialias_view.h"

LRAST_BEGIN

/// For each number of a row, one byte: whether it equals those above and below, and whether it
/// equals the same channel of the next pixel. Loops without branches, for the compiler to vectorize.
template <typename T>
void compare_numbers(const T* own, const T* up, const T* down, int64_t count, int channels,
                     uint8_t* column_same, uint8_t* next_same) {
  for (int64_t i = 0; i < count; ++i)
    column_same[i] = uint8_t((own[i] == up[i]) & (own[i] == down[i]));
  for (int64_t i = 0; i < count - channels; ++i) next_same[i] = own[i] == own[i + channels];
  for (int64_t i = larger<int64_t>(count - channels, 0); i < count; ++i) next_same[i] = 1;
}

/// From bytes per number to bytes per pixel, in place.
template <int kChannels> void join_channels(uint8_t* same, int width, int channels) {
  const int count = kChannels ? kChannels : channels;
  for (int column = 0; column < width; ++column) {
    uint8_t all = 1;
    for (int c = 0; c < count; ++c) all &= same[int64_t(column) * count + c];
    same[column] = all;
  }
}
inline void join_channels(uint8_t* same, int width, int channels) {
  if (channels == 1) return;
  if (channels == 3) return join_channels<3>(same, width, channels);
  if (channels == 4) return join_channels<4>(same, width, channels);
  join_channels<0>(same, width, channels);
}

/// Marks the pixels of a row that have the colour of all their neighbours.
template <typename T>
void mark_plain(const AntialiasView<T>& view, int row, uint8_t* plain, Buffer<uint8_t>& scratch) {
  const int width = view.width, channels = view.channels;
  const int64_t stride = int64_t(width) * channels;
  if (stride == 0) return memset(plain, 1, size_t(width)), void();
  const T* const own = view.image + row * stride;
  scratch.resize(2 * stride);
  uint8_t* const column_same = scratch.data();
  uint8_t* const next_same = column_same + stride;
  compare_numbers(own, row > 0 ? own - stride : own, row + 1 < view.height ? own + stride : own,
                  stride, channels, column_same, next_same);
  join_channels(column_same, width, channels);
  join_channels(next_same, width, channels);
  plain[0] = column_same[0] & next_same[0] & (width > 1 ? column_same[1] : uint8_t(1));
  for (int column = 1; column + 1 < width; ++column)
    plain[column] = column_same[column - 1] & column_same[column] & column_same[column + 1] &
                    next_same[column - 1] & next_same[column];
  if (width > 1)
    plain[width - 1] = column_same[width - 2] & column_same[width - 1] & next_same[width - 2];
}

LRAST_END
