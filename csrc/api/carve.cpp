// csrc/api/carve.cpp
#include "carve.h"

#include "../kernels/carve.h"

int lrast_carve(const float* distance, const double* project, int32_t num_views, int32_t height,
                int32_t width, double near, const double* origin, double cell, const int32_t* size,
                int32_t first_k, int32_t last_k, int32_t least_seen, int32_t num_threads,
                float* field) {
  lrast::CarveArgs args;
  args.distance = distance;
  args.project = project;
  args.near = near;
  args.cell = cell;
  for (int axis = 0; axis < 3; ++axis) args.origin[axis] = origin[axis], args.size[axis] = size[axis];
  args.first_k = first_k;
  args.last_k = last_k;
  args.least_seen = least_seen;
  args.num_views = num_views;
  args.height = height;
  args.width = width;
  args.num_threads = num_threads;
  args.field = field;
  return lrast::carve(args) ? 3 : 0;
}
