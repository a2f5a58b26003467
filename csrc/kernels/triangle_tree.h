// csrc/kernels/triangle_tree.h: triangles in a tree of boxes: closest points, rays, overlaps.
#pragma once
#include <float.h>

#include <algorithm>
#include <vector>

#include "../core/vec3.h"

LRAST_BEGIN

struct Box {
  Vec3 low{DBL_MAX, DBL_MAX, DBL_MAX}, high{-DBL_MAX, -DBL_MAX, -DBL_MAX};

  void add(const Vec3& p) {
    low = {smaller(low.x, p.x), smaller(low.y, p.y), smaller(low.z, p.z)};
    high = {larger(high.x, p.x), larger(high.y, p.y), larger(high.z, p.z)};
  }
  void add(const Box& other) { add(other.low), add(other.high); }
  bool overlaps(const Box& o) const {
    return low.x <= o.high.x && o.low.x <= high.x && low.y <= o.high.y && o.low.y <= high.y &&
           low.z <= o.high.z && o.low.z <= high.z;
  }
  double squared_distance(const Vec3& p) const {
    const double x = larger(larger(low.x - p.x, p.x - high.x), 0.0);
    const double y = larger(larger(low.y - p.y, p.y - high.y), 0.0);
    const double z = larger(larger(low.z - p.z, p.z - high.z), 0.0);
    return x * x + y * y + z * z;
  }
};

/// Weights of a triangle's corners at its point nearest to p; the triangle may be a segment or a
/// point. [Ericson, Real-Time Collision Detection, 5.1.5]
inline void closest_weights(const Vec3& p, const Vec3* t, double* w) {
  const Vec3 ab = t[1] - t[0], ac = t[2] - t[0], ap = p - t[0];
  const double d1 = dot(ab, ap), d2 = dot(ac, ap);
  w[0] = 1, w[1] = 0, w[2] = 0;
  if (d1 <= 0 && d2 <= 0) return;
  const Vec3 bp = p - t[1];
  const double d3 = dot(ab, bp), d4 = dot(ac, bp);
  if (d3 >= 0 && d4 <= d3) {
    w[0] = 0, w[1] = 1;
    return;
  }
  const double vc = d1 * d4 - d3 * d2;
  if (vc <= 0 && d1 >= 0 && d3 <= 0) {
    w[1] = d1 - d3 > 0 ? d1 / (d1 - d3) : 0;
    w[0] = 1 - w[1];
    return;
  }
  const Vec3 cp = p - t[2];
  const double d5 = dot(ab, cp), d6 = dot(ac, cp);
  if (d6 >= 0 && d5 <= d6) {
    w[0] = 0, w[2] = 1;
    return;
  }
  const double vb = d5 * d2 - d1 * d6;
  if (vb <= 0 && d2 >= 0 && d6 <= 0) {
    w[2] = d2 - d6 > 0 ? d2 / (d2 - d6) : 0;
    w[0] = 1 - w[2];
    return;
  }
  const double va = d3 * d6 - d5 * d4, along = (d4 - d3) + (d5 - d6);
  if (va <= 0 && d4 - d3 >= 0 && d5 - d6 >= 0) {
    w[0] = 0;
    w[2] = along > 0 ? (d4 - d3) / along : 0;
    w[1] = 1 - w[2];
    return;
  }
  const double sum = va + vb + vc;
  w[1] = vb / sum;
  w[2] = vc / sum;
  w[0] = 1 - w[1] - w[2];
}

inline Vec3 blend(const Vec3* t, const double* w) {
  return w[0] * t[0] + w[1] * t[1] + w[2] * t[2];
}

/// A binary tree of boxes over triangles, built by halving along the longest side.
class TriangleTree {
 public:
  struct Triangle {
    Vec3 corners[3];
    Vec3 normal;  // unit; zero without area
    int32_t index;
  };
  struct Closest {
    int32_t place = -1;  // into triangles()
    double squared = DBL_MAX;
    double weights[3] = {0, 0, 0};
  };

  /// `index` is what the caller calls the triangle.
  void add(const Vec3& a, const Vec3& b, const Vec3& c, int32_t index) {
    triangles_.push_back({{a, b, c}, unit(cross(b - a, c - a)), index});
  }

  void build() {
    const int64_t count = int64_t(triangles_.size());
    nodes_.clear();
    if (count == 0) return;
    std::vector<Item> items(triangles_.size());
    for (int64_t i = 0; i < count; ++i) {
      Item& item = items[i];
      item.place = int32_t(i);
      for (const Vec3& p : triangles_[i].corners) item.box.add(p);
      item.middle = 0.5 * (item.box.low + item.box.high);
    }
    nodes_.reserve(2 * triangles_.size());
    grow(items, 0, count);
    std::vector<Triangle> sorted(triangles_.size());
    for (int64_t i = 0; i < count; ++i) sorted[i] = triangles_[items[i].place];
    triangles_.swap(sorted);
  }

  const std::vector<Triangle>& triangles() const { return triangles_; }
  bool empty() const { return nodes_.empty(); }

  /// Looks at one triangle: updates `best` where it is nearer.
  void look(const Vec3& p, int32_t place, Closest& best) const {
    double weights[3];
    closest_weights(p, triangles_[place].corners, weights);
    const double distance = squared(p - blend(triangles_[place].corners, weights));
    if (distance < best.squared) {
      best.squared = distance;
      best.place = place;
      for (int k = 0; k < 3; ++k) best.weights[k] = weights[k];
    }
  }

