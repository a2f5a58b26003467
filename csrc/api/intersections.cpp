// csrc/api/intersections.cpp
#include "intersections.h"

#include <cstring>
#include <memory>
#include <new>

#include "../kernels/intersections.h"

using Pairs = std::vector<int32_t>;

int lrast_self_intersections(const double* verts, const int32_t* faces, int64_t num_faces,
                             int32_t num_threads, void** result, int64_t* num_pairs) {
  constexpr int kNoMemory = 3;
  try {
    std::unique_ptr<Pairs> pairs(
        new Pairs(lrast::self_intersections({verts, faces, num_faces, num_threads})));
    *num_pairs = int64_t(pairs->size() / 2);
    *result = pairs.release();
    return 0;
  } catch (...) {
    return kNoMemory;
  }
}

int lrast_self_intersections_take(void* result, int32_t* pairs) {
  const std::unique_ptr<Pairs> made(static_cast<Pairs*>(result));
  if (!made->empty()) std::memcpy(pairs, made->data(), made->size() * sizeof((*made)[0]));
  return 0;
}
