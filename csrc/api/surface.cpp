// csrc/api/surface.cpp
#include "surface.h"

#include <string.h>

#include "../kernels/surface.h"

int lrast_surface_make(const float* field, float level, const double* origin, double cell,
                       const int32_t* size, int32_t num_threads, void** surface,
                       int64_t* num_verts, int64_t* num_faces) {
  lrast::SurfaceArgs args;
  args.field = field;
  args.level = level;
  args.cell = cell;
  for (int axis = 0; axis < 3; ++axis) args.origin[axis] = origin[axis], args.size[axis] = size[axis];
  args.num_threads = num_threads;
  auto* const made = new (std::nothrow) lrast::Surface;
  if (!made) return int(lrast::SurfaceStatus::kNoMemory);
  const lrast::SurfaceStatus status = lrast::extract_surface(args, *made);
  if (status != lrast::SurfaceStatus::kGood) {
    delete made;
    return int(status);
  }
  *surface = made;
  *num_verts = made->verts.size() / 3;
  *num_faces = made->faces.size() / 3;
  return 0;
}

int lrast_surface_take(void* surface, float* verts, int32_t* faces) {
  auto* const made = static_cast<lrast::Surface*>(surface);
  if (made->verts.size() > 0) memcpy(verts, made->verts.data(), size_t(made->verts.bytes()));
  if (made->faces.size() > 0) memcpy(faces, made->faces.data(), size_t(made->faces.bytes()));
  delete made;
  return 0;
}
