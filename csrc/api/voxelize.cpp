// csrc/api/voxelize.cpp
#include "voxelize.h"

#include "../kernels/voxelize.h"

int lrast_voxelize(const double* verts, int64_t num_verts, const int32_t* faces, int64_t num_faces,
                   const double* origin, double cell, const int32_t* size, int32_t num_threads,
                   int16_t* winding) {
  lrast::VoxelizeArgs args;
  args.verts = verts;
  args.faces = faces;
  args.num_verts = num_verts;
  args.num_faces = num_faces;
  args.cell = cell;
  for (int axis = 0; axis < 3; ++axis) args.origin[axis] = origin[axis], args.size[axis] = size[axis];
  args.num_threads = num_threads;
  args.winding = winding;
  return lrast::voxelize(args) ? 3 : 0;
}
