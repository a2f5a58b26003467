// csrc/kernels/intersections.h: pairs of faces that intersect.  See scene/intersections.py.
#pragma once
#include <vector>

#include "../core/host_device.h"

namespace lrast {

struct IntersectionArgs {
  const double* verts;   // (V, 3)
  const int32_t* faces;  // (F, 3); vertices at equal positions merged
  int64_t num_faces;
  int32_t num_threads;
};

/// Pairs (lower, higher) one after another, sorted. Throws std::bad_alloc.
std::vector<int32_t> self_intersections(const IntersectionArgs& args);

}  // namespace lrast
