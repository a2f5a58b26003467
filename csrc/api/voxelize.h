// csrc/api/voxelize.h: the C ABI of ops/voxelize.py.
#pragma once
#include "lrast.h"

/// Array shapes: see lrast::VoxelizeArgs; origin (3,) and size (3,). Status 3: out of memory.
LRAST_API int lrast_voxelize(const double* verts, int64_t num_verts, const int32_t* faces,
                             int64_t num_faces, const double* origin, double cell,
                             const int32_t* size, int32_t num_threads, int16_t* winding);
