// csrc/kernels/remesh_surface.h: the surface that remeshing starts from and returns to.
#pragma once
#include "parallel.h"
#include "remesh.h"
#include "triangle_tree.h"

LRAST_BEGIN

/// A place on the input: weights of three of its vertices.
struct SurfacePoint {
  int32_t verts[3];
  double weights[3];
  int32_t place, side;  // its face and its side of the boundary (-1: not on it): where a later
                        // search begins
};

class InputSurface {
 public:
  explicit InputSurface(const RemeshArgs& args) : args_(args) {
    std::vector<Vec3> sums(args.num_verts, Vec3{0, 0, 0});
    for (int64_t f = 0; f < args.num_faces; ++f) {
      const int32_t* v = args.faces + 3 * f;
      const Vec3 a = vert(v[0]), b = vert(v[1]), c = vert(v[2]);
      faces_.add(a, b, c, int32_t(f));
      const Vec3 area = cross(b - a, c - a);
      for (int k = 0; k < 3; ++k) sums[v[k]] = sums[v[k]] + area;
    }
    normals_.resize(sums.size());
    for (size_t v = 0; v < sums.size(); ++v) normals_[v] = unit(sums[v]);
    faces_.build();
    place_of_face_.resize(args.num_faces);
    for (size_t i = 0; i < faces_.triangles().size(); ++i)
      place_of_face_[faces_.triangles()[i].index] = int32_t(i);
  }

  /// The side from corner j to j + 1 of a face is part of the boundary: half-edge 3 f + j.
  void add_boundary(int32_t half_edge) {
    const int32_t next = half_edge % 3 == 2 ? half_edge - 2 : half_edge + 1;
    const Vec3 a = vert(args_.faces[half_edge]), b = vert(args_.faces[next]);
    sides_.add(a, b, b, half_edge);
  }
  void finish_boundary() {
    sides_.build();
    if (!sides_.empty()) place_of_side_.assign(3 * args_.num_faces, -1);
    for (size_t i = 0; i < sides_.triangles().size(); ++i)
      place_of_side_[sides_.triangles()[i].index] = int32_t(i);
  }

  SurfacePoint at_corner(int32_t half_edge, bool is_boundary) const {
    const int32_t v = args_.faces[half_edge];
    return {{v, v, v}, {1, 0, 0}, place_of_face_[half_edge / 3],
            is_boundary ? place_of_side_[half_edge] : -1};
  }

  /// Nearest place to p among the faces that look roughly along `normal`, so that the far side of
  /// a thin part is never taken for the near one; the search begins at a known place nearby.
  SurfacePoint nearest(const Vec3& p, const Vec3& normal, int32_t hint, double reach) const {
    // A little over a right angle: at a cone's tip the faces look that far away from its normal.
    constexpr double kLeastCosine = -0.2;
    const auto accepts = [&](const TriangleTree::Triangle& t) {
      return dot(t.normal, normal) >= kLeastCosine;
    };
    TriangleTree::Closest best, known;
    faces_.look(p, hint, known);
    if (accepts(faces_.triangles()[hint])) {
      best = known;
    } else {
      const double radius = sqrt(known.squared) + reach;
      best.squared = radius * radius;
    }
    faces_.closest(p, best, accepts);
    return point(faces_, best.place < 0 ? known : best, 3);
  }

  SurfacePoint nearest_on_boundary(const Vec3& p, int32_t hint) const {
    TriangleTree::Closest best;
    sides_.look(p, hint, best);
    sides_.closest(p, best, [](const TriangleTree::Triangle&) { return true; });
    return point(sides_, best, 2);
  }

  Vec3 position(const SurfacePoint& s) const {
    return s.weights[0] * vert(s.verts[0]) + s.weights[1] * vert(s.verts[1]) +
           s.weights[2] * vert(s.verts[2]);
  }
  Vec3 normal(const SurfacePoint& s) const {
    return unit(s.weights[0] * normals_[s.verts[0]] + s.weights[1] * normals_[s.verts[1]] +
                s.weights[2] * normals_[s.verts[2]]);
  }
  double target(const SurfacePoint& s) const {
    return s.weights[0] * args_.target[s.verts[0]] + s.weights[1] * args_.target[s.verts[1]] +
           s.weights[2] * args_.target[s.verts[2]];
  }

 private:
  Vec3 vert(int32_t v) const {
    return {args_.verts[3 * v], args_.verts[3 * v + 1], args_.verts[3 * v + 2]};
  }

  SurfacePoint point(const TriangleTree& tree, const TriangleTree::Closest& c, int corners) const {
    SurfacePoint s;
    int32_t half_edge = tree.triangles()[c.place].index;
    if (corners == 3) half_edge *= 3;
    s.place = place_of_face_[half_edge / 3];
    s.side = corners == 3 ? -1 : c.place;
    for (int k = 0; k < 3; ++k) {
      s.verts[k] = args_.faces[half_edge - half_edge % 3 + (half_edge + k) % 3];
      s.weights[k] = c.weights[k];
    }
    if (corners == 2) {  // the segment's end counts twice in the tree
      s.weights[1] = 1 - s.weights[0];
      s.weights[2] = 0;
    }
    return s;
  }

  const RemeshArgs& args_;
  TriangleTree faces_, sides_;
  std::vector<int32_t> place_of_face_, place_of_side_;
  std::vector<Vec3> normals_;
};

LRAST_END
