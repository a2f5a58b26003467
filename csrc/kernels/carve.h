// csrc/kernels/carve.h: the visual hull as a field on a grid.  See ops/carve.py.
#pragma once
#include "../core/host_device.h"

LRAST_BEGIN

constexpr int kMostDisagreeing = 3;

struct CarveArgs {
  const float* distance;  // (N, H, W) px, positive inside; +inf = unknown
  const double* project;  // (N, 3, 4) from world to (x w, y w, w), w the depth (1: orthographic)
  double near;            // points of a depth up to this are not seen
  double origin[3], cell;  // of grid point (0, 0, 0), and between neighbours
  int32_t size[3];        // X, Y, Z
  int32_t first_k, last_k;  // fields to make, 1 to kMostDisagreeing
  int32_t least_seen;     // by fewer views, or by no more than k, a point is outside; 0: inside
  int32_t num_views, height, width, num_threads;
  float* field;           // (last_k - first_k + 1, X, Y, Z)
};

/// Returns whether memory ran out.
int carve(const CarveArgs& args);

LRAST_END
