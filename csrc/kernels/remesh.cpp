// csrc/kernels/remesh.cpp: isotropic remeshing.  See optim/remesh.py.
#include "remesh.h"

#include "remesh_relax.h"

LRAST_BEGIN
namespace {

// More are a mistake in the units of the wished length.
constexpr double kMostFaces = 2e7;

/// About how many faces the result will have, at most.
double expected_faces(const RemeshArgs& args) {
  double count = 0;
  const auto vert = [&](int32_t v) {
    return Vec3{args.verts[3 * v], args.verts[3 * v + 1], args.verts[3 * v + 2]};
  };
  for (int64_t f = 0; f < args.num_faces; ++f) {
    const int32_t* v = args.faces + 3 * f;
    const Vec3 a = vert(v[0]), b = vert(v[1]), c = vert(v[2]);
    const double wish = (args.target[v[0]] + args.target[v[1]] + args.target[v[2]]) / 3;
    count += length(cross(b - a, c - a)) / (0.8660254037844386 * wish * wish);
    // Needles have sides to split but no area.
    count += (length(b - a) + length(c - b) + length(a - c)) / wish;
  }
  return count;
}

}  // namespace

Remesher::Remesher(const RemeshArgs& args, CornerMesh& mesh, const InputSurface& surface)
    : args_(args), mesh_(mesh), surface_(surface) {
  most_faces_ = int64_t(8 * expected_faces(args)) + 8 * args.num_faces + 1000;
  const int32_t count = mesh.num_verts();
  position_.resize(count);
  normal_.resize(count);
  lost_.assign(count, 0);
  size_.resize(count);
  source_.resize(count);
  is_fixed_.assign(count, 0);
  for (int32_t v = 0; v < count; ++v) {
    if (mesh.out[v] < 0) continue;
    source_[v] = surface.at_corner(mesh.out[v], mesh.is_boundary(v));
    position_[v] = surface.position(source_[v]);
    normal_[v] = surface.normal(source_[v]);
    size_[v] = surface.target(source_[v]);
  }
  for (int32_t v = 0; v < count; ++v) {
    if (mesh.out[v] < 0 || !mesh.is_boundary(v)) continue;
    int32_t last = -1;
    mesh.around(v, [&](int32_t h) { last = CornerMesh::prev(h); });
    const Vec3 in = position_[v] - position_[mesh.from(last)];
    const Vec3 out = position_[mesh.to(mesh.out[v])] - position_[v];
    constexpr double kCosine45 = 0.7071067811865476;
    is_fixed_[v] = !(dot(in, out) > kCosine45 * length(in) * length(out));
  }
  compact();
}

void Remesher::compact() {
  std::vector<int32_t> kept;
  mesh_.compact(kept);
  for (size_t i = 0; i < kept.size(); ++i) {
    const int32_t v = kept[i];
    position_[i] = position_[v], normal_[i] = normal_[v], size_[i] = size_[v];
    source_[i] = source_[v], is_fixed_[i] = is_fixed_[v], lost_[i] = lost_[v];
  }
  position_.resize(kept.size());
  normal_.resize(kept.size());
  size_.resize(kept.size());
  source_.resize(kept.size());
  lost_.resize(kept.size());
  is_fixed_.resize(kept.size());
}

std::vector<int32_t> Remesher::edges_by_ratio(double above, double below) const {
  std::vector<std::pair<double, int32_t>> found;
  for (int32_t h = 0; h < mesh_.num_half_edges(); ++h) {
    if (!mesh_.stands_for_edge(h)) continue;
    const double r = ratio(h);
    if (r > above && r < below) found.push_back({r, h});
  }
  std::sort(found.begin(), found.end());
  std::vector<int32_t> edges(found.size());
  for (size_t i = 0; i < found.size(); ++i) edges[i] = found[i].second;
  return edges;
}

