// csrc/kernels/intersections.cpp: faces against those near them in a tree of boxes.
#include "intersections.h"

#include <atomic>

#include "../core/triangle_overlap.h"
#include "parallel.h"
#include "triangle_tree.h"

LRAST_BEGIN
namespace {

/// Whether faces s and t meet in more than the corners that they share.
bool faces_meet(const int32_t* s, const int32_t* t, const Vec3* s_corners, const Vec3* t_corners) {
  int shared = 0, s_at = 0, t_at = 0, s_sum = 0, t_sum = 0;
  for (int i = 0; i < 3; ++i)
    for (int k = 0; k < 3; ++k)
      if (s[i] == t[k]) ++shared, s_at = i, t_at = k, s_sum += i, t_sum += k;
  if (shared == 0) return apart_triangles_meet(s_corners, t_corners);
  if (shared == 3) return true;
  // Rotated so that what they share comes first.
  const int s_first = shared == 1 ? s_at : (4 - s_sum) % 3;
  const int t_first = shared == 1 ? t_at : (4 - t_sum) % 3;
  Vec3 a[3], b[3];
  for (int k = 0; k < 3; ++k) {
    a[k] = s_corners[(s_first + k) % 3];
    b[k] = t_corners[(t_first + k) % 3];
  }
  return shared == 1 ? corner_neighbors_meet(a, b) : side_neighbors_meet(a, b[2]);
}

}  // namespace
LRAST_END

namespace lrast {

Intersections self_intersections(const IntersectionArgs& args) {
  TriangleTree tree;
  for (int64_t f = 0; f < args.num_faces; ++f) {
    Vec3 corners[3];
    for (int k = 0; k < 3; ++k) {
      const double* p = args.verts + 3 * int64_t(args.faces[3 * f + k]);
      corners[k] = {p[0], p[1], p[2]};
    }
    if (axis_with_area(corners) >= 0) tree.add(corners[0], corners[1], corners[2], int32_t(f));
  }
  tree.build();
  const auto& triangles = tree.triangles();
  const int64_t count = int64_t(triangles.size());
  const int chunks = num_chunks(4 * count, args.num_threads);
  using Found = std::vector<std::pair<int32_t, int32_t>>;
  std::vector<Found> found(chunks);
  std::atomic<int64_t> num_found{0};
  parallel_chunks(count, chunks, args.num_threads, [&](int chunk, int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const TriangleTree::Triangle& s = triangles[i];
      Box box;
      for (const Vec3& p : s.corners) box.add(p);
      tree.overlapping(box, [&](int32_t place) {
        const TriangleTree::Triangle& t = triangles[place];
        if (place <= i) return;
        Box other;
        for (const Vec3& p : t.corners) other.add(p);
        if (!box.overlaps(other)) return;
        if (!faces_meet(args.faces + 3 * int64_t(s.index), args.faces + 3 * int64_t(t.index),
                        s.corners, t.corners))
          return;
        if (num_found.fetch_add(1, std::memory_order_relaxed) < args.max_pairs)
          found[chunk].push_back({smaller(s.index, t.index), larger(s.index, t.index)});
        else
          Found().swap(found[chunk]);
      });
    }
  });
  Intersections result{num_found, {}};
  if (result.num_pairs > args.max_pairs) return result;
  Found all;
  for (const auto& part : found) all.insert(all.end(), part.begin(), part.end());
  std::sort(all.begin(), all.end());
  result.pairs.reserve(2 * all.size());
  for (const auto& pair : all) result.pairs.insert(result.pairs.end(), {pair.first, pair.second});
  return result;
}

}  // namespace lrast
