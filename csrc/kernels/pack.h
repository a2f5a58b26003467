// csrc/kernels/pack.h: as many numbers as a register of this ISA level holds (CPU).
// The same operations on each lane at every level, so the same bits.
#pragma once
#include <string.h>

#include "../core/soft.h"

#if defined(__SSE4_1__)
#include <immintrin.h>
#endif

// Loops over pixels live in what these are inlined into, so that packs stay in registers.
#define LRAST_INLINE inline __attribute__((always_inline))

LRAST_BEGIN

#if defined(__SSE4_1__)

template <typename T> struct PackTypes;
#if defined(__AVX512F__) && defined(__AVX512DQ__)
template <> struct PackTypes<float> { using Register = __m512; using Mask = __mmask16; };
template <> struct PackTypes<double> { using Register = __m512d; using Mask = __mmask8; };
#elif defined(__AVX2__)
template <> struct PackTypes<float> { using Register = __m256; using Mask = __m256; };
template <> struct PackTypes<double> { using Register = __m256d; using Mask = __m256d; };
#else
template <> struct PackTypes<float> { using Register = __m128; using Mask = __m128; };
template <> struct PackTypes<double> { using Register = __m128d; using Mask = __m128d; };
#endif

template <typename T> struct PackMask { typename PackTypes<T>::Mask m; };

template <typename T> struct Pack {
  using Register = typename PackTypes<T>::Register;
  static constexpr int kLanes = int(sizeof(Register) / sizeof(T));
  Register v;

  Pack() = default;
  Pack(Register register_) : v(register_) {}
  explicit Pack(T x) : v(x - Register{}) {}  // x - 0 keeps the sign of 0, as 0 + x does not
};

template <typename T> inline Pack<T> load(const T* from) {
  Pack<T> p;
  memcpy(&p.v, from, sizeof(p.v));
  return p;
}
template <typename T> inline void store(Pack<T> p, T* to) { memcpy(to, &p.v, sizeof(p.v)); }

template <typename T> inline Pack<T> operator+(Pack<T> a, Pack<T> b) { return {a.v + b.v}; }
template <typename T> inline Pack<T> operator-(Pack<T> a, Pack<T> b) { return {a.v - b.v}; }
template <typename T> inline Pack<T> operator*(Pack<T> a, Pack<T> b) { return {a.v * b.v}; }
template <typename T> inline Pack<T> operator/(Pack<T> a, Pack<T> b) { return {a.v / b.v}; }

using Floats = Pack<float>;
using Doubles = Pack<double>;
using FloatMask = PackMask<float>;
using DoubleMask = PackMask<double>;

// Operand order: min_ps(b, a) is b < a ? b : a, as smaller(a, b) of numbers.
#if !defined(__FMA__)
/// a * b + c of two floats in double: the product is exact, and the sum, rounded to the neighbour of
/// odd mantissa where it is not, may be rounded to float again.
inline __m128 multiply_add_two(__m128 a, __m128 b, __m128 c) {
  const __m128d product = _mm_cvtps_pd(a) * _mm_cvtps_pd(b), added = _mm_cvtps_pd(c);
  const __m128d sum = product + added, back = sum - product;
  const __m128d error = (product - (sum - back)) + (added - back);
  const __m128i bits = _mm_castpd_si128(sum), one = _mm_set1_epi64x(1);
  const __m128d even =
      _mm_castsi128_pd(_mm_cmpeq_epi64(_mm_and_si128(bits, one), _mm_setzero_si128()));
  const __m128d none = _mm_setzero_pd();  // not of infinity, whose error is NaN
  const __m128d inexact = _mm_or_pd(_mm_cmplt_pd(error, none), _mm_cmplt_pd(none, error));
  // -1 where the sum is too large in magnitude, else 1.
  const __m128i toward =
      _mm_or_si128(_mm_srai_epi32(_mm_shuffle_epi32(_mm_castpd_si128(_mm_xor_pd(sum, error)),
                                                    _MM_SHUFFLE(3, 3, 1, 1)),
                                  31),
                   one);
  const __m128i step = _mm_and_si128(toward, _mm_castpd_si128(_mm_and_pd(even, inexact)));
  return _mm_cvtpd_ps(_mm_castsi128_pd(_mm_add_epi64(bits, step)));
}
#endif
inline Floats multiply_add(Floats a, Floats b, Floats c) {
#if defined(__AVX512F__) && defined(__AVX512DQ__)
  return _mm512_fmadd_ps(a.v, b.v, c.v);
#elif defined(__FMA__)
  return _mm256_fmadd_ps(a.v, b.v, c.v);
#else
  const auto high = [](Floats x) { return _mm_movehl_ps(x.v, x.v); };
  return _mm_movelh_ps(multiply_add_two(a.v, b.v, c.v),
                       multiply_add_two(high(a), high(b), high(c)));
#endif
}
inline Doubles multiply_add(Doubles a, Doubles b, Doubles c) { return a * b + c; }

