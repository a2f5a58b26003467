// csrc/kernels/lanes.h: as many doubles at once as the instruction set has room for (CPU).
//
// Each lane rounds as a double alone would, so that results do not depend on the number of lanes.
#pragma once
#include <string.h>

#include "../core/host_device.h"

#ifdef __SSE2__
#include <immintrin.h>
#endif
#ifndef __has_builtin
#define __has_builtin(name) 0
#endif

LRAST_BEGIN

#if defined(__AVX512F__)
constexpr int kLanes = 8;
#elif defined(__AVX2__)
constexpr int kLanes = 4;
#else
constexpr int kLanes = 2;
#endif
constexpr unsigned kAllLanes = (1u << kLanes) - 1;

typedef double Doubles __attribute__((vector_size(8 * kLanes)));
typedef int64_t Longs __attribute__((vector_size(8 * kLanes)));
typedef float Floats __attribute__((vector_size(4 * kLanes)));
typedef int32_t Ints __attribute__((vector_size(4 * kLanes)));

/// {number(0), number(1), ...}
template <typename Number> inline Doubles each_lane(Number&& number) {
#if defined(__AVX512F__)
  return Doubles{number(0), number(1), number(2), number(3),
                 number(4), number(5), number(6), number(7)};
#elif defined(__AVX2__)
  return Doubles{number(0), number(1), number(2), number(3)};
#else
  return Doubles{number(0), number(1)};
#endif
}
/// Not 0 + x: the compiler would add, because x may be -0.
inline Doubles all_lanes(double x) {
  return each_lane([&](int) { return x; });
}
inline Doubles lane_numbers() {
  return each_lane([](int lane) { return double(lane); });
}

/// All bits of the lanes set.
inline Ints int_mask(unsigned lanes) {
#if defined(__AVX512F__)
  const Ints bit{1, 2, 4, 8, 16, 32, 64, 128};
#elif defined(__AVX2__)
  const Ints bit{1, 2, 4, 8};
#else
  const Ints bit{1, 2};
#endif
  return (bit & int32_t(lanes)) != 0;
}

template <typename Vector, typename Item> inline Vector load_lanes(const Item* from) {
  Vector out;
  memcpy(&out, from, sizeof(out));
  return out;
}
template <typename Vector, typename Item> inline void store_lanes(const Vector& from, Item* to) {
  memcpy(to, &from, sizeof(from));
}

/// Left to itself, the compiler converts eight floats in two halves.
inline Doubles widened(const Floats& a) {
#if defined(__AVX512F__)
  return _mm512_maskz_cvtps_pd(0xff, a);
#else
  return __builtin_convertvector(a, Doubles);
#endif
}

/// Numbers twice as wide: `high` as the upper 32 bits, the lower ones of `low`, which has no upper.
inline Longs in_high_half(const Ints& high, const Longs& low) {
#if defined(__AVX512F__)
  const __m512i twice = _mm512_setr_epi32(0, 0, 0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0, 7);
  const __m512i wide = _mm512_castsi256_si512(__m256i(high));
  return Longs(_mm512_mask_permutexvar_epi32(__m512i(low), 0xaaaa, twice, wide));
#else
  return __builtin_convertvector(high, Longs) << 32 | low;
#endif
}

