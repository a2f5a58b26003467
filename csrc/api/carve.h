// csrc/api/carve.h: the C ABI of ops/carve.py.
#pragma once
#include "lrast.h"

/// Array shapes: see lrast::CarveArgs; origin (3,) and size (3,). Status 3: out of memory.
LRAST_API int lrast_carve(const float* distance, const double* project, int32_t num_views,
                          int32_t height, int32_t width, double near, const double* origin,
                          double cell, const int32_t* size, int32_t first_k, int32_t last_k,
                          int32_t least_seen, int32_t num_threads, float* field);
