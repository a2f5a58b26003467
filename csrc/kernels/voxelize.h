// csrc/kernels/voxelize.h: winding numbers of a mesh at the points of a grid.  See ops/voxelize.py.
#pragma once
#include "../core/host_device.h"

LRAST_BEGIN

struct VoxelizeArgs {
  const double* verts;     // (V, 3) world
  const int32_t* faces;    // (F, 3)
  int64_t num_verts, num_faces;
  double origin[3], cell;  // of grid point (0, 0, 0), and between neighbours
  int32_t size[3];         // X, Y, Z
  int32_t num_threads;
  int16_t* winding;        // (X, Y, Z)
};

/// Returns whether memory ran out.
int voxelize(const VoxelizeArgs& args);

LRAST_END
