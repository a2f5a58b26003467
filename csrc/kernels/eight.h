// csrc/kernels/eight.h: eight doubles at a time, with the same bits in every instruction set (CPU).
#pragma once
#include <math.h>

#include "../core/host_device.h"

#ifdef __SSE2__
#include <immintrin.h>
#endif

LRAST_BEGIN

#if defined(__AVX512DQ__)

struct Eight { __m512d v; };
struct EightMask { uint32_t bits; };  // one bit per lane

inline Eight load(const double* from) { return {_mm512_loadu_pd(from)}; }
inline Eight all(double x) { return {_mm512_set1_pd(x)}; }
inline void store(double* to, Eight a) { _mm512_storeu_pd(to, a.v); }
inline Eight operator+(Eight a, Eight b) { return {a.v + b.v}; }
inline Eight operator-(Eight a, Eight b) { return {a.v - b.v}; }
inline Eight operator*(Eight a, Eight b) { return {a.v * b.v}; }
inline Eight operator/(Eight a, Eight b) { return {a.v / b.v}; }
// Masks of all lanes where none is needed: GCC 12 warns of undefined values in the plain forms.
inline Eight larger(Eight a, Eight b) { return {_mm512_mask_max_pd(a.v, 0xff, a.v, b.v)}; }
inline Eight smaller(Eight a, Eight b) { return {_mm512_mask_min_pd(a.v, 0xff, a.v, b.v)}; }
inline Eight floor(Eight a) {
  constexpr int kDown = _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC;
  return {_mm512_mask_roundscale_pd(a.v, 0xff, a.v, kDown)};
}
inline EightMask operator<(Eight a, Eight b) { return {_mm512_cmp_pd_mask(a.v, b.v, _CMP_LT_OQ)}; }
inline EightMask operator<=(Eight a, Eight b) { return {_mm512_cmp_pd_mask(a.v, b.v, _CMP_LE_OQ)}; }
inline EightMask operator==(Eight a, Eight b) { return {_mm512_cmp_pd_mask(a.v, b.v, _CMP_EQ_OQ)}; }
inline EightMask operator&(EightMask a, EightMask b) { return {a.bits & b.bits}; }
inline EightMask operator|(EightMask a, EightMask b) { return {a.bits | b.bits}; }
inline EightMask operator!(EightMask a) { return {~a.bits & 0xffu}; }
inline EightMask first_lanes(int count) {
  return {(1u << (count < 0 ? 0 : count > 8 ? 8 : count)) - 1u};
}
inline uint32_t bits(EightMask a) { return a.bits; }
inline Eight pick(EightMask mask, Eight a, Eight b) {
  return {_mm512_mask_blend_pd(__mmask8(mask.bits), b.v, a.v)};
}
inline Eight add_where(Eight a, EightMask mask, Eight b) {
  return {_mm512_mask_add_pd(a.v, __mmask8(mask.bits), a.v, b.v)};
}
inline void store_ints(int32_t* to, Eight a) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), _mm512_maskz_cvttpd_epi32(0xff, a.v));
}
/// The numbers at from[kStride * rows[lane]].
template <int kStride> inline Eight gather(const double* from, const int32_t* rows) {
  const __m256i index =
      _mm256_mullo_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(rows)),
                         _mm256_set1_epi32(kStride));
  return {_mm512_mask_i32gather_pd(_mm512_setzero_pd(), 0xff, index, from, 8)};
}
inline double least(Eight a) {
  const __m256d four =
      _mm256_min_pd(_mm512_maskz_extractf64x4_pd(0xf, a.v, 0), _mm512_maskz_extractf64x4_pd(0xf, a.v, 1));
  const __m128d two = _mm_min_pd(_mm256_castpd256_pd128(four), _mm256_extractf128_pd(four, 1));
  return _mm_cvtsd_f64(_mm_min_sd(two, _mm_unpackhi_pd(two, two)));
}
inline double sum(Eight a) {
  const __m256d four = _mm512_maskz_extractf64x4_pd(0xf, a.v, 0) + _mm512_maskz_extractf64x4_pd(0xf, a.v, 1);
  const __m128d two = _mm256_castpd256_pd128(four) + _mm256_extractf128_pd(four, 1);
  return two[0] + two[1];
}

#else

// Vector extensions of GCC and Clang, as wide as the instruction set's registers.
#ifdef __AVX2__
constexpr int kPartLanes = 4;
#else
constexpr int kPartLanes = 2;
#endif
constexpr int kParts = 8 / kPartLanes;
typedef double Part __attribute__((vector_size(8 * kPartLanes)));
typedef double PartAnywhere __attribute__((vector_size(8 * kPartLanes), aligned(8), may_alias));
typedef int64_t PartMask __attribute__((vector_size(8 * kPartLanes)));

