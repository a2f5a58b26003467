// csrc/api/mask_distance.h: the C ABI of ops/mask_distance.py.
#pragma once
#include "lrast.h"

/// Array shapes: see lrast::MaskDistanceArgs. Status 3: out of memory.
LRAST_API int lrast_mask_distance(const float* coverage, const uint8_t* known, int64_t num_views,
                                  int32_t height, int32_t width, int32_t num_threads,
                                  float* distance);
