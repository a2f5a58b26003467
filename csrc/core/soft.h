// csrc/core/soft.h: soft coverage of one pixel by one face.  See ops/soft_coverage.py.
// V is float, double or a pack of them (kernels/pack.h); T is the number inside.
#pragma once
#include <math.h>
#include <string.h>

#include "host_device.h"

LRAST_BEGIN

// The few operations beyond arithmetic that formulas below need. Packs have the same ones.
LRAST_HD float root(float x) { return sqrtf(x); }
LRAST_HD double root(double x) { return sqrt(x); }
LRAST_HD float magnitude(float x) { return fabsf(x); }
LRAST_HD double magnitude(double x) { return fabs(x); }
LRAST_HD float with_sign(float size, float sign) { return copysignf(size, sign); }
LRAST_HD double with_sign(double size, double sign) { return copysign(size, sign); }
/// a * b + c. Of floats rounded once, on processors without such an instruction too: a third of the
// time of soft coverage is products that are added to something. Doubles are rounded twice
// everywhere, because imitating a single rounding of theirs takes too long.
LRAST_HD float multiply_add(float a, float b, float c) { return fmaf(a, b, c); }
LRAST_HD double multiply_add(double a, double b, double c) { return a * b + c; }
/// Negative where any of its arguments is; its size says nothing.
LRAST_HD float join_signs(float a, float b) {
  uint32_t bits_a, bits_b;
  memcpy(&bits_a, &a, 4);
  memcpy(&bits_b, &b, 4);
  bits_a |= bits_b;
  memcpy(&a, &bits_a, 4);
  return a;
}
LRAST_HD double join_signs(double a, double b) {
  uint64_t bits_a, bits_b;
  memcpy(&bits_a, &a, 8);
  memcpy(&bits_b, &b, 8);
  bits_a |= bits_b;
  memcpy(&a, &bits_a, 8);
  return a;
}
template <typename V> LRAST_HD V join_signs(V a, V b, V c) {
  return join_signs(join_signs(a, b), c);
}
LRAST_HD bool less(float a, float b) { return a < b; }
LRAST_HD bool less(double a, double b) { return a < b; }
LRAST_HD float select(bool chosen, float a, float b) { return chosen ? a : b; }
LRAST_HD double select(bool chosen, double a, double b) { return chosen ? a : b; }

/// x * 2^n, where n is what adding Power<T>::kRound left in the low bits of `rounded`.
LRAST_HD float scaled(float x, float rounded) {
  uint32_t bits, n;
  memcpy(&bits, &x, 4);
  memcpy(&n, &rounded, 4);
  bits += n << 23;
  memcpy(&x, &bits, 4);
  return x;
}
LRAST_HD double scaled(double x, double rounded) {
  uint64_t bits, n;
  memcpy(&bits, &x, 8);
  memcpy(&n, &rounded, 8);
  bits += n << 52;
  memcpy(&x, &bits, 8);
  return x;
}

// A product of factors 1 + 2^z with z <= kLargest stays finite if it is capped at 2^kLargest after
// each. At the cap a pixel is covered to all digits, and takes no gradient.
template <typename T> struct Power;
template <> struct Power<float> {
  static constexpr float kRound = 0x1.8p23f, kLargest = 62.0f, kCap = 0x1p62f, kLeast = -100.0f;
};
template <> struct Power<double> {
  static constexpr double kRound = 0x1.8p52, kLargest = 510.0, kCap = 0x1p510, kLeast = -900.0;
};

// 2^f = 1 + f q(f) for |f| <= 1/2, least largest relative error: 9.2e-8 and 3.4e-18.
template <typename V> LRAST_HD V power_fraction(V f, float) {
  V q = V(0.0013264723893080067f);
  q = multiply_add(q, f, V(0.009671512869549502f));
  q = multiply_add(q, f, V(0.055507337542472016f));
  q = multiply_add(q, f, V(0.24022242080363418f));
  q = multiply_add(q, f, V(0.69314697759149522f));
  return multiply_add(q, f, V(1.0f));
}
template <typename V> LRAST_HD V power_fraction(V f, double) {
  V q = V(4.4347861331799565e-10);
  q = q * f + V(7.0737816618990468e-9);
  q = q * f + V(1.0178199511636575e-7);
  q = q * f + V(1.3215435291006859e-6);
  q = q * f + V(1.5252733493172306e-5);
  q = q * f + V(1.5403530457096404e-4);
  q = q * f + V(1.3333558146774662e-3);
  q = q * f + V(9.6181291075941296e-3);
  q = q * f + V(5.5504108664820083e-2);
  q = q * f + V(0.24022650695910126);
  q = q * f + V(0.69314718055994533);
  return q * f + V(1.0);
}

