// csrc/kernels/remesh_relax.h: vertices moved within the surface and put back onto it.
#pragma once
#include "remesh_steps.h"

LRAST_BEGIN

inline void Remesher::relax() {
  // All from the same positions, so that threads do not matter; then one after another, each only
  // if its faces stay sound among those that have moved already.
  std::vector<Move> moves(num_verts());
  const int chunks = num_chunks(num_verts(), args_.num_threads);
  parallel_chunks(num_verts(), chunks, args_.num_threads, [&](int, int64_t begin, int64_t end) {
    for (int64_t v = begin; v < end; ++v) {
      const Vec3 n = normal(int32_t(v));
      moves[v] = projected(int32_t(v), smoothed(int32_t(v), n), n);
    }
  });
  for (int32_t v = 0; v < num_verts(); ++v) {
    bool moves_there = move_fits(v, moves[v].to);
    if (!moves_there) {
      moves[v] = projected(v, position_[v], normal(v));
      moves_there = move_fits(v, moves[v].to);
    }
    if (moves_there) position_[v] = moves[v].to;
    source_[v] = moves[v].source;
    normal_[v] = surface_.normal(source_[v]);
    size_[v] = surface_.target(source_[v]);
  }
}

/// Moves vertices off the input by as much as the faces around them lie off it on the other side.
inline void Remesher::balance() {
  const int32_t num_faces = mesh_.num_half_edges() / 3;
  std::vector<Vec3> gap(num_faces);  // from the face to the input, weighted by its area
  const int chunks = num_chunks(num_faces, args_.num_threads);
  parallel_chunks(num_faces, chunks, args_.num_threads, [&](int, int64_t begin, int64_t end) {
    for (int64_t f = begin; f < end; ++f) {
      const int32_t* v = &mesh_.vert[3 * f];
      const Vec3 middle = (1.0 / 3) * (position_[v[0]] + position_[v[1]] + position_[v[2]]);
      const Vec3 area = shape(int32_t(3 * f)).area;
      const SurfacePoint there =
          surface_.nearest(middle, unit(area), source_[v[0]].place, size_[v[0]]);
      gap[f] = dot(surface_.position(there) - middle, area) * unit(area);
    }
  });
  for (int32_t v = 0; v < num_verts(); ++v) {
    if (mesh_.is_boundary(v)) continue;
    // On a sphere the middle of a face is off by 4/3 of what the face is on average.
    constexpr double kMean = 0.75;
    Vec3 sum{0, 0, 0};
    double total = 0;
    mesh_.around(v, [&](int32_t h) {
      sum = sum + gap[h / 3];
      total += length(shape(h).area);
    });
    if (!(total > 0)) continue;
    const Vec3 to = position_[v] + (kMean / total) * sum;
    if (move_fits(v, to)) position_[v] = to;
  }
}

inline Vec3 Remesher::normal(int32_t v) const {
  Vec3 sum{0, 0, 0};
  mesh_.around(v, [&](int32_t h) { sum = sum + shape(h).area; });
  return unit(sum);
}

/// v moved within the surface towards the middle of its faces, weighted by how much too large each
/// is; at a boundary towards the middle of its neighbours there.
inline Vec3 Remesher::smoothed(int32_t v, const Vec3& normal) const {
  constexpr double kStep = 0.7, kStiffness = 20;
  const Vec3 p = position_[v];
  if (is_fixed_[v]) return p;
  if (mesh_.is_boundary(v)) {
    int32_t last = -1;
    mesh_.around(v, [&](int32_t h) { last = CornerMesh::prev(h); });
    const Vec3 middle =
        0.5 * (position_[mesh_.from(last)] + position_[mesh_.to(mesh_.out[v])]);
    return p + kStep * (middle - p);
  }
  Vec3 sum{0, 0, 0}, rows[3] = {{0, 0, 0}, {0, 0, 0}, {0, 0, 0}};
  double total = 0, total_area = 0;
  mesh_.around(v, [&](int32_t h) {
    const int32_t b = mesh_.to(h), c = mesh_.apex(h);
    const double wish = size_[v] + size_[b] + size_[c];
    const Vec3 area = shape(h).area;
    const double size = length(area);
    if (!(size > 0)) return;
    const double weight = size / (wish * wish);
    sum = sum + weight * ((1.0 / 3) * (position_[b] + position_[c] - 2 * p));
    total += weight;
    for (int k = 0; k < 3; ++k) rows[k] = rows[k] + (area[k] / size) * area;
    total_area += size;
  });
  if (!(total > 0)) return p;
  Vec3 step = (kStep / total) * sum;
  step = step - dot(step, normal) * normal;
  // Out of the planes of its faces, as across a crease, a vertex hardly moves: the step is what
  // minimises |x - step|^2 + stiffness * mean (n . x)^2, solved by Cramer's rule.
  const double stiffness = kStiffness / total_area;
  for (Vec3& row : rows) row = stiffness * row;
  rows[0].x += 1, rows[1].y += 1, rows[2].z += 1;
  const Vec3 yz = cross(rows[1], rows[2]), zx = cross(rows[2], rows[0]);
  const Vec3 xy = cross(rows[0], rows[1]);
  const double det = dot(rows[0], yz);
  return p + Vec3{dot(step, yz) / det, dot(step, zx) / det, dot(step, xy) / det};
}

inline Remesher::Move Remesher::projected(int32_t v, const Vec3& p, const Vec3& normal) const {
  Move move;
  if (is_fixed_[v]) {
    move.source = source_[v];
  } else if (mesh_.is_boundary(v)) {
    move.source = surface_.nearest_on_boundary(p, source_[v].side);
  } else {
    move.source = surface_.nearest(p, normal, source_[v].place, size_[v]);
  }
  move.to = surface_.position(move.source);
  return move;
}

inline bool Remesher::move_fits(int32_t v, const Vec3& to) const {
  double worst = 1, worst_after = 1;
  bool fits = true;
  mesh_.around(v, [&](int32_t h) {
    const int32_t b = mesh_.to(h), c = mesh_.apex(h);
    const Shape before = shape(h), after = shape(to, position_[b], position_[c]);
    fits &= may_become(before, after, unit(normal_[v] + normal_[b] + normal_[c]));
    worst = smaller(worst, before.quality);
    worst_after = smaller(worst_after, after.quality);
  });
  return fits && worst_after >= smaller(kLeastQuality, worst);
}

LRAST_END
