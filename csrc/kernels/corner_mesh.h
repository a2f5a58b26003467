// csrc/kernels/corner_mesh.h: a triangle mesh whose edges can be split, flipped and collapsed.
#pragma once
#include <algorithm>
#include <vector>

#include "../core/host_device.h"

LRAST_BEGIN

/// Half-edge h = 3 f + j runs from corner j of face f to corner j + 1. Faces and vertices that are
/// gone keep their place until compact().
struct CornerMesh {
  std::vector<int32_t> vert;  // (3 F) where each half-edge begins, -1 in a face that is gone
  std::vector<int32_t> twin;  // (3 F) the other half-edge of the edge, -1 at a boundary
  std::vector<int32_t> out;   // (V) a half-edge that begins at the vertex, the one at the boundary
                              // where there is one; -1 if the vertex has no faces

  enum Fault { kNone, kRepeated, kEdge, kWinding, kPinched, kTwice };

  static int32_t next(int32_t h) { return h % 3 == 2 ? h - 2 : h + 1; }
  static int32_t prev(int32_t h) { return h % 3 == 0 ? h + 2 : h - 1; }
  int32_t from(int32_t h) const { return vert[h]; }
  int32_t to(int32_t h) const { return vert[next(h)]; }
  int32_t apex(int32_t h) const { return vert[prev(h)]; }
  bool is_gone(int32_t h) const { return vert[h] < 0; }
  bool is_boundary(int32_t v) const { return twin[out[v]] < 0; }
  int32_t num_half_edges() const { return int32_t(vert.size()); }
  int32_t num_verts() const { return int32_t(out.size()); }
  /// One of the two half-edges of each edge stands for it.
  bool stands_for_edge(int32_t h) const { return vert[h] >= 0 && twin[h] < h; }

  /// Calls visit(h) for the half-edges that begin at v, counter-clockwise, from the boundary on.
  template <typename Visit> void around(int32_t v, Visit&& visit) const {
    const int32_t first = out[v];
    int32_t h = first;
    do {
      visit(h);
      h = twin[prev(h)];
    } while (h >= 0 && h != first);
  }

  /// Appends the vertices that share an edge with v.
  void neighbors(int32_t v, std::vector<int32_t>& found) const {
    int32_t last = -1;
    around(v, [&](int32_t h) {
      found.push_back(to(h));
      last = prev(h);
    });
    if (twin[last] < 0) found.push_back(from(last));
  }

  int32_t valence(int32_t v) const {
    int32_t count = 0, last = -1;
    around(v, [&](int32_t h) { ++count, last = prev(h); });
    return count + (twin[last] < 0);
  }

  bool are_joined(int32_t a, int32_t b) const {
    bool found = false;
    int32_t last = -1;
    around(a, [&](int32_t h) { found |= to(h) == b, last = prev(h); });
    return found || from(last) == b;
  }

  /// Sets everything up; on a fault, `where` gets the vertices or faces at fault.
  Fault build(const int32_t* faces, int64_t num_faces, int64_t num_verts, int64_t* where) {
    vert.assign(faces, faces + 3 * num_faces);
    twin.assign(vert.size(), -1);
    out.assign(num_verts, -1);
    const int32_t count = num_half_edges();
    for (int32_t h = 0; h < count; ++h)
      if (from(h) == to(h)) {
        where[0] = h / 3;
        return kRepeated;
      }
    const Fault fault = pair(where);
    if (fault != kNone) return fault;
    std::vector<int32_t> corners(num_verts, 0);
    for (int32_t h = 0; h < count; ++h) {
      const int32_t v = vert[h];
      ++corners[v];
      if (out[v] < 0 || twin[h] < 0) out[v] = h;
    }
    for (int32_t v = 0; v < num_verts; ++v) {
      if (out[v] < 0) continue;
      int32_t seen = 0;
      around(v, [&](int32_t) { ++seen; });
      if (seen != corners[v]) {
        where[0] = v;
        return kPinched;
      }
    }
    for (int32_t h = 0; h < count; ++h)
      if (twin[h] > h && apex(h) == apex(twin[h])) {
        where[0] = h / 3, where[1] = twin[h] / 3;
        return kTwice;
      }
    return kNone;
  }