/// `normal`: the input's thereabouts.
bool Remesher::may_become(const Shape& before, const Shape& after, const Vec3& normal) {
  const double size = length(after.area), old_size = length(before.area);
  if (!(size > 0)) return false;
  const double cosine = dot(after.area, normal) / size;
  const double old_cosine = old_size > 0 ? dot(before.area, normal) / old_size : -1;
  if (cosine < kLeastCosine && cosine < old_cosine) return false;
  // A face that looks the wrong way may turn back at once.
  return old_cosine <= 0 || dot(before.area, after.area) >= kLeastCosine * old_size * size;
}

// --- Split -----------------------------------------------------------------------------------

void Remesher::split(int64_t& count) {
  // Longest first, and what splitting makes in the next round: halves are at most 1/2 as long and
  // the two other edges no longer than the longest side of their face, so rounds end soon.
  constexpr int kMostRounds = 60;
  for (int round = 0; round < kMostRounds; ++round) {
    const std::vector<int32_t> edges = edges_by_ratio(kLong, HUGE_VAL);
    if (edges.empty()) return;
    for (size_t i = edges.size(); i-- > 0;) {
      const int32_t h = edges[i];
      if (ratio(h) <= kLong) continue;
      if (mesh_.num_half_edges() / 3 >= most_faces_) return;
      const int32_t a = mesh_.from(h), b = mesh_.to(h);
      const bool on_boundary = mesh_.twin[h] < 0;
      mesh_.split(h);
      position_.push_back(0.5 * (position_[a] + position_[b]));
      normal_.push_back(unit(normal_[a] + normal_[b]));
      size_.push_back(wish(a, b));
      source_.push_back(source_[a]);
      lost_.push_back(larger(lost_[a], lost_[b]));
      if (!on_boundary) source_.back().side = -1;
      is_fixed_.push_back(0);
      ++count;
    }
  }
}

// --- Collapse --------------------------------------------------------------------------------

void Remesher::collapse(int64_t& count) {
  for (const int32_t h : edges_by_ratio(-1, kShort)) {
    if (mesh_.is_gone(h) || ratio(h) >= kShort || !mesh_.may_collapse(h)) continue;
    Vec3 p;
    double lost;
    if (!merged_place(h, p, lost)) continue;
    const int32_t a = mesh_.from(h), b = mesh_.to(h);
    const bool takes_b = is_fixed_[b] || (mesh_.is_boundary(b) && !mesh_.is_boundary(a));
    normal_[a] = takes_b ? normal_[b] : unit(normal_[a] + normal_[b]);
    size_[a] = takes_b ? size_[b] : wish(a, b);
    if (takes_b) source_[a] = source_[b], is_fixed_[a] = is_fixed_[b];
    position_[a] = p;
    lost_[a] = lost;
    mesh_.collapse(h);
    ++count;
  }
  compact();
}

/// Where the ends of h may be merged, if anywhere.
bool Remesher::merged_place(int32_t h, Vec3& p, double& lost) const {
  const int32_t a = mesh_.from(h), b = mesh_.to(h);
  const bool edge_a = mesh_.is_boundary(a), edge_b = mesh_.is_boundary(b);
  const Vec3 middle = 0.5 * (position_[a] + position_[b]);
  if (edge_a || edge_b) {
    if (is_fixed_[a] && is_fixed_[b]) return false;
    if (edge_a && edge_b) {
      p = is_fixed_[a] ? position_[a] : is_fixed_[b] ? position_[b] : middle;
      if (!keeps_boundary(h, p)) return false;
    } else {
      p = edge_a ? position_[a] : position_[b];
    }
    return collapse_fits(h, p, lost);
  }
  // The middle, unless an end keeps the surface clearly better in place, as on a crease.
  const Vec3 places[3] = {middle, position_[a], position_[b]};
  const double slack = 0.03 * wish(a, b);
  double errors[3];
  for (int k = 0; k < 3; ++k) errors[k] = plane_error(h, places[k]) + (k ? slack * slack : 0);
  int order[3] = {0, 1, 2};
  std::sort(order, order + 3, [&](int i, int k) {
    return errors[i] < errors[k] || (errors[i] == errors[k] && i < k);
  });
  for (int k : order) {
    p = places[k];
    if (collapse_fits(h, p, lost)) return true;
  }
  return false;
}

