// csrc/kernels/contour_sign.h: orientation of faces from float positions (CPU): eight at a time, or
// two at a time in four views.
#pragma once
#include <math.h>

#include "../core/host_device.h"

#ifdef __SSE2__
#include <immintrin.h>
#endif

LRAST_BEGIN

/// Views of a block, which go through the topology together: loading its indices and comparing the
/// faces of an edge costs as much for one view as for all of them.
constexpr int kViewLanes = 4;

/// Screen positions of a vertex in the views of a block, rounded to float: enough to sign nearly
/// every face, at half the memory traffic. What lies on the outline is computed again in double.
template <int L> struct RoughPoint { float x[L], y[L]; };

/// Signs of a face in the views of a block: bit `lane` if it is positive, 4 + `lane` if negative.
using SignCode = uint8_t;

inline SignCode sign_code(int sign, int lane) {
  return SignCode(int(sign > 0) << lane | int(sign < 0) << (4 + lane));
}
/// The lanes, as bits, in which a face has a sign.
inline int signed_lanes(SignCode code) { return (code | code >> 4) & 15; }

/// The signs of all faces in one view.
struct ViewSigns {
  const SignCode* codes;
  int lane;
  int operator[](int64_t face) const {
    return (codes[face] >> lane & 1) - (codes[face] >> (4 + lane) & 1);
  }
};

constexpr int kSignBlock = 64;  // faces per call of sign_block()

/// Bound on the error of a face's doubled area in float, given sums of absolute values: `reach` of
/// the first corner's coordinates, `span` of the two sides'. Every coordinate is at most
/// reach + span and was rounded to 2^-24 of itself, as were differences and products.
template <typename Float> LRAST_HD Float area_error(Float reach, Float span, Float unit) {
  const Float size = reach + span;
  return size * (span + size * unit) * unit;
}
constexpr float kAreaErrorUnit = 0x1p-20f;

template <int L>
SignCode sign_roughly(const RoughPoint<L>& a, const RoughPoint<L>& b, const RoughPoint<L>& c) {
  SignCode code = 0;
  for (int i = 0; i < L; ++i) {
    const float ux = b.x[i] - a.x[i], uy = b.y[i] - a.y[i];
    const float vx = c.x[i] - a.x[i], vy = c.y[i] - a.y[i];
    const float area = ux * vy - uy * vx;
    const float bound = area_error(fabsf(a.x[i]) + fabsf(a.y[i]),
                                   (fabsf(ux) + fabsf(uy)) + (fabsf(vx) + fabsf(vy)),
                                   kAreaErrorUnit);
    code |= sign_code(int(area > bound) - int(area < -bound), i);
  }
  return code;
}

#ifdef __SSE2__
inline __m128 absolute(__m128 v) { return _mm_andnot_ps(_mm_set1_ps(-0.0f), v); }

inline SignCode sign_roughly(const RoughPoint<4>& a, const RoughPoint<4>& b,
                             const RoughPoint<4>& c) {
  const __m128 ax = _mm_loadu_ps(a.x), ay = _mm_loadu_ps(a.y);
  const __m128 ux = _mm_loadu_ps(b.x) - ax, uy = _mm_loadu_ps(b.y) - ay;
  const __m128 vx = _mm_loadu_ps(c.x) - ax, vy = _mm_loadu_ps(c.y) - ay;
  const __m128 area = ux * vy - uy * vx;
  const __m128 bound = area_error(absolute(ax) + absolute(ay),
                                  (absolute(ux) + absolute(uy)) + (absolute(vx) + absolute(vy)),
                                  _mm_set1_ps(kAreaErrorUnit));
  return SignCode(_mm_movemask_ps(_mm_cmpgt_ps(area, bound)) |
                  _mm_movemask_ps(_mm_cmplt_ps(area, -bound)) << 4);
}
#endif

#ifdef __AVX2__
/// One corner of eight faces. Loads of pairs beat gather instructions on every CPU tried.
inline void load_corner(const RoughPoint<1>* rough, const int32_t* faces, __m256& x, __m256& y) {
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

/// Signs of two faces in four views; false if one is 0.
inline bool sign_pair(const RoughPoint<4>* rough, const int32_t* faces, SignCode* codes) {
  const auto both = [](const float* first, const float* second) {
    return _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(first)),
                                _mm_loadu_ps(second), 1);
  };
  const RoughPoint<4>&a0 = rough[faces[0]], &b0 = rough[faces[1]], &c0 = rough[faces[2]];
  const RoughPoint<4>&a1 = rough[faces[3]], &b1 = rough[faces[4]], &c1 = rough[faces[5]];
  const __m256 ax = both(a0.x, a1.x), ay = both(a0.y, a1.y);
  const __m256 ux = both(b0.x, b1.x) - ax, uy = both(b0.y, b1.y) - ay;
  const __m256 vx = both(c0.x, c1.x) - ax, vy = both(c0.y, c1.y) - ay;
  const __m256 area = ux * vy - uy * vx;
  const __m256 bound = area_error(absolute(ax) + absolute(ay),
                                  (absolute(ux) + absolute(uy)) + (absolute(vx) + absolute(vy)),
                                  _mm256_set1_ps(kAreaErrorUnit));
  const int above = _mm256_movemask_ps(_mm256_cmp_ps(area, bound, _CMP_GT_OQ));
  const int below = _mm256_movemask_ps(_mm256_cmp_ps(area, -bound, _CMP_LT_OQ));
  codes[0] = SignCode((above & 0x0f) | (below & 0x0f) << 4);
  codes[1] = SignCode(above >> 4 | (below & 0xf0));
  return (above | below) == 0xff;
}

/// Signs of eight faces in one view; false if one is 0.
inline bool sign_eight(const RoughPoint<1>* rough, const int32_t* faces, SignCode* codes) {
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
  const __m256i code = _mm256_or_si256(_mm256_and_si256(above, _mm256_set1_epi32(1)),
                                       _mm256_and_si256(below, _mm256_set1_epi32(16)));
  const __m128i words =
      _mm_packs_epi32(_mm256_castsi256_si128(code), _mm256_extracti128_si256(code, 1));
  _mm_storel_epi64(reinterpret_cast<__m128i*>(codes), _mm_packus_epi16(words, words));
  return _mm256_movemask_ps(_mm256_castsi256_ps(_mm256_or_si256(above, below))) == 0xff;
}
#endif

/// Signs of up to kSignBlock faces; 0 where float cannot tell, and false if that may be so in one
/// of the `lanes`.
template <int L>
bool sign_block(const RoughPoint<L>* rough, const int32_t* faces, int count, int lanes,
                SignCode* codes) {
  int sure = lanes, i = 0;
#ifdef __AVX2__
  if constexpr (L == 1) {
    for (; i + 8 <= count; i += 8)
      if (!sign_eight(rough, faces + 3 * i, codes + i)) sure = 0;
  } else {
    for (; i + 2 <= count; i += 2)
      if (!sign_pair(rough, faces + 3 * i, codes + i)) sure = 0;
  }
#endif
  for (; i < count; ++i) {
    const int32_t* face = faces + 3 * i;
    codes[i] = sign_roughly(rough[face[0]], rough[face[1]], rough[face[2]]);
    sure &= signed_lanes(codes[i]);
  }
  return sure == lanes;
}

LRAST_END
