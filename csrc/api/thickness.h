// csrc/api/thickness.h: C ABI of local_thickness; see lrast.h.
#pragma once
#include "lrast.h"

/// Returns 0, or 3 where memory ran out. Array shapes: see lrast::ThicknessArgs.
LRAST_API int lrast_local_thickness(const double* verts, int64_t num_verts, const int32_t* faces,
                                    int64_t num_faces, int32_t num_threads, double* thickness);
