// csrc/kernels/antialias_plain.h: pixels around which an image has one colour (CPU).
#pragma once
#include "antialias_view.h"
#include "lanes.h"

LRAST_BEGIN

/// For 64 numbers or fewer, a bit each: whether a[i] == b[i]. The bits beyond `count` are 1.
template <typename T> inline uint64_t equal_bits(const T* a, const T* b, int count) {
  uint64_t bits = count < 64 ? ~uint64_t(0) << count : 0;
  int i = 0;
  for (; i + kLanes <= count; i += kLanes) bits |= uint64_t(equal_lanes(a + i, b + i)) << i;
  for (; i < count; ++i) bits |= uint64_t(a[i] == b[i]) << i;
  return bits;
}

/// For 64 pixels or fewer of several channels, a bit each: whether all channels of a equal those of
/// b. The bits beyond `count` are 1.
template <int kChannels, typename T>
inline uint64_t equal_pixels(const T* a, const T* b, int count, int num_channels) {
  const int channels = kChannels ? kChannels : num_channels;
  if (kChannels == 1) return equal_bits(a, b, count);
  uint64_t bits = count < 64 ? ~uint64_t(0) << count : 0;
  for (int i = 0; i < count; ++i) {
    bool all = true;
    for (int c = 0; c < channels; ++c) all &= a[i * channels + c] == b[i * channels + c];
    bits |= uint64_t(all) << i;
  }
  return bits;
}

/// Marks the pixels of a row that have the colour of all their neighbours. `same` is scratch.
template <int kChannels, typename T>
void mark_plain_pixels(const AntialiasView<T>& view, int row, uint64_t* plain,
                       Buffer<uint64_t>& same) {
  const int width = view.width, words = view.plain_words;
  const int64_t channels = view.channels, stride = width * channels;
  const T* const own = view.image + row * stride;
  const T* const up = row > 0 ? own - stride : own;
  const T* const down = row + 1 < view.height ? own + stride : own;
  same.resize(2 * words);
  uint64_t* const column_same = same.data();        // as those above and below
  uint64_t* const next_same = same.data() + words;  // as the next pixel
  for (int word = 0; word < words; ++word) {
    const int64_t begin = 64 * word * channels;
    const int count = smaller(width - 64 * word, 64);
    const int next = smaller(width - 1 - 64 * word, 64);
    column_same[word] = equal_pixels<kChannels>(own + begin, up + begin, count, view.channels) &
                        equal_pixels<kChannels>(own + begin, down + begin, count, view.channels);
    next_same[word] =
        equal_pixels<kChannels>(own + begin, own + begin + channels, next, view.channels);
  }
  for (int word = 0; word < words; ++word) {
    const uint64_t columns = column_same[word], next = next_same[word];
    const uint64_t before = word > 0 ? column_same[word - 1] & next_same[word - 1] : ~uint64_t(0);
    const uint64_t after = word + 1 < words ? column_same[word + 1] : ~uint64_t(0);
    plain[word] = columns & next & ((columns & next) << 1 | before >> 63) &
                  (columns >> 1 | after << 63);
  }
}
template <typename T>
void mark_plain(const AntialiasView<T>& view, int row, uint64_t* plain, Buffer<uint64_t>& same) {
  if (view.channels == 1) return mark_plain_pixels<1>(view, row, plain, same);
  if (view.channels == 3) return mark_plain_pixels<3>(view, row, plain, same);
  if (view.channels == 4) return mark_plain_pixels<4>(view, row, plain, same);
  mark_plain_pixels<0>(view, row, plain, same);
}

LRAST_END