/// Mean squared distance of p from the planes of the faces around the edge, weighted by area.
double Remesher::plane_error(int32_t h, const Vec3& p) const {
  double sum = 0, total = 0;
  for (const int32_t v : {mesh_.from(h), mesh_.to(h)})
    mesh_.around(v, [&](int32_t g) {
      const Vec3 area = shape(g).area;
      const double size = length(area);
      if (size == 0) return;
      const double distance = dot(p - position_[v], area) / size;
      sum += size * distance * distance;
      total += size;
    });
  return total > 0 ? sum / total : 0;
}

/// Whether the boundary stays in place when the ends of its side h are merged at p.
bool Remesher::keeps_boundary(int32_t h, const Vec3& p) const {
  int32_t last = -1;
  mesh_.around(mesh_.from(h), [&](int32_t g) { last = CornerMesh::prev(g); });
  const Vec3 before = position_[mesh_.from(last)];
  const Vec3 after = position_[mesh_.to(mesh_.out[mesh_.to(h)])];
  const Vec3 sides[2][3] = {{before, p, p}, {p, after, after}};
  const double allowed = kBoundaryDeviation * wish(mesh_.from(h), mesh_.to(h));
  for (const int32_t v : {mesh_.from(h), mesh_.to(h)}) {
    double nearest = HUGE_VAL;
    for (const auto& side : sides) {
      double weights[3];
      closest_weights(position_[v], side, weights);
      nearest = smaller(nearest, squared(position_[v] - blend(side, weights)));
    }
    if (nearest > allowed * allowed) return false;
  }
  return true;
}

bool Remesher::collapse_fits(int32_t h, const Vec3& p, double& lost) const {
  const int32_t a = mesh_.from(h), b = mesh_.to(h), t = mesh_.twin[h];
  const int32_t gone = h / 3, also_gone = t < 0 ? -1 : t / 3;
  const double size = wish(a, b);
  const Vec3 normal = normal_[a] + normal_[b];
  double worst = smaller(shape(h).quality, t < 0 ? 1.0 : shape(t).quality), worst_after = 1;
  double near_a = HUGE_VAL, near_b = HUGE_VAL;
  bool fits = true;
  for (const int32_t v : {a, b})
    mesh_.around(v, [&](int32_t g) {
      if (!fits || g / 3 == gone || g / 3 == also_gone) return;
      const int32_t c = mesh_.to(g), d = mesh_.apex(g);
      const Vec3 corners[3] = {p, position_[c], position_[d]};
      for (const int32_t end : {c, d}) {
        const double wished = 0.5 * (size + size_[end]);
        fits &= squared(position_[end] - p) <= kLong * kLong * wished * wished;
      }
      if (!fits) return;
      const Shape before = shape(g), after = shape(corners[0], corners[1], corners[2]);
      fits &= may_become(before, after, unit(0.5 * normal + normal_[c] + normal_[d]));
      worst = smaller(worst, before.quality);
      worst_after = smaller(worst_after, after.quality);
      double weights[3];
      closest_weights(position_[a], corners, weights);
      near_a = smaller(near_a, squared(position_[a] - blend(corners, weights)));
      closest_weights(position_[b], corners, weights);
      near_b = smaller(near_b, squared(position_[b] - blend(corners, weights)));
    });
  // What earlier collapses took away adds up, or a tip would go bit by bit.
  lost = larger(lost_[a] + sqrt(near_a), lost_[b] + sqrt(near_b));
  return fits && lost <= kDeviation * size &&
         worst_after >= smaller(kLeastQuality, worst);
}

// --- Flip ------------------------------------------------------------------------------------

void Remesher::flip(int64_t& count) {
  for (int32_t h = 0; h < mesh_.num_half_edges(); ++h) {
    if (!mesh_.stands_for_edge(h) || mesh_.twin[h] < 0 || !flip_helps(h)) continue;
    mesh_.flip(h);
    ++count;
  }
}