  /// Puts a new vertex onto the edge of h, which then runs from its old begin to the new vertex.
  int32_t split(int32_t h) {
    const int32_t m = num_verts();
    out.push_back(-1);
    const int32_t b = to(h), n = next(h);
    const int32_t g = add_face(m, b, apex(h));
    vert[n] = m;
    link(g + 1, twin[n]);
    link(g + 2, n);
    const int32_t t = twin[h];
    if (t < 0) {
      out[m] = g;
      if (out[b] == n) out[b] = g + 1;
      return m;
    }
    const int32_t p = prev(t);
    const int32_t k = add_face(b, m, apex(t));
    vert[t] = m;
    link(k + 2, twin[p]);
    link(k + 1, p);
    link(g, k);
    out[m] = t;
    if (out[b] == n) out[b] = g + 1;
    if (out[b] == t) out[b] = k;
    if (out[apex(k)] == p) out[apex(k)] = k + 2;
    return m;
  }

  /// Turns the edge of h, which must have two faces, to join the two vertices off it.
  void flip(int32_t h) {
    const int32_t t = twin[h];
    const int32_t hn = next(h), hp = prev(h), tn = next(t), tp = prev(t);
    const int32_t a = vert[h], b = vert[t], c = vert[hp], d = vert[tp];
    const int32_t bc = twin[hn], ca = twin[hp], ad = twin[tn], db = twin[tp];
    vert[h] = d, vert[hn] = c, vert[hp] = a;
    vert[t] = c, vert[tn] = d, vert[tp] = b;
    link(hn, ca), link(hp, ad), link(tn, db), link(tp, bc);
    if (out[a] == h || out[a] == tn) out[a] = hp;
    if (out[b] == t || out[b] == hn) out[b] = tp;
    if (out[c] == hp) out[c] = hn;
    if (out[d] == tp) out[d] = tn;
  }

  /// Merges the end of h into its begin. See may_collapse().
  void collapse(int32_t h) {
    const int32_t a = from(h), b = to(h), t = twin[h];
    moved_.clear();
    around(b, [&](int32_t g) { moved_.push_back(g); });
    for (int32_t g : moved_) vert[g] = a;
    int32_t some = close(h);
    if (t >= 0) {
      const int32_t other = close(t);
      if (some < 0) some = other;
    }
    out[b] = -1;
    // Back to the boundary, if there is one.
    const int32_t start = some;
    while (twin[some] >= 0) {
      some = next(twin[some]);
      if (some == start) break;
    }
    out[a] = some;
  }

  /// Whether collapse(h) leaves a manifold of the same topology: the ends have no common neighbour
  /// but those off the edge (link condition), which keep at least three, or two at a boundary.
  bool may_collapse(int32_t h) {
    const int32_t a = from(h), b = to(h), t = twin[h];
    if (t >= 0 && is_boundary(a) && is_boundary(b)) return false;
    const int32_t c = apex(h), d = t >= 0 ? apex(t) : -1;
    ring_.clear();
    neighbors(a, ring_);
    const size_t middle = ring_.size();
    neighbors(b, ring_);
    for (size_t i = middle; i < ring_.size(); ++i) {
      const int32_t v = ring_[i];
      if (v == c || v == d) continue;
      for (size_t k = 0; k < middle; ++k)
        if (ring_[k] == v) return false;
    }
    return keeps_faces(c) && (d < 0 || keeps_faces(d));
  }