// A bit per lane, lane 0 the lowest, of a comparison.
#if defined(__AVX512F__)
inline unsigned lane_bits(const Ints& mask) { return unsigned(_mm256_movemask_ps(__m256(mask))); }
inline unsigned above(const Doubles& a, const Doubles& b) {
  return _mm512_cmp_pd_mask(a, b, _CMP_GT_OQ);
}
inline unsigned at_least(const Doubles& a, const Doubles& b) {
  return _mm512_cmp_pd_mask(a, b, _CMP_GE_OQ);
}
inline Doubles where(unsigned lanes, const Doubles& yes, const Doubles& no) {
  return _mm512_mask_blend_pd(__mmask8(lanes), no, yes);
}
inline Ints where(unsigned lanes, const Ints& yes, const Ints& no) {
  return Ints(_mm256_mask_blend_epi32(__mmask8(lanes), __m256i(no), __m256i(yes)));
}
inline unsigned not_negative(const Ints& a) {
  return _mm256_cmpge_epi32_mask(__m256i(a), _mm256_setzero_si256());
}
inline unsigned equal(const Ints& a, int32_t b) {
  return _mm256_cmpeq_epi32_mask(__m256i(a), _mm256_set1_epi32(b));
}
/// Replaces the numbers of `lanes` at `place` where the new ones are larger; returns where.
inline unsigned raise(int64_t* place, const Longs& candidates, unsigned lanes) {
  const __m512i old = _mm512_loadu_si512(place), fresh = __m512i(candidates);
  const __mmask8 larger = _mm512_mask_cmpgt_epi64_mask(__mmask8(lanes), fresh, old);
  _mm512_mask_storeu_epi64(place, larger, fresh);
  return larger;
}
#else
#if defined(__AVX2__)
inline unsigned lane_bits(const Longs& mask) { return unsigned(_mm256_movemask_pd(__m256d(mask))); }
inline unsigned lane_bits(const Ints& mask) { return unsigned(_mm_movemask_ps(__m128(mask))); }
#elif defined(__SSE2__)
inline unsigned lane_bits(const Longs& mask) { return unsigned(_mm_movemask_pd(__m128d(mask))); }
#else
inline unsigned lane_bits(const Longs& mask) { return unsigned(mask[0] & 1) | unsigned(mask[1] & 2); }
#endif
#if !defined(__AVX2__)
inline unsigned lane_bits(const Ints& mask) { return unsigned(mask[0] & 1) | unsigned(mask[1] & 2); }
#endif
inline Longs lane_mask(unsigned lanes) {
#if defined(__AVX2__)
  const Longs bit{1, 2, 4, 8};
#else
  const Longs bit{1, 2};
#endif
  return (bit & int64_t(lanes)) != 0;
}
inline unsigned above(const Doubles& a, const Doubles& b) { return lane_bits(a > b); }
inline unsigned at_least(const Doubles& a, const Doubles& b) { return lane_bits(a >= b); }
inline Doubles where(unsigned lanes, const Doubles& yes, const Doubles& no) {
  return lane_mask(lanes) ? yes : no;
}
inline Ints where(unsigned lanes, const Ints& yes, const Ints& no) {
  return int_mask(lanes) ? yes : no;
}
inline unsigned not_negative(const Ints& a) { return lane_bits(a >= 0); }
inline unsigned equal(const Ints& a, int32_t b) { return lane_bits(a == Ints{} + b); }
/// Replaces the numbers of `lanes` at `place` where the new ones are larger; returns where.
inline unsigned raise(int64_t* place, const Longs& candidates, unsigned lanes) {
  const Longs old = load_lanes<Longs>(place);
  const Longs larger = lane_mask(lanes) & (candidates > old);
  store_lanes(larger ? candidates : old, place);
  return lane_bits(larger);
}
#endif
/// Which of kLanes numbers of a and b are equal.
inline unsigned equal_lanes(const float* a, const float* b) {
  return lane_bits(Ints(load_lanes<Floats>(a) == load_lanes<Floats>(b)));
}
inline unsigned equal_lanes(const double* a, const double* b) {
#if defined(__AVX512F__)
  return _mm512_cmp_pd_mask(load_lanes<Doubles>(a), load_lanes<Doubles>(b), _CMP_EQ_OQ);
#else
  return lane_bits(Longs(load_lanes<Doubles>(a) == load_lanes<Doubles>(b)));
#endif
}
/// Writes a[0], b[0], c[0], a[1], b[1], ...
template <typename Vector, typename Item>
inline void store_interleaved(const Vector& a, const Vector& b, const Vector& c, Item* to) {
#if defined(__AVX512F__) && __has_builtin(__builtin_shufflevector)
  const Vector ab0 = __builtin_shufflevector(a, b, 0, 8, 0, 1, 9, 0, 2, 10);
  const Vector ab1 = __builtin_shufflevector(a, b, 0, 3, 11, 0, 4, 12, 0, 5);
  const Vector ab2 = __builtin_shufflevector(a, b, 13, 0, 6, 14, 0, 7, 15, 0);
  store_lanes(Vector(__builtin_shufflevector(ab0, c, 0, 1, 8, 3, 4, 9, 6, 7)), to);
  store_lanes(Vector(__builtin_shufflevector(ab1, c, 10, 1, 2, 11, 4, 5, 12, 7)), to + 8);
  store_lanes(Vector(__builtin_shufflevector(ab2, c, 0, 13, 2, 3, 14, 5, 6, 15)), to + 16);
#elif defined(__AVX2__) && __has_builtin(__builtin_shufflevector)
  const Vector ab0 = __builtin_shufflevector(a, b, 0, 4, 0, 1);
  const Vector ab1 = __builtin_shufflevector(a, b, 5, 0, 2, 6);
  const Vector ab2 = __builtin_shufflevector(a, b, 0, 3, 7, 0);
  store_lanes(Vector(__builtin_shufflevector(ab0, c, 0, 1, 4, 3)), to);
  store_lanes(Vector(__builtin_shufflevector(ab1, c, 0, 5, 2, 3)), to + 4);
  store_lanes(Vector(__builtin_shufflevector(ab2, c, 6, 1, 2, 7)), to + 8);
#else
  for (int lane = 0; lane < kLanes; ++lane) {
    to[3 * lane] = a[lane];
    to[3 * lane + 1] = b[lane];
    to[3 * lane + 2] = c[lane];
  }
#endif
}
/// Floats of `lanes`, 0 in the others.
template <typename T> inline auto rounded(unsigned lanes, const Doubles& a) {
  typedef T Out __attribute__((vector_size(kLanes * sizeof(T))));
#if defined(__AVX512F__)
  if constexpr (sizeof(T) == 4) return Out(_mm512_maskz_cvtpd_ps(__mmask8(lanes), a));
  else
#endif
  return __builtin_convertvector(where(lanes, a, Doubles{}), Out);
}

inline Doubles least(const Doubles& a, const Doubles& b) { return a < b ? a : b; }
inline Doubles most(const Doubles& a, const Doubles& b) { return a > b ? a : b; }
inline Doubles magnitude(const Doubles& a) { return most(a, -a); }

LRAST_END
