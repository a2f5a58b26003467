// csrc/kernels/thickness.cpp: rays from each vertex inwards, through a tree of boxes.
#include "thickness.h"

#include "parallel.h"
#include "triangle_tree.h"

LRAST_BEGIN
namespace {

constexpr int kRays = 7;
constexpr double kSine = 0.5, kCosine = 0.8660254037844386;  // 30 degrees off the axis

/// Two unit vectors that are normal to a unit vector and to each other.
/// [Duff et al., "Building an orthonormal basis, revisited", 2017]
void basis(const Vec3& n, Vec3& u, Vec3& v) {
  const double sign = n.z >= 0 ? 1.0 : -1.0;
  const double a = -1 / (sign + n.z), b = n.x * n.y * a;
  u = {1 + sign * n.x * n.x * a, sign * b, -sign * n.x};
  v = {b, sign + n.y * n.y * a, -n.y};
}

/// The middle one of `count` numbers, the lower one of two.
double median(double* values, int count) {
  double* const middle = values + (count - 1) / 2;
  std::nth_element(values, middle, values + count);
  return *middle;
}

double along_rays(const TriangleTree& tree, const Vec3& p, const Vec3& normal) {
  Vec3 u, v;
  basis(normal, u, v);
  double found[kRays];
  int count = 0;
  for (int ray = 0; ray < kRays; ++ray) {
    Vec3 d = -1 * normal;
    double cosine = 1;
    if (ray > 0) {
      const double angle = 6.283185307179586 / (kRays - 1) * ray;
      d = kCosine * d + (kSine * cos(angle)) * u + (kSine * sin(angle)) * v;
      cosine = kCosine;
    }
    const double length = tree.first_exit(p, d, HUGE_VAL);
    if (length < HUGE_VAL) found[count++] = cosine * length;
  }
  return count > 0 ? median(found, count) : HUGE_VAL;
}

}  // namespace
LRAST_END

namespace lrast {

void local_thickness(const ThicknessArgs& args) {
  TriangleTree tree;
  std::vector<Vec3> normals(args.num_verts, Vec3{0, 0, 0});
  std::vector<int32_t> first(args.num_verts + 1, 0), others(6 * args.num_faces);
  const auto vert = [&](int64_t v) {
    return Vec3{args.verts[3 * v], args.verts[3 * v + 1], args.verts[3 * v + 2]};
  };
  for (int64_t f = 0; f < args.num_faces; ++f) {
    const int32_t* v = args.faces + 3 * f;
    const Vec3 a = vert(v[0]), b = vert(v[1]), c = vert(v[2]);
    const Vec3 area = cross(b - a, c - a);
    tree.add(a, b, c, int32_t(f));
    for (int k = 0; k < 3; ++k) {
      normals[v[k]] = normals[v[k]] + area;
      first[v[k] + 1] += 2;
    }
  }
  tree.build();
  for (int64_t v = 0; v < args.num_verts; ++v) first[v + 1] += first[v];
  std::vector<int32_t> next(first.begin(), first.end() - 1);
  for (int64_t f = 0; f < args.num_faces; ++f)
    for (int k = 0; k < 3; ++k) {
      int32_t& at = next[args.faces[3 * f + k]];
      others[at++] = args.faces[3 * f + (k + 1) % 3];
      others[at++] = args.faces[3 * f + (k + 2) % 3];
    }

  const int chunks = num_chunks(16 * args.num_verts, args.num_threads);
  std::vector<double> raw(args.num_verts);
  parallel_chunks(args.num_verts, chunks, args.num_threads, [&](int, int64_t begin, int64_t end) {
    for (int64_t v = begin; v < end; ++v) {
      const Vec3 normal = unit(normals[v]);
      raw[v] = squared(normal) > 0 ? along_rays(tree, vert(v), normal) : HUGE_VAL;
    }
  });
  // One vertex whose normal noise has turned must not count: the median over its surroundings,
  // where a neighbour counts twice, once per face, as does the vertex itself.
  parallel_chunks(args.num_verts, chunks, args.num_threads, [&](int, int64_t begin, int64_t end) {
    std::vector<double> around;
    for (int64_t v = begin; v < end; ++v) {
      around.assign(2, raw[v]);
      for (int32_t i = first[v]; i < first[v + 1]; ++i) around.push_back(raw[others[i]]);
      args.thickness[v] = median(around.data(), int(around.size()));
    }
  });
}

}  // namespace lrast
