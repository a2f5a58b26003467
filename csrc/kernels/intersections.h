// csrc/kernels/intersections.h: pairs of faces that intersect.  See scene/intersections.py.
#pragma once
#include <vector>

#include "../core/host_device.h"

namespace lrast {

struct IntersectionArgs {
  const double* verts;   // (V, 3)
  const int32_t* faces;  // (F, 3); vertices at equal positions merged
  int64_t num_faces;
  int64_t max_pairs;  // to keep; a crumpled mesh may have some F^2 of them
  int32_t num_threads;
};

struct Intersections {
  int64_t num_pairs;           // exact, also where they are not kept
  std::vector<int32_t> pairs;  // (lower, higher) one after another, sorted; none if too many
};

/// Throws std::bad_alloc.
Intersections self_intersections(const IntersectionArgs& args);

}  // namespace lrast