#if defined(__AVX512F__) && defined(__AVX512DQ__)
// With a mask of all lanes, because GCC 12 warns of the undefined registers in the plain
// intrinsics.
constexpr __mmask16 kAll16 = 0xffff;
constexpr __mmask8 kAll8 = 0xff;
inline Floats smaller(Floats a, Floats b) { return _mm512_maskz_min_ps(kAll16, b.v, a.v); }
inline Doubles smaller(Doubles a, Doubles b) { return _mm512_maskz_min_pd(kAll8, b.v, a.v); }
inline Floats larger(Floats a, Floats b) { return _mm512_maskz_max_ps(kAll16, b.v, a.v); }
inline Doubles larger(Doubles a, Doubles b) { return _mm512_maskz_max_pd(kAll8, b.v, a.v); }
inline Floats root(Floats a) { return _mm512_maskz_sqrt_ps(kAll16, a.v); }
inline Doubles root(Doubles a) { return _mm512_maskz_sqrt_pd(kAll8, a.v); }
inline Floats magnitude(Floats a) { return _mm512_abs_ps(a.v); }
inline Doubles magnitude(Doubles a) { return _mm512_abs_pd(a.v); }
inline Floats with_sign(Floats a, Floats sign) {
  // Bit by bit: the mask's bit chooses the second operand, else the third.
  return _mm512_castsi512_ps(_mm512_ternarylogic_epi32(_mm512_set1_epi32(INT32_MIN),
                                                       _mm512_castps_si512(sign.v),
                                                       _mm512_castps_si512(a.v), 0xca));
}
inline Doubles with_sign(Doubles a, Doubles sign) {
  return _mm512_castsi512_pd(_mm512_ternarylogic_epi64(_mm512_set1_epi64(INT64_MIN),
                                                       _mm512_castpd_si512(sign.v),
                                                       _mm512_castpd_si512(a.v), 0xca));
}
inline Floats join_signs(Floats a, Floats b) { return _mm512_or_ps(a.v, b.v); }
inline Doubles join_signs(Doubles a, Doubles b) { return _mm512_or_pd(a.v, b.v); }
inline Floats join_signs(Floats a, Floats b, Floats c) {
  return _mm512_castsi512_ps(_mm512_ternarylogic_epi32(
      _mm512_castps_si512(a.v), _mm512_castps_si512(b.v), _mm512_castps_si512(c.v), 0xfe));
}
inline Doubles join_signs(Doubles a, Doubles b, Doubles c) {
  return _mm512_castsi512_pd(_mm512_ternarylogic_epi64(
      _mm512_castpd_si512(a.v), _mm512_castpd_si512(b.v), _mm512_castpd_si512(c.v), 0xfe));
}
// 2: the smaller magnitude, with the sign of the first. What is beyond is exactly as large as with
// a magnitude and a limit at 0, which take one operation more.
inline Floats side_excess(Floats along, Floats half) {
  return along - Floats(_mm512_maskz_range_ps(kAll16, along.v, half.v, 2));
}
inline Doubles side_excess(Doubles along, Doubles half) {
  return along - Doubles(_mm512_maskz_range_pd(kAll8, along.v, half.v, 2));
}
inline Floats scaled(Floats x, Floats n) {
  const __m512i shift = _mm512_maskz_slli_epi32(kAll16, _mm512_castps_si512(n.v), 23);
  return _mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(x.v), shift));
}
inline Doubles scaled(Doubles x, Doubles n) {
  const __m512i shift = _mm512_maskz_slli_epi64(kAll8, _mm512_castpd_si512(n.v), 52);
  return _mm512_castsi512_pd(_mm512_add_epi64(_mm512_castpd_si512(x.v), shift));
}
inline FloatMask less(Floats a, Floats b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_LT_OQ)}; }
inline DoubleMask less(Doubles a, Doubles b) { return {_mm512_cmp_pd_mask(a.v, b.v, _CMP_LT_OQ)}; }
inline Floats select(FloatMask m, Floats a, Floats b) {
  return _mm512_mask_blend_ps(m.m, b.v, a.v);
}
inline Doubles select(DoubleMask m, Doubles a, Doubles b) {
  return _mm512_mask_blend_pd(m.m, b.v, a.v);
}
inline FloatMask both(FloatMask a, FloatMask b) { return {__mmask16(a.m & b.m)}; }
inline DoubleMask both(DoubleMask a, DoubleMask b) { return {__mmask8(a.m & b.m)}; }
inline FloatMask without(FloatMask a, FloatMask b) { return {__mmask16(a.m & ~b.m)}; }
inline DoubleMask without(DoubleMask a, DoubleMask b) { return {__mmask8(a.m & ~b.m)}; }
inline unsigned bits_of(FloatMask a) { return a.m; }
inline unsigned bits_of(DoubleMask a) { return a.m; }

