// csrc/api/intersections.cpp
#include "intersections.h"

#include <cstring>
#include <memory>
#include <new>
#include <utility>

#include "../kernels/intersections.h"

using Pairs = std::vector<int32_t>;

int lrast_find_intersections(const double* verts, const int32_t* faces, int64_t num_faces,
                             int64_t max_pairs, int32_t num_threads, void** result,
                             int64_t* num_pairs) {
  constexpr int kNoMemory = 3;
  try {
    lrast::Intersections found =
        lrast::self_intersections({verts, faces, num_faces, max_pairs, num_threads});
    *num_pairs = found.num_pairs;
    *result = found.num_pairs > max_pairs ? nullptr : new Pairs(std::move(found.pairs));
    return 0;
  } catch (...) {
    return kNoMemory;
  }
}

int lrast_find_intersections_take(void* result, int32_t* pairs) {
  const std::unique_ptr<Pairs> made(static_cast<Pairs*>(result));
  if (!made->empty()) std::memcpy(pairs, made->data(), made->size() * sizeof((*made)[0]));
  return 0;
}
