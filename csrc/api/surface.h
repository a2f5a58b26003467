// csrc/api/surface.h: the C ABI of extract_surface in optim/voxels.py.
#pragma once
#include "lrast.h"

/// Array shapes: see lrast::SurfaceArgs; origin (3,) and size (3,). Status codes are
/// lrast::SurfaceStatus; on success *surface must be handed to the function below.
LRAST_API int lrast_surface_make(const float* field, float level, const double* origin, double cell,
                                 const int32_t* size, int32_t num_threads, void** surface,
                                 int64_t* num_verts, int64_t* num_faces);

/// Writes verts (V, 3) and faces (F, 3) and frees the surface.
LRAST_API int lrast_surface_take(void* surface, float* verts, int32_t* faces);
