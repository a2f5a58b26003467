// csrc/api/outline_pieces.h: the C ABI of ops/contour_pieces.py.
#pragma once
#include "lrast.h"

/// Counts the pieces if `view` is null, else writes them. Status codes are
/// lrast::ContourStatus::Code. Array shapes: see lrast::OutlinePiecesArgs.
#define LRAST_OUTLINE_PIECES(name, T)                                                             \
  LRAST_API int name(const T* verts_clip, const int64_t* tape, int64_t tape_words,                \
                     int64_t num_views, int64_t num_verts, int32_t height, int32_t width,         \
                     int32_t num_threads, int64_t* starts, int32_t* view, int32_t* verts, T* t,   \
                     T* point, T* normal, T* length)
LRAST_OUTLINE_PIECES(lrast_outline_pieces_f32, float);
LRAST_OUTLINE_PIECES(lrast_outline_pieces_f64, double);
