// csrc/kernels/surface_cases.h: marching cubes, its cases made from the rule for one face.
//
// Corner i of a cube lies at (i & 1, i >> 1 & 1, i >> 2 & 1). Edge 4 a + j runs along axis a, from
// the corner that j's two bits name on the other two axes. On every face of the cube the surface
// leaves segments between its crossed edges; in a face whose four edges are all crossed, a bit says
// whether the two inside corners are joined. Cubes that share a face read the same bit, so loops of
// segments close and two cubes meet in the same segments: that makes the surface closed.
#pragma once
#include "buffer.h"

LRAST_BEGIN

struct CubeFace {
  int corner[4];  // counter-clockwise, seen from outside of the cube
  int edge[4];    // from corner i to i + 1
};

class SurfaceCases {
 public:
  static constexpr int kCenter = 12;

  SurfaceCases() {
    make_faces();
    for (int inside = 0; inside < 256; ++inside) {
      ambiguous_[inside] = 0;
      for (int f = 0; f < 6; ++f) {
        const int* const c = face_[f].corner;
        const bool a = inside >> c[0] & 1, b = inside >> c[1] & 1;
        if (a != b && a == bool(inside >> c[2] & 1) && b == bool(inside >> c[3] & 1))
          ambiguous_[inside] |= uint8_t(1 << f);
      }
      for (int joined = 0; joined < 64; ++joined)
        if (!(joined & ~ambiguous_[inside])) make_case(inside, joined);
    }
  }

  /// Faces of the cube whose bit `triangles` needs.
  int ambiguous(int inside) const { return ambiguous_[inside]; }
  const CubeFace& face(int f) const { return face_[f]; }
  /// `count` triangles of three edges each, wound counter-clockwise seen from outside; kCenter in
  /// place of an edge is a vertex inside of the cube.
  bool has_center(int inside, int joined) const { return has_center_[inside][joined]; }
  const uint8_t* triangles(int inside, int joined, int& count) const {
    count = count_[inside][joined];
    return edges_.data() + start_[inside][joined];
  }

 private:
  static int edge_between(int a, int b) {
    const int axis = (a ^ b) == 1 ? 0 : ((a ^ b) == 2 ? 1 : 2), base = a & b;
    const int first = axis == 0 ? 1 : 0, second = axis == 2 ? 1 : 2;
    return 4 * axis + (base >> first & 1) + 2 * (base >> second & 1);
  }

  void make_faces() {
    for (int axis = 0; axis < 3; ++axis)
      for (int side = 0; side < 2; ++side) {
        CubeFace& face = face_[2 * axis + side];
        const int u = 1 << (axis + 1) % 3, v = 1 << (axis + 2) % 3, base = side << axis;
        const int cycle[4] = {base, base | u, base | u | v, base | v};
        for (int i = 0; i < 4; ++i) face.corner[i] = cycle[side ? i : 3 - i];
        for (int i = 0; i < 4; ++i) {
          face.edge[i] = edge_between(face.corner[i], face.corner[(i + 1) % 4]);
          on_face_[2 * axis + side][face.edge[i]] = true;
        }
      }
  }

  void make_case(int inside, int joined) {
    int next[12];
    for (int& edge : next) edge = -1;
    for (int f = 0; f < 6; ++f) {
      // Around a face the boundary enters and leaves the inside in turn. What leaves at i is joined
      // to the crossing before it, across its own inside corner, or else to the one after it.
      for (int i = 0; i < 4; ++i) {
        const bool from = inside >> face_[f].corner[i] & 1;
        const bool to = inside >> face_[f].corner[(i + 1) % 4] & 1;
        if (!from || to) continue;
        const int step = joined >> f & 1 ? 1 : 3;
        int j = i;
        do j = (j + step) % 4;
        while (!is_crossed(inside, face_[f].edge[j]));
        next[face_[f].edge[i]] = face_[f].edge[j];
      }
    }
    start_[inside][joined] = int32_t(edges_.size());
    has_center_[inside][joined] = false;
    bool done[12] = {};
    for (int first = 0; first < 12; ++first) {
      if (next[first] < 0 || done[first]) continue;
      int loop[12], count = 0;
      for (int edge = first; !done[edge]; edge = next[edge]) done[edge] = true, loop[count++] = edge;
      if (triangulate(loop, 0, count - 1, count)) continue;
      // Of eight vertices or more, so that no cube has two such loops.
      has_center_[inside][joined] = true;
      for (int i = 0; i < count; ++i) add_triangle(loop[(i + 1) % count], loop[i], kCenter);
    }
    count_[inside][joined] = uint8_t((edges_.size() - start_[inside][joined]) / 3);
  }

  static bool is_crossed(int inside, int edge) {
    const int axis = edge / 4, first = axis == 0 ? 1 : 0, second = axis == 2 ? 1 : 2;
    const int base = (edge & 1) << first | (edge >> 1 & 1) << second;
    return (inside >> base & 1) != (inside >> (base | 1 << axis) & 1);
  }

  /// A diagonal between two edges of one face could also be one of the neighbouring cube, or one
  /// of the face's segments, and would then have four triangles.
  bool is_allowed(const int* loop, int a, int b, int count) const {
    if (b - a == 1 || b - a == count - 1) return true;
    for (int f = 0; f < 6; ++f)
      if (on_face_[f][loop[a]] && on_face_[f][loop[b]]) return false;
    return true;
  }

  /// Triangles of the polygon loop[first..last]; returns whether there are allowed ones.
  bool triangulate(const int* loop, int first, int last, int count) {
    if (last - first < 2) return true;
    const int64_t size = edges_.size();
    for (int i = first + 1; i < last; ++i) {
      if (!is_allowed(loop, first, i, count) || !is_allowed(loop, i, last, count)) continue;
      add_triangle(loop[last], loop[i], loop[first]);
      if (triangulate(loop, first, i, count) && triangulate(loop, i, last, count)) return true;
      edges_.resize(size);
    }
    return false;
  }

  void add_triangle(int a, int b, int c) {
    edges_.push(uint8_t(a)), edges_.push(uint8_t(b)), edges_.push(uint8_t(c));
  }

  CubeFace face_[6];
  bool on_face_[6][12] = {};
  uint8_t ambiguous_[256];
  int32_t start_[256][64];
  uint8_t count_[256][64];
  bool has_center_[256][64];
  Buffer<uint8_t> edges_;
};

LRAST_END