#else

#if defined(__AVX2__)
#define LRAST_PS(name) _mm256_##name##_ps
#define LRAST_PD(name) _mm256_##name##_pd
inline FloatMask less(Floats a, Floats b) { return {_mm256_cmp_ps(a.v, b.v, _CMP_LT_OQ)}; }
inline DoubleMask less(Doubles a, Doubles b) { return {_mm256_cmp_pd(a.v, b.v, _CMP_LT_OQ)}; }
inline Floats scaled(Floats x, Floats n) {
  const __m256i shift = _mm256_slli_epi32(_mm256_castps_si256(n.v), 23);
  return _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(x.v), shift));
}
inline Doubles scaled(Doubles x, Doubles n) {
  const __m256i shift = _mm256_slli_epi64(_mm256_castpd_si256(n.v), 52);
  return _mm256_castsi256_pd(_mm256_add_epi64(_mm256_castpd_si256(x.v), shift));
}
#else
#define LRAST_PS(name) _mm_##name##_ps
#define LRAST_PD(name) _mm_##name##_pd
inline FloatMask less(Floats a, Floats b) { return {_mm_cmplt_ps(a.v, b.v)}; }
inline DoubleMask less(Doubles a, Doubles b) { return {_mm_cmplt_pd(a.v, b.v)}; }
inline Floats scaled(Floats x, Floats n) {
  const __m128i shift = _mm_slli_epi32(_mm_castps_si128(n.v), 23);
  return _mm_castsi128_ps(_mm_add_epi32(_mm_castps_si128(x.v), shift));
}
inline Doubles scaled(Doubles x, Doubles n) {
  const __m128i shift = _mm_slli_epi64(_mm_castpd_si128(n.v), 52);
  return _mm_castsi128_pd(_mm_add_epi64(_mm_castpd_si128(x.v), shift));
}
#endif
inline Floats smaller(Floats a, Floats b) { return LRAST_PS(min)(b.v, a.v); }
inline Doubles smaller(Doubles a, Doubles b) { return LRAST_PD(min)(b.v, a.v); }
inline Floats larger(Floats a, Floats b) { return LRAST_PS(max)(b.v, a.v); }
inline Doubles larger(Doubles a, Doubles b) { return LRAST_PD(max)(b.v, a.v); }
inline Floats root(Floats a) { return LRAST_PS(sqrt)(a.v); }
inline Doubles root(Doubles a) { return LRAST_PD(sqrt)(a.v); }
inline Floats magnitude(Floats a) { return LRAST_PS(andnot)(Floats(-0.0f).v, a.v); }
inline Doubles magnitude(Doubles a) { return LRAST_PD(andnot)(Doubles(-0.0).v, a.v); }
inline Floats with_sign(Floats a, Floats sign) {
  const Floats bit(-0.0f);
  return LRAST_PS(or)(LRAST_PS(andnot)(bit.v, a.v), LRAST_PS(and)(bit.v, sign.v));
}
inline Doubles with_sign(Doubles a, Doubles sign) {
  const Doubles bit(-0.0);
  return LRAST_PD(or)(LRAST_PD(andnot)(bit.v, a.v), LRAST_PD(and)(bit.v, sign.v));
}
inline Floats select(FloatMask m, Floats a, Floats b) { return LRAST_PS(blendv)(b.v, a.v, m.m); }
inline Doubles select(DoubleMask m, Doubles a, Doubles b) {
  return LRAST_PD(blendv)(b.v, a.v, m.m);
}
inline FloatMask both(FloatMask a, FloatMask b) { return {LRAST_PS(and)(a.m, b.m)}; }
inline DoubleMask both(DoubleMask a, DoubleMask b) { return {LRAST_PD(and)(a.m, b.m)}; }
inline FloatMask without(FloatMask a, FloatMask b) { return {LRAST_PS(andnot)(b.m, a.m)}; }
inline DoubleMask without(DoubleMask a, DoubleMask b) { return {LRAST_PD(andnot)(b.m, a.m)}; }
inline unsigned bits_of(FloatMask a) { return unsigned(LRAST_PS(movemask)(a.m)); }
inline unsigned bits_of(DoubleMask a) { return unsigned(LRAST_PD(movemask)(a.m)); }
inline Floats join_signs(Floats a, Floats b) { return LRAST_PS(or)(a.v, b.v); }
inline Doubles join_signs(Doubles a, Doubles b) { return LRAST_PD(or)(a.v, b.v); }
#undef LRAST_PS
#undef LRAST_PD
#endif

