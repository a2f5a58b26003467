// csrc/kernels/remesh_steps.h: what one iteration does: split, collapse, flip, relax.
#pragma once
#include "corner_mesh.h"
#include "remesh_surface.h"

LRAST_BEGIN

class Remesher {
 public:
  Remesher(const RemeshArgs& args, CornerMesh& mesh, const InputSurface& surface);

  void split(int64_t& count);
  void collapse(int64_t& count);
  void flip(int64_t& count);
  void relax();
  void balance();
  void compact();

  int32_t num_verts() const { return int32_t(position_.size()); }
  const Vec3& position(int32_t v) const { return position_[v]; }
  const SurfacePoint& source(int32_t v) const { return source_[v]; }

 private:
  static constexpr double kLong = 4.0 / 3, kShort = 4.0 / 5;
  // No step turns a face further, nor away from the input by more, unless it was so before.
  static constexpr double kLeastCosine = 0.25881904510252074;  // 75 degrees
  // 1 for an equal-sided triangle; no step makes a worse one than this and than what was there.
  static constexpr double kLeastQuality = 0.2;
  // How far a step may move the surface, in wished edge lengths.
  static constexpr double kDeviation = 0.25, kBoundaryDeviation = 0.1;

  struct Shape {
    Vec3 area;  // twice, along the normal
    double quality;
  };
  struct Move {
    Vec3 to;
    SurfacePoint source;
  };

  static Shape shape(const Vec3& a, const Vec3& b, const Vec3& c) {
    const Vec3 area = cross(b - a, c - a);
    const double sides = squared(b - a) + squared(c - b) + squared(a - c);
    return {area, sides > 0 ? 3.4641016151377544 * length(area) / sides : 0};
  }
  Shape shape(int32_t h) const {
    return shape(position_[mesh_.from(h)], position_[mesh_.to(h)], position_[mesh_.apex(h)]);
  }
  static bool may_become(const Shape& before, const Shape& after, const Vec3& normal);

  double wish(int32_t a, int32_t b) const { return 0.5 * (size_[a] + size_[b]); }
  /// Length of an edge in wished lengths.
  double ratio(int32_t h) const {
    const int32_t a = mesh_.from(h), b = mesh_.to(h);
    return length(position_[b] - position_[a]) / wish(a, b);
  }
  std::vector<int32_t> edges_by_ratio(double above, double below) const;

  bool merged_place(int32_t h, Vec3& p, double& lost) const;
  bool collapse_fits(int32_t h, const Vec3& p, double& lost) const;
  double plane_error(int32_t h, const Vec3& p) const;
  bool keeps_boundary(int32_t h, const Vec3& p) const;
  bool flip_helps(int32_t h) const;
  bool move_fits(int32_t v, const Vec3& to) const;
  Vec3 normal(int32_t v) const;
  Vec3 smoothed(int32_t v, const Vec3& normal) const;
  Move projected(int32_t v, const Vec3& p, const Vec3& normal) const;

  const RemeshArgs& args_;
  CornerMesh& mesh_;
  const InputSurface& surface_;
  int64_t most_faces_;
  std::vector<Vec3> position_, normal_;  // (V); the input's normal there
  std::vector<double> size_;             // (V) wished edge length
  std::vector<double> lost_;             // (V) how far off it a collapse may have left the input
  std::vector<SurfacePoint> source_;     // (V) as of the last relax()
  std::vector<uint8_t> is_fixed_;        // (V) a corner of the boundary
};

LRAST_END
