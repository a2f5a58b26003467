// csrc/api/remesh.h: C ABI of remesh; see lrast.h.
#pragma once
#include "lrast.h"

/// Status codes are lrast::RemeshStatus::Code, `where` (3,) as it says. Array shapes: see
/// lrast::RemeshArgs. `result` receives a handle for the function below, `sizes` (2,) the numbers
/// of vertices and faces, `counts` (3,) those of splits, collapses and flips.
LRAST_API int lrast_remesh(const double* verts, int64_t num_verts, const int32_t* faces,
                           int64_t num_faces, const double* target, int32_t iterations,
                           int32_t balance, int32_t num_threads, void** result, int64_t* sizes,
                           int64_t* counts, int64_t* where);

/// Fetches the result and frees it. Array shapes: see lrast::RemeshResult.
LRAST_API int lrast_remesh_take(void* result, double* verts, int32_t* faces,
                                int32_t* source_verts, double* source_weights);
