// csrc/kernels/thickness.h: how thick a solid is at its vertices.  See optim/thickness.py.
#pragma once
#include "../core/host_device.h"

namespace lrast {

struct ThicknessArgs {
  const double* verts;   // (V, 3)
  const int32_t* faces;  // (F, 3)
  double* thickness;     // (V), infinite where no ray leaves the solid
  int64_t num_verts, num_faces;
  int32_t num_threads;
};

/// Throws std::bad_alloc.
void local_thickness(const ThicknessArgs& args);

}  // namespace lrast
