// csrc/core/triangle_overlap.h: whether two triangles with area intersect, exactly; closed sets.
#pragma once
#include "orientation.h"

LRAST_BEGIN

struct Flat {
  double x, y;
};

LRAST_HD Flat without_axis(const Vec3& p, int axis) {
  return axis == 0 ? Flat{p.y, p.z} : axis == 1 ? Flat{p.z, p.x} : Flat{p.x, p.y};
}
LRAST_HD int turn(const Flat& a, const Flat& b, const Flat& c) {
  return orient2d(a.x, a.y, b.x, b.y, c.x, c.y);
}

/// An axis along which the triangle may be looked at without its area vanishing; -1 if it has none.
LRAST_HD int axis_with_area(const Vec3* t) {
  const Vec3 normal = cross(t[1] - t[0], t[2] - t[0]);
  const double x = fabs(normal.x), y = fabs(normal.y), z = fabs(normal.z);
  const int best = x >= y && x >= z ? 0 : y >= z ? 1 : 2;
  for (int k = 0; k < 3; ++k) {
    const int axis = (best + k) % 3;
    if (turn(without_axis(t[0], axis), without_axis(t[1], axis), without_axis(t[2], axis)))
      return axis;
  }
  return -1;
}

LRAST_HD bool is_inside(const Flat& p, const Flat* t) {
  const int a = turn(t[0], t[1], p), b = turn(t[1], t[2], p), c = turn(t[2], t[0], p);
  return (a >= 0 && b >= 0 && c >= 0) || (a <= 0 && b <= 0 && c <= 0);
}

LRAST_HD bool segments_meet(const Flat& p, const Flat& q, const Flat& a, const Flat& b) {
  const int pqa = turn(p, q, a), pqb = turn(p, q, b), abp = turn(a, b, p), abq = turn(a, b, q);
  if (pqa == 0 && pqb == 0)
    return smaller(p.x, q.x) <= larger(a.x, b.x) && smaller(a.x, b.x) <= larger(p.x, q.x) &&
           smaller(p.y, q.y) <= larger(a.y, b.y) && smaller(a.y, b.y) <= larger(p.y, q.y);
  return pqa * pqb <= 0 && abp * abq <= 0;
}

LRAST_HD bool segment_meets_in_plane(const Vec3& p, const Vec3& q, const Vec3* t) {
  const int axis = axis_with_area(t);
  const Flat corners[3] = {without_axis(t[0], axis), without_axis(t[1], axis),
                           without_axis(t[2], axis)};
  const Flat from = without_axis(p, axis), to = without_axis(q, axis);
  if (is_inside(from, corners) || is_inside(to, corners)) return true;
  for (int k = 0; k < 3; ++k)
    if (segments_meet(from, to, corners[k], corners[(k + 1) % 3])) return true;
  return false;
}

/// `side_p`, `side_q`: orient3d of the triangle and the ends.
LRAST_HD bool segment_meets(const Vec3& p, const Vec3& q, int side_p, int side_q, const Vec3* t) {
  if (side_p * side_q > 0) return false;
  if (side_p == 0 && side_q == 0) return segment_meets_in_plane(p, q, t);
  const int ab = orient3d(p, q, t[0], t[1]);
  const int bc = orient3d(p, q, t[1], t[2]);
  if (ab * bc < 0) return false;
  const int ca = orient3d(p, q, t[2], t[0]);
  return ab * ca >= 0 && bc * ca >= 0;
}

LRAST_HD int side(const Vec3* t, const Vec3& p) { return orient3d(t[0], t[1], t[2], p); }

/// Triangles with no corner in common.
LRAST_HD bool apart_triangles_meet(const Vec3* s, const Vec3* t) {
  int of_s[3], of_t[3];
  for (int k = 0; k < 3; ++k) of_s[k] = side(t, s[k]);
  if (of_s[0] == of_s[1] && of_s[1] == of_s[2] && of_s[0] != 0) return false;
  for (int k = 0; k < 3; ++k) of_t[k] = side(s, t[k]);
  if (of_t[0] == of_t[1] && of_t[1] == of_t[2] && of_t[0] != 0) return false;
  for (int k = 0; k < 3; ++k) {
    const int next = (k + 1) % 3;
    if (segment_meets(s[k], s[next], of_s[k], of_s[next], t)) return true;
    if (segment_meets(t[k], t[next], of_t[k], of_t[next], s)) return true;
  }
  return false;
}

/// Triangles whose first corners are the same: whether they meet elsewhere too. If they do, along
/// a line from that corner, and where it ends first is a point of the side opposite to it.
LRAST_HD bool corner_neighbors_meet(const Vec3* s, const Vec3* t) {
  const int s1 = side(t, s[1]), s2 = side(t, s[2]);
  if (s1 * s2 > 0) return false;
  const int t1 = side(s, t[1]), t2 = side(s, t[2]);
  if (t1 * t2 > 0) return false;
  return segment_meets(s[1], s[2], s1, s2, t) || segment_meets(t[1], t[2], t1, t2, s);
}

/// Triangles whose first two corners are the same, in either order: whether they meet elsewhere.
LRAST_HD bool side_neighbors_meet(const Vec3* s, const Vec3& apex) {
  if (side(s, apex) != 0) return false;
  const int axis = axis_with_area(s);
  const Flat a = without_axis(s[0], axis), b = without_axis(s[1], axis);
  return turn(a, b, without_axis(s[2], axis)) == turn(a, b, without_axis(apex, axis));
}

LRAST_END