  /// Drops what is gone. `kept` gets the old number of each vertex that stays.
  void compact(std::vector<int32_t>& kept) {
    kept.clear();
    std::vector<int32_t> number(out.size(), -1), place(vert.size() / 3, -1);
    for (int32_t v = 0; v < num_verts(); ++v)
      if (out[v] >= 0) {
        number[v] = int32_t(kept.size());
        kept.push_back(v);
      }
    int32_t num_faces = 0;
    for (size_t f = 0; f < place.size(); ++f)
      if (vert[3 * f] >= 0) place[f] = num_faces++;
    const auto moved = [&](int32_t h) { return h < 0 ? -1 : 3 * place[h / 3] + h % 3; };
    for (size_t f = 0; f < place.size(); ++f) {
      if (place[f] < 0) continue;
      for (int32_t j = 0; j < 3; ++j) {
        vert[3 * place[f] + j] = number[vert[3 * f + j]];
        twin[3 * place[f] + j] = moved(twin[3 * f + j]);
      }
    }
    vert.resize(3 * size_t(num_faces));
    twin.resize(vert.size());
    for (size_t i = 0; i < kept.size(); ++i) out[i] = moved(out[kept[i]]);
    out.resize(kept.size());
  }

 private:
  void link(int32_t g, int32_t h) {
    twin[g] = h;
    if (h >= 0) twin[h] = g;
  }

  int32_t add_face(int32_t a, int32_t b, int32_t c) {
    const int32_t h = num_half_edges();
    vert.insert(vert.end(), {a, b, c});
    twin.insert(twin.end(), 3, -1);
    return h;
  }

  /// Removes the face of h, whose other two sides become one edge. Returns a half-edge that begins
  /// where they all meet now, if the face had a neighbour across these sides.
  int32_t close(int32_t h) {
    const int32_t n = next(h), p = prev(h), c = vert[p];
    const int32_t beyond_n = twin[n], beyond_p = twin[p];
    if (beyond_n >= 0) twin[beyond_n] = beyond_p;
    if (beyond_p >= 0) twin[beyond_p] = beyond_n;
    if (out[c] == p) out[c] = beyond_n;
    vert[h] = vert[n] = vert[p] = -1;
    if (beyond_p >= 0) return beyond_p;
    return beyond_n >= 0 ? next(beyond_n) : -1;
  }

  bool keeps_faces(int32_t v) const { return valence(v) > (is_boundary(v) ? 2 : 3); }

  Fault pair(int64_t* where) {
    const int32_t count = num_half_edges();
    // Half-edges by the lower of their two vertices, then by the higher.
    std::vector<int32_t> first(out.size() + 1, 0), order(vert.size());
    const auto low = [&](int32_t h) { return smaller(from(h), to(h)); };
    const auto high = [&](int32_t h) { return larger(from(h), to(h)); };
    for (int32_t h = 0; h < count; ++h) ++first[low(h) + 1];
    for (size_t v = 1; v < first.size(); ++v) first[v] += first[v - 1];
    std::vector<int32_t> place(first.begin(), first.end() - 1);
    for (int32_t h = 0; h < count; ++h) order[place[low(h)]++] = h;
    for (size_t v = 0; v + 1 < first.size(); ++v) {
      const auto begin = order.begin() + first[v], end = order.begin() + first[v + 1];
      std::sort(begin, end, [&](int32_t g, int32_t h) {
        return high(g) < high(h) || (high(g) == high(h) && g < h);
      });
      for (auto i = begin; i < end;) {
        auto stop = i + 1;
        while (stop < end && high(*stop) == high(*i)) ++stop;
        if (stop - i > 2 || (stop - i == 2 && from(i[0]) == from(i[1]))) {
          where[0] = from(*i), where[1] = to(*i), where[2] = stop - i;
          return stop - i > 2 ? kEdge : kWinding;
        }
        if (stop - i == 2) link(i[0], i[1]);
        i = stop;
      }
    }
    return kNone;
  }

  std::vector<int32_t> moved_, ring_;
};

LRAST_END
