// csrc/core/orientation.h: on which side of a line or plane a point lies, exactly.
// An estimate in double decides where its error bound allows; else sums of doubles without rounding.
// [J. R. Shewchuk, "Adaptive precision floating-point arithmetic and fast robust geometric
// predicates", 1997]  Needs compiling without contraction, and products that do not underflow.
#pragma once
#include <math.h>

#include "vec3.h"

LRAST_BEGIN

/// An exact number: doubles that do not overlap, smallest first.
template <int kSize> struct Expansion {
  double terms[kSize];
  int count = 0;
};

LRAST_HD double two_sum(double a, double b, double& rest) {
  const double sum = a + b, part = sum - a;
  rest = (a - (sum - part)) + (b - part);
  return sum;
}

LRAST_HD double two_product(double a, double b, double& rest) {
  constexpr double kSplit = 134217729.0;  // 2^27 + 1
  const double product = a * b;
  const double a_big = kSplit * a - (kSplit * a - a), a_small = a - a_big;
  const double b_big = kSplit * b - (kSplit * b - b), b_small = b - b_big;
  rest = a_small * b_small -
         (((product - a_big * b_big) - a_small * b_big) - a_big * b_small);
  return product;
}

template <int N> LRAST_HD void add_term(Expansion<N>& e, double term) {
  int count = 0;
  for (int i = 0; i < e.count; ++i) {
    double rest;
    term = two_sum(term, e.terms[i], rest);
    if (rest != 0) e.terms[count++] = rest;
  }
  if (term != 0) e.terms[count++] = term;
  e.count = count;
}

LRAST_HD Expansion<2> difference(double a, double b) {
  Expansion<2> e;
  add_term(e, a);
  add_term(e, -b);
  return e;
}

template <int M, int N> LRAST_HD Expansion<2 * M * N> times(const Expansion<M>& a, const Expansion<N>& b) {
  Expansion<2 * M * N> e;
  for (int i = 0; i < a.count; ++i)
    for (int k = 0; k < b.count; ++k) {
      double rest;
      const double product = two_product(a.terms[i], b.terms[k], rest);
      add_term(e, rest);
      add_term(e, product);
    }
  return e;
}

template <int M, int N>
LRAST_HD Expansion<M + N> plus(const Expansion<M>& a, const Expansion<N>& b, double sign) {
  Expansion<M + N> e;
  for (int i = 0; i < a.count; ++i) add_term(e, a.terms[i]);
  for (int i = 0; i < b.count; ++i) add_term(e, sign * b.terms[i]);
  return e;
}

template <int N> LRAST_HD int sign_of(const Expansion<N>& e) {
  if (e.count == 0) return 0;
  return e.terms[e.count - 1] > 0 ? 1 : -1;  // the last outweighs all others
}

constexpr double kHalfUlp = 1.1102230246251565e-16;

/// 1 if a, b, c turn left (counter-clockwise), -1 if right, 0 if they are in line.
LRAST_HD int orient2d(double ax, double ay, double bx, double by, double cx, double cy) {
  const double left = (ax - cx) * (by - cy), right = (ay - cy) * (bx - cx);
  const double det = left - right;
  const double bound = (3 + 16 * kHalfUlp) * kHalfUlp * (fabs(left) + fabs(right));
  if (det > bound) return 1;
  if (-det > bound) return -1;
  return sign_of(plus(times(difference(ax, cx), difference(by, cy)),
                      times(difference(ay, cy), difference(bx, cx)), -1));
}

/// 1 if d lies on the side of the plane from which a, b, c turn right (clockwise), -1 if on the
/// other, 0 if in the plane.
LRAST_HD int orient3d(const Vec3& a, const Vec3& b, const Vec3& c, const Vec3& d) {
  const Vec3 u = a - d, v = b - d, w = c - d;
  const double vw = v.x * w.y, wv = w.x * v.y, wu = w.x * u.y;
  const double uw = u.x * w.y, uv = u.x * v.y, vu = v.x * u.y;
  const double det = u.z * (vw - wv) + v.z * (wu - uw) + w.z * (uv - vu);
  const double size = (fabs(vw) + fabs(wv)) * fabs(u.z) + (fabs(wu) + fabs(uw)) * fabs(v.z) +
                      (fabs(uv) + fabs(vu)) * fabs(w.z);
  const double bound = (7 + 56 * kHalfUlp) * kHalfUlp * size;
  if (det > bound) return 1;
  if (-det > bound) return -1;
  const auto ux = difference(a.x, d.x), uy = difference(a.y, d.y), uz = difference(a.z, d.z);
  const auto vx = difference(b.x, d.x), vy = difference(b.y, d.y), vz = difference(b.z, d.z);
  const auto wx = difference(c.x, d.x), wy = difference(c.y, d.y), wz = difference(c.z, d.z);
  const auto first = times(plus(times(vx, wy), times(wx, vy), -1), uz);
  const auto second = times(plus(times(wx, uy), times(ux, wy), -1), vz);
  const auto third = times(plus(times(ux, vy), times(vx, uy), -1), wz);
  return sign_of(plus(plus(first, second, 1), third, 1));
}

LRAST_END