/// 2^z for z in Power<T>::kLeast .. kLargest, to 2.2e-7 (float) or 2e-16 (double) of itself. Beyond
/// that range: garbage without side effects. The same bits at every ISA level and on the GPU.
template <typename T, typename V> LRAST_HD V power_of_two(V z) {
  const V rounded = z + V(Power<T>::kRound);
  return scaled(power_fraction(z - (rounded - V(Power<T>::kRound)), T()), rounded);
}

/// A linear function of the pixel: at (x, y) from where it is `at_0`.
template <typename V> LRAST_HD V linear_at(V x, V y, V per_x, V per_y, V at_0) {
  return multiply_add(x, per_x, multiply_add(y, per_y, at_0));
}

/// A pixel in the frame of a side of the outline: distance to its line, positive towards the
/// inside, and position along it from its middle. `half` is half the side's length.
template <typename V> LRAST_HD V side_overshoot(V along, V half) {
  return larger(magnitude(along) - half, V(0));
}
/// The same, or less than 0: its square.
template <typename V> LRAST_HD V side_excess(V along, V half) {
  return side_overshoot(along, half);
}
template <typename V> LRAST_HD V side_distance2(V across, V along, V half) {
  const V over = side_excess(along, half);
  return multiply_add(across, across, over * over);
}

/// A number that is negative outside of a convex polygon only.
template <int kSides, typename V> LRAST_HD V side_of_outline(const V* across) {
  const V inner = join_signs(across[0], across[1], across[2]);
  return kSides == 3 ? inner : join_signs(inner, across[kSides - 1]);
}

/// Squared distance to the outline of a convex polygon.
template <int kSides, typename V>
LRAST_HD V outline_distance2(const V* across, const V* along, const V* half) {
  V distance2 = side_distance2(across[0], along[0], half[0]);
  for (int k = 1; k < kSides; ++k)
    distance2 = smaller(distance2, side_distance2(across[k], along[k], half[k]));
  return distance2;
}

/// The exponent z of a face's probability p = 1 - 1 / (1 + 2^z): the signed distance or its square.
template <bool kLinear, typename V> LRAST_HD V soft_exponent(V distance2, V inner) {
  return with_sign(kLinear ? root(distance2) : distance2, inner);
}

/// What a face does to a pixel, from z: with odds p / (1 - p) the pixel's chance to be free is
/// divided by `factor`, 1 / (1 - p) = 1 + odds. Odds are 2^z, less `fade` where the distance is
/// linear.
template <typename V> struct SoftChance { V power, odds, factor; };

/// What a pixel's product of factors is after one more face.
template <typename T, typename V> LRAST_HD V with_face(V product, V odds) {
  return smaller(multiply_add(product, odds, product), V(T(Power<T>::kCap)));
}
template <bool kLinear, typename T, typename V> LRAST_HD SoftChance<V> soft_chance(V z, V fade) {
  SoftChance<V> out;
  // Distances end at a cut-off that is no less than kLeast; squares may go on, to be counted.
  const V low = kLinear ? z : larger(z, V(Power<T>::kLeast));
  out.power = power_of_two<T>(smaller(low, V(Power<T>::kLargest)));
  out.odds = kLinear ? larger(out.power - fade, V(T(0))) : out.power;
  out.factor = V(T(1)) + out.odds;
  return out;
}

/// d z / d (nearest point of the outline), across and along the side it lies on.
template <bool kLinear, typename T, typename V>
LRAST_HD void soft_exponent_vjp(V across, V over, V distance2, V inner, V& grad_across,
                                V& grad_along) {
  const V turn = V(T(0)) - with_sign(V(T(1)), inner);
  if (kLinear) {
    // On the side's own stretch z = across, so that the derivative is -1 where the distance is 0
    // too.
    const V scale = turn / larger(root(distance2), V(T(1e-30)));
    const auto beyond = less(V(T(0)), magnitude(over));
    grad_across = select(beyond, scale * across, V(T(-1)));
    grad_along = scale * over;
  } else {
    const V scale = turn + turn;
    grad_across = scale * across;
    grad_along = scale * over;
  }
}

LRAST_END
