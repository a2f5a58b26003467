// csrc/kernels/contour_sign.h: orientation of faces from float positions, eight at a time (CPU).
#pragma once
#include <math.h>

#include "../core/host_device.h"

#ifdef __AVX2__
#include <immintrin.h>
#endif

LRAST_BEGIN

/// Screen position rounded to float: enough to sign nearly every face, at half the memory traffic.
/// What lies on the outline is computed again in double.
struct RoughPoint { float x, y; };

constexpr int kSignBlock = 64;  // faces per call of sign_block()

/// Bound on the error of a face's doubled area in float, given sums of absolute values: `reach` of
/// the first corner's coordinates, `span` of the two sides'. Every coordinate is at most
/// reach + span and was rounded to 2^-24 of itself, as were differences and products.
template <typename Float> LRAST_HD Float area_error(Float reach, Float span, Float unit) {
  const Float size = reach + span;
  return size * (span + size * unit) * unit;
}
constexpr float kAreaErrorUnit = 0x1p-20f;

inline int8_t sign_roughly(RoughPoint a, RoughPoint b, RoughPoint c) {
  const float ux = b.x - a.x, uy = b.y - a.y, vx = c.x - a.x, vy = c.y - a.y;
  const float area = ux * vy - uy * vx;
  const float bound = area_error(fabsf(a.x) + fabsf(a.y),
                                 (fabsf(ux) + fabsf(uy)) + (fabsf(vx) + fabsf(vy)),
                                 kAreaErrorUnit);
  return int8_t((area > bound) - (area < -bound));
}

#ifdef __AVX2__
/// One corner of eight faces. Loads of pairs beat gather instructions on every CPU tried.
inline void load_corner(const RoughPoint* rough, const int32_t* faces, __m256& x, __m256& y) {
  const double* pairs = reinterpret_cast<const double*>(rough);
  const auto four = [&](int i, int j, int k, int l) {
    const __m128d low = _mm_loadh_pd(_mm_load_sd(pairs + faces[i]), pairs + faces[j]);
    const __m128d high = _mm_loadh_pd(_mm_load_sd(pairs + faces[k]), pairs + faces[l]);
    return _mm256_castpd_ps(_mm256_insertf128_pd(_mm256_castpd128_pd256(low), high, 1));
  };
  // The shuffles below interleave two groups of four; this order comes out as faces 0 to 7.
  const __m256 p = four(0, 3, 12, 15), q = four(6, 9, 18, 21);
  x = _mm256_shuffle_ps(p, q, 0x88);
  y = _mm256_shuffle_ps(p, q, 0xdd);
}

inline __m256 absolute(__m256 v) { return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), v); }

/// Signs of eight faces; false if one is 0.
inline bool sign_eight(const RoughPoint* rough, const int32_t* faces, int8_t* signs) {
  __m256 ax, ay, bx, by, cx, cy;
  load_corner(rough, faces, ax, ay);
  load_corner(rough, faces + 1, bx, by);
  load_corner(rough, faces + 2, cx, cy);
  const __m256 ux = bx - ax, uy = by - ay, vx = cx - ax, vy = cy - ay;
  const __m256 area = ux * vy - uy * vx;
  const __m256 bound = area_error(absolute(ax) + absolute(ay),
                                  (absolute(ux) + absolute(uy)) + (absolute(vx) + absolute(vy)),
                                  _mm256_set1_ps(kAreaErrorUnit));
  const __m256i above = _mm256_castps_si256(_mm256_cmp_ps(area, bound, _CMP_GT_OQ));
  const __m256i below = _mm256_castps_si256(_mm256_cmp_ps(area, -bound, _CMP_LT_OQ));
  const __m256i sign = _mm256_sub_epi32(below, above);  // true is -1
  const __m128i words =
      _mm_packs_epi32(_mm256_castsi256_si128(sign), _mm256_extracti128_si256(sign, 1));
  _mm_storel_epi64(reinterpret_cast<__m128i*>(signs), _mm_packs_epi16(words, words));
  return _mm256_movemask_ps(_mm256_castsi256_ps(_mm256_or_si256(above, below))) == 0xff;
}
#endif

/// Signs of up to kSignBlock faces; 0 where float cannot tell, and false if there is such a one.
inline bool sign_block(const RoughPoint* rough, const int32_t* faces, int count, int8_t* signs) {
  bool sure = true;
  int i = 0;
#ifdef __AVX2__
  for (; i + 8 <= count; i += 8) sure &= sign_eight(rough, faces + 3 * i, signs + i);
#endif
  for (; i < count; ++i) {
    const int32_t* face = faces + 3 * i;
    signs[i] = sign_roughly(rough[face[0]], rough[face[1]], rough[face[2]]);
    sure &= signs[i] != 0;
  }
  return sure;
}

LRAST_END
