// csrc/api/remesh.cpp
#include "remesh.h"

#include <cstring>
#include <memory>
#include <new>

#include "../kernels/remesh.h"

int lrast_remesh(const double* verts, int64_t num_verts, const int32_t* faces, int64_t num_faces,
                 const double* target, int32_t iterations, int32_t balance, int32_t num_threads,
                 void** result, int64_t* sizes, int64_t* counts, int64_t* where) {
  try {
    std::unique_ptr<lrast::RemeshResult> made(new lrast::RemeshResult);
    const lrast::RemeshStatus status = lrast::remesh(
        {verts, faces, target, num_verts, num_faces, iterations, balance, num_threads}, *made);
    for (int i = 0; i < 3; ++i) where[i] = status.where[i];
    if (status.code != lrast::RemeshStatus::kOk) return status.code;
    sizes[0] = int64_t(made->verts.size() / 3);
    sizes[1] = int64_t(made->faces.size() / 3);
    counts[0] = made->num_splits, counts[1] = made->num_collapses, counts[2] = made->num_flips;
    *result = made.release();
    return 0;
  } catch (...) {
    return lrast::RemeshStatus::kNoMemory;
  }
}

int lrast_remesh_take(void* result, double* verts, int32_t* faces, int32_t* source_verts,
                      double* source_weights) {
  const std::unique_ptr<lrast::RemeshResult> made(static_cast<lrast::RemeshResult*>(result));
  const auto copy = [](const auto& from, auto* to) {
    if (!from.empty()) std::memcpy(to, from.data(), from.size() * sizeof(from[0]));
  };
  copy(made->verts, verts);
  copy(made->faces, faces);
  copy(made->source_verts, source_verts);
  copy(made->source_weights, source_weights);
  return 0;
}