#else  // one lane: the formulas for numbers

template <typename T> struct PackMask { bool m; };
template <typename T> struct Pack {
  static constexpr int kLanes = 1;
  T v;
  Pack() = default;
  explicit Pack(T x) : v(x) {}
};
template <typename T> inline Pack<T> load(const T* from) { return Pack<T>(*from); }
template <typename T> inline void store(Pack<T> p, T* to) { *to = p.v; }
template <typename T> inline Pack<T> operator+(Pack<T> a, Pack<T> b) { return Pack<T>(a.v + b.v); }
template <typename T> inline Pack<T> operator-(Pack<T> a, Pack<T> b) { return Pack<T>(a.v - b.v); }
template <typename T> inline Pack<T> operator*(Pack<T> a, Pack<T> b) { return Pack<T>(a.v * b.v); }
template <typename T> inline Pack<T> operator/(Pack<T> a, Pack<T> b) { return Pack<T>(a.v / b.v); }
template <typename T> inline Pack<T> multiply_add(Pack<T> a, Pack<T> b, Pack<T> c) {
  return Pack<T>(multiply_add(a.v, b.v, c.v));
}
template <typename T> inline Pack<T> smaller(Pack<T> a, Pack<T> b) {
  return Pack<T>(smaller(a.v, b.v));
}
template <typename T> inline Pack<T> larger(Pack<T> a, Pack<T> b) {
  return Pack<T>(larger(a.v, b.v));
}
template <typename T> inline Pack<T> root(Pack<T> a) { return Pack<T>(root(a.v)); }
template <typename T> inline Pack<T> magnitude(Pack<T> a) { return Pack<T>(magnitude(a.v)); }
template <typename T> inline Pack<T> with_sign(Pack<T> a, Pack<T> sign) {
  return Pack<T>(with_sign(a.v, sign.v));
}
template <typename T> inline Pack<T> join_signs(Pack<T> a, Pack<T> b) {
  return Pack<T>(join_signs(a.v, b.v));
}
template <typename T> inline Pack<T> scaled(Pack<T> x, Pack<T> n) {
  return Pack<T>(scaled(x.v, n.v));
}
template <typename T> inline PackMask<T> less(Pack<T> a, Pack<T> b) { return {a.v < b.v}; }
template <typename T> inline Pack<T> select(PackMask<T> m, Pack<T> a, Pack<T> b) {
  return m.m ? a : b;
}
template <typename T> inline PackMask<T> both(PackMask<T> a, PackMask<T> b) {
  return {a.m && b.m};
}
template <typename T> inline PackMask<T> without(PackMask<T> a, PackMask<T> b) {
  return {a.m && !b.m};
}
template <typename T> inline unsigned bits_of(PackMask<T> a) { return a.m; }
using Doubles = Pack<double>;

#endif

/// 2^z as power_of_two() has it, bit for bit, where z counts, else 0; beyond kLargest that or more.
/// kBounded: z is no less than Power<T>::kLeast where it counts.
#if defined(__AVX512F__) && defined(__AVX512DQ__)
template <bool kBounded> inline Floats power_for_cap(Floats z, FloatMask counts) {
  const Floats round(Power<float>::kRound), fraction(_mm512_maskz_reduce_ps(kAll16, z.v, 0));
  return _mm512_maskz_scalef_ps(counts.m, power_fraction(fraction, 0.0f).v,
                                ((z + round) - round).v);
}
template <bool kBounded> inline Doubles power_for_cap(Doubles z, DoubleMask counts) {
  const Doubles round(Power<double>::kRound), fraction(_mm512_maskz_reduce_pd(kAll8, z.v, 0));
  return _mm512_maskz_scalef_pd(counts.m, power_fraction(fraction, 0.0).v,
                                ((z + round) - round).v);
}
#else
template <bool kBounded, typename T> inline Pack<T> power_for_cap(Pack<T> z, PackMask<T> counts) {
  const Pack<T> low = kBounded ? z : larger(z, Pack<T>(Power<T>::kLeast));
  return select(counts, power_of_two<T>(smaller(low, Pack<T>(Power<T>::kLargest))), Pack<T>(T(0)));
}
#endif

/// What bits_of() gives where all lanes are chosen.
template <typename T> constexpr unsigned kAllLanes = (1u << Pack<T>::kLanes) - 1;

LRAST_END