bool Remesher::flip_helps(int32_t h) const {
  const int32_t t = mesh_.twin[h];
  const int32_t verts[4] = {mesh_.from(h), mesh_.to(h), mesh_.apex(h), mesh_.apex(t)};
  constexpr int kChange[4] = {-1, -1, 1, 1};
  int before = 0, after = 0;
  for (int k = 0; k < 4; ++k) {
    const int32_t valence = mesh_.valence(verts[k]);
    const int32_t ideal = mesh_.is_boundary(verts[k]) ? 4 : 6;
    if (k < 2 && valence <= (ideal == 4 ? 2 : 3)) return false;
    before += (valence - ideal) * (valence - ideal);
    after += (valence + kChange[k] - ideal) * (valence + kChange[k] - ideal);
  }
  if (after > before) return false;
  const Vec3 a = position_[verts[0]], b = position_[verts[1]];
  const Vec3 c = position_[verts[2]], d = position_[verts[3]];
  const Shape old_shapes[2] = {shape(a, b, c), shape(b, a, d)};
  const Shape new_shapes[2] = {shape(d, c, a), shape(c, d, b)};
  const double old_worst = smaller(old_shapes[0].quality, old_shapes[1].quality);
  const double new_worst = smaller(new_shapes[0].quality, new_shapes[1].quality);
  if (after == before ? new_worst <= 1.05 * old_worst
                      : new_worst < smaller(kLeastQuality, old_worst))
    return false;
  // The surface moves by the distance between the two diagonals.
  const Vec3 across = cross(b - a, d - c);
  const double size = 0.25 * (size_[verts[0]] + size_[verts[1]] + size_[verts[2]] + size_[verts[3]]);
  if (fabs(dot(c - a, across)) > kDeviation * size * length(across)) return false;
  const Vec3 sides = normal_[verts[2]] + normal_[verts[3]];
  const Vec3 normals[2] = {unit(normal_[verts[0]] + sides), unit(normal_[verts[1]] + sides)};
  for (int i = 0; i < 2; ++i)
    for (int k = 0; k < 2; ++k)
      if (!may_become(old_shapes[i], new_shapes[k], normals[k])) return false;
  return !mesh_.are_joined(verts[2], verts[3]);
}

LRAST_END

namespace lrast {

RemeshStatus remesh(const RemeshArgs& args, RemeshResult& result) {
  RemeshStatus status{RemeshStatus::kOk, {0, 0, 0}};
  CornerMesh mesh;
  status.code = mesh.build(args.faces, args.num_faces, args.num_verts, status.where);
  if (status.code != RemeshStatus::kOk) {
    // Codes 3 and 4 belong to every operator.
    if (status.code >= CornerMesh::kWinding) status.code += 2;
    return status;
  }
  const double expected = expected_faces(args);
  if (!(expected <= kMostFaces)) {
    status.code = RemeshStatus::kTooMany;
    status.where[0] = expected < 9e18 ? int64_t(expected) : INT64_MAX;
    return status;
  }
  InputSurface surface(args);
  for (int32_t h = 0; h < mesh.num_half_edges(); ++h)
    if (mesh.twin[h] < 0) surface.add_boundary(h);
  surface.finish_boundary();
  Remesher remesher(args, mesh, surface);
  for (int32_t i = 0; i < args.iterations; ++i) {
    remesher.split(result.num_splits);
    remesher.collapse(result.num_collapses);
    remesher.flip(result.num_flips);
    remesher.relax();
  }
  if (args.iterations > 0 && args.balance) remesher.balance();
  result.faces = mesh.vert;
  for (int32_t v = 0; v < remesher.num_verts(); ++v) {
    const Vec3& p = remesher.position(v);
    result.verts.insert(result.verts.end(), {p.x, p.y, p.z});
    const SurfacePoint& source = remesher.source(v);
    for (int k = 0; k < 3; ++k) {
      result.source_verts.push_back(source.verts[k]);
      result.source_weights.push_back(source.weights[k]);
    }
  }
  return status;
}

}  // namespace lrast