  /// Updates `best` with what is nearer among the triangles that `accepts(triangle)`.
  template <typename Accepts>
  void closest(const Vec3& p, Closest& best, Accepts&& accepts) const {
    if (nodes_.empty()) return;
    int32_t stack[64];
    int depth = 0;
    stack[depth++] = 0;
    while (depth > 0) {
      const Node& node = nodes_[stack[--depth]];
      if (node.box.squared_distance(p) >= best.squared) continue;
      if (node.count > 0) {
        for (int32_t i = node.first; i < node.first + node.count; ++i)
          if (accepts(triangles_[i])) look(p, i, best);
        continue;
      }
      const int32_t left = int32_t(&node - nodes_.data()) + 1, right = node.first;
      const bool left_first =
          nodes_[left].box.squared_distance(p) <= nodes_[right].box.squared_distance(p);
      stack[depth++] = left_first ? right : left;
      stack[depth++] = left_first ? left : right;
    }
  }

  /// Calls visit(place) for each triangle whose leaf's box overlaps `box`.
  template <typename Visit> void overlapping(const Box& box, Visit&& visit) const {
    if (nodes_.empty()) return;
    int32_t stack[64];
    int depth = 0;
    stack[depth++] = 0;
    while (depth > 0) {
      const Node& node = nodes_[stack[--depth]];
      if (!node.box.overlaps(box)) continue;
      if (node.count > 0) {
        for (int32_t i = node.first; i < node.first + node.count; ++i) visit(i);
        continue;
      }
      stack[depth++] = node.first;
      stack[depth++] = int32_t(&node - nodes_.data()) + 1;
    }
  }

  /// The smallest t in (0, farthest) at which the ray from p along d leaves a triangle at its back;
  /// `farthest` if none does. d need not be a unit vector, nor are its components different from 0.
  double first_exit(const Vec3& p, const Vec3& d, double farthest) const {
    if (nodes_.empty()) return farthest;
    const Vec3 inverse{1 / d.x, 1 / d.y, 1 / d.z};
    int32_t stack[64];
    int depth = 0;
    stack[depth++] = 0;
    while (depth > 0) {
      const Node& node = nodes_[stack[--depth]];
      if (!meets(node.box, p, inverse, farthest)) continue;
      if (node.count > 0) {
        for (int32_t i = node.first; i < node.first + node.count; ++i)
          farthest = exit_of(triangles_[i], p, d, farthest);
        continue;
      }
      const int32_t left = int32_t(&node - nodes_.data()) + 1, right = node.first;
      const bool left_first =
          nodes_[left].box.squared_distance(p) <= nodes_[right].box.squared_distance(p);
      stack[depth++] = left_first ? right : left;
      stack[depth++] = left_first ? left : right;
    }
    return farthest;
  }

 private:
  static constexpr int64_t kLeaf = 4;
  struct Node {
    Box box;
    int32_t first;  // leaf: its first triangle; else the right child, the left one follows at once
    int32_t count;  // leaf: how many; else 0
  };
  struct Item {
    Box box;
    Vec3 middle;
    int32_t place;
  };

  // The depth is at most log2(2^31 / kLeaf): halves differ by one triangle at most.
  void grow(std::vector<Item>& items, int64_t begin, int64_t end) {
    const int32_t self = int32_t(nodes_.size());
    nodes_.push_back({});
    Box box, middles;
    for (int64_t i = begin; i < end; ++i) box.add(items[i].box), middles.add(items[i].middle);
    nodes_[self].box = box;
    if (end - begin <= kLeaf) {
      nodes_[self].first = int32_t(begin);
      nodes_[self].count = int32_t(end - begin);
      return;
    }
    const Vec3 size = middles.high - middles.low;
    const int axis = size.x >= size.y && size.x >= size.z ? 0 : size.y >= size.z ? 1 : 2;
    const int64_t half = (begin + end) / 2;
    std::nth_element(items.begin() + begin, items.begin() + half, items.begin() + end,
                     [axis](const Item& a, const Item& b) {
                       const double p = a.middle[axis], q = b.middle[axis];
                       return p < q || (p == q && a.place < b.place);
                     });
    grow(items, begin, half);
    nodes_[self].first = int32_t(nodes_.size());
    nodes_[self].count = 0;
    grow(items, half, end);
  }

  static bool meets(const Box& box, const Vec3& p, const Vec3& inverse, double farthest) {
    double enter = 0, leave = farthest;
    for (int axis = 0; axis < 3; ++axis) {
      const double a = (box.low[axis] - p[axis]) * inverse[axis];
      const double b = (box.high[axis] - p[axis]) * inverse[axis];
      // 0 * infinity is not a number, which leaves both as they are.
      const double near = a < b ? a : b, far = a < b ? b : a;
      if (near > enter) enter = near;
      if (far < leave) leave = far;
    }
    return enter <= leave;
  }

  static double exit_of(const Triangle& t, const Vec3& p, const Vec3& d, double farthest) {
    if (dot(t.normal, d) <= 0) return farthest;
    const Vec3 ab = t.corners[1] - t.corners[0], ac = t.corners[2] - t.corners[0];
    const Vec3 h = cross(d, ac);
    const double det = dot(ab, h);
    if (det == 0) return farthest;
    const Vec3 ap = p - t.corners[0];
    const double u = dot(ap, h) / det;
    if (!(u >= 0 && u <= 1)) return farthest;
    const Vec3 q = cross(ap, ab);
    const double v = dot(d, q) / det;
    if (!(v >= 0 && u + v <= 1)) return farthest;
    const double at = dot(ac, q) / det;
    return at > 0 && at < farthest ? at : farthest;
  }

  std::vector<Triangle> triangles_;  // after build(): in the leaves' order
  std::vector<Node> nodes_;
};

LRAST_END
