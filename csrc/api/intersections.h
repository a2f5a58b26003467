// csrc/api/intersections.h: C ABI of self_intersections; see lrast.h.
#pragma once
#include "lrast.h"

/// Returns 0, or 3 where memory ran out. Array shapes: see lrast::IntersectionArgs. `num_pairs`
/// receives how many there are, `result` a handle for the function below, or null where there are
/// more than `max_pairs`.
LRAST_API int lrast_find_intersections(const double* verts, const int32_t* faces,
                                       int64_t num_faces, int64_t max_pairs, int32_t num_threads,
                                       void** result, int64_t* num_pairs);

/// Fetches the pairs (P, 2) and frees the result.
LRAST_API int lrast_find_intersections_take(void* result, int32_t* pairs);
