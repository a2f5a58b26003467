// csrc/api/mask_distance.cpp
#include "mask_distance.h"

#include "../kernels/mask_distance.h"

int lrast_mask_distance(const float* coverage, const uint8_t* known, int64_t num_views,
                        int32_t height, int32_t width, int32_t num_threads, float* distance) {
  const int failed = lrast::mask_distance(
      {coverage, known, distance, num_views, height, width, num_threads});
  return failed ? 3 : 0;
}
