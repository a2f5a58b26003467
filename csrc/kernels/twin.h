// csrc/kernels/twin.h: two packs side by side (CPU).
//
// The formulas of a pixel are a long chain, each operation waiting for the one before, and the
// processor looks ahead over little more than one chain. Two at once keep it busy.
#pragma once
#include "pack.h"

LRAST_BEGIN

template <typename P> struct Twin {
  P first, second;
  Twin() = default;
  Twin(P both) : first(both), second(both) {}
  Twin(P first_, P second_) : first(first_), second(second_) {}
  template <typename T> explicit Twin(T number) : first(number), second(number) {}
};
template <typename Mask> struct TwinMask { Mask first, second; };

template <typename P> LRAST_INLINE Twin<P> operator+(Twin<P> a, Twin<P> b) {
  return {a.first + b.first, a.second + b.second};
}
template <typename P> LRAST_INLINE Twin<P> operator-(Twin<P> a, Twin<P> b) {
  return {a.first - b.first, a.second - b.second};
}
template <typename P> LRAST_INLINE Twin<P> operator*(Twin<P> a, Twin<P> b) {
  return {a.first * b.first, a.second * b.second};
}
template <typename P> LRAST_INLINE Twin<P> operator/(Twin<P> a, Twin<P> b) {
  return {a.first / b.first, a.second / b.second};
}
template <typename P> LRAST_INLINE Twin<P> multiply_add(Twin<P> a, Twin<P> b, Twin<P> c) {
  return {multiply_add(a.first, b.first, c.first), multiply_add(a.second, b.second, c.second)};
}
template <typename P> LRAST_INLINE Twin<P> smaller(Twin<P> a, Twin<P> b) {
  return {smaller(a.first, b.first), smaller(a.second, b.second)};
}
template <typename P> LRAST_INLINE Twin<P> larger(Twin<P> a, Twin<P> b) {
  return {larger(a.first, b.first), larger(a.second, b.second)};
}
template <typename P> LRAST_INLINE Twin<P> root(Twin<P> a) {
  return {root(a.first), root(a.second)};
}
template <typename P> LRAST_INLINE Twin<P> magnitude(Twin<P> a) {
  return {magnitude(a.first), magnitude(a.second)};
}
template <typename P> LRAST_INLINE Twin<P> with_sign(Twin<P> a, Twin<P> sign) {
  return {with_sign(a.first, sign.first), with_sign(a.second, sign.second)};
}
template <typename P> LRAST_INLINE Twin<P> join_signs(Twin<P> a, Twin<P> b) {
  return {join_signs(a.first, b.first), join_signs(a.second, b.second)};
}
template <typename P> LRAST_INLINE Twin<P> join_signs(Twin<P> a, Twin<P> b, Twin<P> c) {
  return {join_signs(a.first, b.first, c.first), join_signs(a.second, b.second, c.second)};
}
template <typename P> LRAST_INLINE Twin<P> side_excess(Twin<P> along, Twin<P> half) {
  return {side_excess(along.first, half.first), side_excess(along.second, half.second)};
}
template <typename P> LRAST_INLINE Twin<P> scaled(Twin<P> x, Twin<P> n) {
  return {scaled(x.first, n.first), scaled(x.second, n.second)};
}
template <typename P> LRAST_INLINE auto less(Twin<P> a, Twin<P> b) {
  return TwinMask<decltype(less(a.first, b.first))>{less(a.first, b.first),
                                                    less(a.second, b.second)};
}
template <typename Mask, typename P>
LRAST_INLINE Twin<P> select(TwinMask<Mask> m, Twin<P> a, Twin<P> b) {
  return {select(m.first, a.first, b.first), select(m.second, a.second, b.second)};
}

template <typename V> using MaskOf = decltype(less(V(), V()));

LRAST_END
