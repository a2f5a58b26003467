// csrc/core/cull.h: which faces are left out for the side that they show.
#pragma once
#include <stdint.h>

#include "host_device.h"

LRAST_BEGIN

enum RasterCull : int32_t { kCullNone, kCullBack, kCullFront };

/// Whether faces of this orientation on the screen are left out. y points down, so that
/// counter-clockwise in NDC is -1.
LRAST_HD bool is_culled(int side, int32_t cull) {
  return side == 0 || (cull == kCullBack && side > 0) || (cull == kCullFront && side < 0);
}

LRAST_END
