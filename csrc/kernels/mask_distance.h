// csrc/kernels/mask_distance.h: signed distances to the outlines of masks.  See ops/mask_distance.py.
#pragma once
#include "../core/host_device.h"

LRAST_BEGIN

struct MaskDistanceArgs {
  const float* coverage;  // (N, H, W)
  const uint8_t* known;   // (N, H, W), 0 = not measured; null if everything is
  float* distance;        // (N, H, W) px, positive inside
  int64_t num_views;
  int32_t height, width, num_threads;
};

/// Returns whether memory ran out.
int mask_distance(const MaskDistanceArgs& args);

LRAST_END
