// csrc/kernels/interpolate_lanes.h: attribute rows four channels at a time (CPU).
#pragma once
#include <string.h>

#include "../core/interpolate.h"

#ifdef __AVX__
#include <immintrin.h>
#endif

LRAST_BEGIN

// Vectors of the compiler: up to four channels at once at every ISA level. Functions take them by
// reference, because how they are passed by value depends on the level.
template <typename T> struct Four;
template <> struct Four<float> { typedef float Lanes __attribute__((vector_size(16))); };
template <> struct Four<double> { typedef double Lanes __attribute__((vector_size(32))); };
template <typename T> using Lanes = typename Four<T>::Lanes;

/// kCount channels; the lanes beyond are zero.
template <int kCount, typename T> inline void load(const T* from, Lanes<T>& to) {
  static_assert(1 <= kCount && kCount <= 4);
  if constexpr (kCount == 1) to = Lanes<T>{from[0]};
  if constexpr (kCount == 2) to = Lanes<T>{from[0], from[1]};
  if constexpr (kCount == 3) to = Lanes<T>{from[0], from[1], from[2]};
  if constexpr (kCount == 4) memcpy(&to, from, sizeof(to));
}
template <int kCount, typename T> inline void store(const Lanes<T>& from, T* to) {
  if constexpr (kCount == 4) {
    memcpy(to, &from, sizeof(from));
  } else {
    for (int c = 0; c < kCount; ++c) to[c] = from[c];
  }
}
#ifdef __AVX512VL__
// Three of four lanes at once, which otherwise take two instructions each way.
template <> inline void load<3>(const float* from, Lanes<float>& to) {
  to = _mm_maskz_loadu_ps(7, from);
}
template <> inline void store<3>(const Lanes<float>& from, float* to) {
  _mm_mask_storeu_ps(to, 7, from);
}
#endif

inline void widen(const Lanes<double>& from, Lanes<double>& to) { to = from; }
inline void widen(const Lanes<float>& from, Lanes<double>& to) {
#ifdef __AVX__
  to = _mm256_cvtps_pd(from);  // which the compiler takes apart if left to itself
#else
  to = __builtin_convertvector(from, Lanes<double>);
#endif
}

/// kCount channels, from `first` on, of the blend of three rows.
template <int kCount, typename T>
inline void blend_lanes(const T* const* rows, const T* bary, int first, T* out) {
  Lanes<T> a, b, c, sum;
  load<kCount>(rows[0] + first, a);
  load<kCount>(rows[1] + first, b);
  load<kCount>(rows[2] + first, c);
  blend(a, b, c, bary, sum);
  store<kCount>(sum, out + first);
}

/// All channels; kChannels is their number where the compiler is to know it, or 0.
template <int kChannels, typename T>
inline void blend_channels(const T* const* rows, const T* bary, int channels, T* out) {
  if constexpr (kChannels > 0) {
    blend_lanes<kChannels>(rows, bary, 0, out);
  } else {
    int c = 0;
    for (; c + 4 <= channels; c += 4) blend_lanes<4>(rows, bary, c, out);
    for (; c < channels; ++c) blend_lanes<1>(rows, bary, c, out);
  }
}

/// Gradients of the three weights, likewise.
template <int kChannels, typename T>
inline void blend_weights_vjp(const T* grad, const T* const* rows, int num_channels,
                              T* grad_bary) {
  // Unlike +0 this leaves every number as it is, so that the compiler drops the addition.
  constexpr T kNothing = T(-0.0);
  const int channels = kChannels ? kChannels : num_channels;
  T sums[3][4] = {{kNothing, kNothing, kNothing, kNothing},
                  {kNothing, kNothing, kNothing, kNothing},
                  {kNothing, kNothing, kNothing, kNothing}};
  int done = 0;
  if constexpr (kChannels == 0 || kChannels >= 4) {
    Lanes<T> lanes[3];
    memcpy(lanes, sums, sizeof(sums));
    for (; done + 4 <= channels; done += 4) {
      Lanes<T> part;
      load<4>(grad + done, part);
      for (int corner = 0; corner < 3; ++corner) {
        Lanes<T> row;
        load<4>(rows[corner] + done, row);
        lanes[corner] += part * row;
      }
    }
    memcpy(sums, lanes, sizeof(sums));
  }
  for (int corner = 0; corner < 3; ++corner) {
    for (int c = done; c < channels; ++c) sums[corner][c & 3] += grad[c] * rows[corner][c];
    grad_bary[corner] = blend_weight_vjp(sums[corner]);
  }
}

LRAST_END