#if defined(__AVX2__)
inline uint32_t part_bits(PartMask a) { return uint32_t(_mm256_movemask_pd(__m256d(a))); }
inline Part part_floor(Part a) { return _mm256_floor_pd(a); }
#elif defined(__SSE4_1__)
inline uint32_t part_bits(PartMask a) { return uint32_t(_mm_movemask_pd(__m128d(a))); }
inline Part part_floor(Part a) { return _mm_floor_pd(a); }
#else
inline uint32_t part_bits(PartMask a) { return uint32_t((a[0] & 1) | (a[1] & 2)); }
inline Part part_floor(Part a) { return Part{::floor(a[0]), ::floor(a[1])}; }
#endif

struct Eight { Part part[kParts]; };
struct EightMask { PartMask part[kParts]; };  // -1 or 0

/// function(i) for each part i.
template <typename Result, typename Function> inline Result each(Function&& function) {
  Result result;
  for (int i = 0; i < kParts; ++i) result.part[i] = function(i);
  return result;
}
inline Eight load(const double* from) {
  return each<Eight>([&](int i) { return reinterpret_cast<const PartAnywhere*>(from)[i]; });
}
inline Eight all(double x) {
  return each<Eight>([&](int) { return x - Part{}; });
}
inline Eight operator+(Eight a, Eight b) {
  return each<Eight>([&](int i) { return a.part[i] + b.part[i]; });
}
inline Eight operator-(Eight a, Eight b) {
  return each<Eight>([&](int i) { return a.part[i] - b.part[i]; });
}
inline Eight operator*(Eight a, Eight b) {
  return each<Eight>([&](int i) { return a.part[i] * b.part[i]; });
}
inline Eight operator/(Eight a, Eight b) {
  return each<Eight>([&](int i) { return a.part[i] / b.part[i]; });
}
inline EightMask operator<(Eight a, Eight b) {
  return each<EightMask>([&](int i) { return a.part[i] < b.part[i]; });
}
inline EightMask operator<=(Eight a, Eight b) {
  return each<EightMask>([&](int i) { return a.part[i] <= b.part[i]; });
}
inline EightMask operator==(Eight a, Eight b) {
  return each<EightMask>([&](int i) { return a.part[i] == b.part[i]; });
}
inline EightMask operator&(EightMask a, EightMask b) {
  return each<EightMask>([&](int i) { return a.part[i] & b.part[i]; });
}
inline EightMask operator|(EightMask a, EightMask b) {
  return each<EightMask>([&](int i) { return a.part[i] | b.part[i]; });
}
inline EightMask operator!(EightMask a) {
  return each<EightMask>([&](int i) { return ~a.part[i]; });
}
inline Eight pick(EightMask mask, Eight a, Eight b) {
  return each<Eight>([&](int i) { return mask.part[i] ? a.part[i] : b.part[i]; });
}
inline Eight larger(Eight a, Eight b) {
  return each<Eight>([&](int i) { return a.part[i] > b.part[i] ? a.part[i] : b.part[i]; });
}
inline Eight smaller(Eight a, Eight b) {
  return each<Eight>([&](int i) { return a.part[i] < b.part[i] ? a.part[i] : b.part[i]; });
}
inline Eight add_where(Eight a, EightMask mask, Eight b) {
  return each<Eight>([&](int i) { return a.part[i] + Part(PartMask(b.part[i]) & mask.part[i]); });
}
inline Eight floor(Eight a) {
  return each<Eight>([&](int i) { return part_floor(a.part[i]); });
}
inline void store(double* to, Eight a) {
  for (int i = 0; i < kParts; ++i) reinterpret_cast<PartAnywhere*>(to)[i] = a.part[i];
}
inline EightMask first_lanes(int count) {
  const double numbers[8] = {0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0};
  return load(numbers) < all(count);
}
inline uint32_t bits(EightMask a) {
  uint32_t bits = 0;
  for (int i = 0; i < kParts; ++i) bits |= part_bits(a.part[i]) << (kPartLanes * i);
  return bits;
}
inline void store_ints(int32_t* to, Eight a) {
  double lanes[8];
  store(lanes, a);
  for (int i = 0; i < 8; ++i) to[i] = int32_t(lanes[i]);
}
template <int kStride> inline Eight gather(const double* from, const int32_t* rows) {
  double lanes[8];
  for (int i = 0; i < 8; ++i) lanes[i] = from[kStride * int64_t(rows[i])];
  return load(lanes);
}
inline double least(Eight a) {
  Part least = a.part[0];
  for (int i = 1; i < kParts; ++i) least = a.part[i] < least ? a.part[i] : least;
  double x = least[0];
  for (int i = 1; i < kPartLanes; ++i) x = smaller(x, double(least[i]));
  return x;
}
inline double sum(Eight a) {
  Part sum = a.part[0];
  for (int i = 1; i < kParts; ++i) sum += a.part[i];
  double x = sum[0];
  for (int i = 1; i < kPartLanes; ++i) x += sum[i];
  return x;
}

#endif

/// x between lo and hi.
inline Eight clamped(Eight x, Eight lo, Eight hi) { return smaller(larger(x, lo), hi); }

LRAST_END
