// csrc/kernels/surface.h: closed surfaces of fields on a grid.  See optim/voxels.py.
#pragma once
#include "buffer.h"

LRAST_BEGIN

struct SurfaceArgs {
  const float* field;       // (X, Y, Z)
  float level;              // what is larger is inside
  double origin[3], cell;   // of grid point (0, 0, 0), and between neighbours
  int32_t size[3];          // X, Y, Z
  int32_t num_threads;
};

struct Surface {
  Buffer<float> verts;    // (V, 3)
  Buffer<int32_t> faces;  // (F, 3)
};

enum class SurfaceStatus { kGood = 0, kTooLarge = 1, kNoMemory = 3 };

SurfaceStatus extract_surface(const SurfaceArgs& args, Surface& surface);

LRAST_END
