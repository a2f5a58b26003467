// csrc/api/thickness.cpp
#include "thickness.h"

#include <new>

#include "../kernels/thickness.h"

int lrast_local_thickness(const double* verts, int64_t num_verts, const int32_t* faces,
                          int64_t num_faces, int32_t num_threads, double* thickness) {
  constexpr int kNoMemory = 3;
  try {
    lrast::local_thickness({verts, faces, thickness, num_verts, num_faces, num_threads});
    return 0;
  } catch (...) {
    return kNoMemory;
  }
}
