// csrc/api/outline_pieces.cpp
#include "outline_pieces.h"

#include "../kernels/outline_pieces.h"

#define DEFINE(name, T)                                                                       \
  LRAST_OUTLINE_PIECES(name, T) {                                                             \
    const lrast::OutlinePiecesArgs<T> args{verts_clip, tape,   tape_words,  num_views,        \
                                           num_verts,  height, width,       num_threads,      \
                                           starts,     view,   verts,       t,                \
                                           point,      normal, length};                       \
    return view ? lrast::fill_outline_pieces(args) : lrast::count_outline_pieces(args);       \
  }
DEFINE(lrast_outline_pieces_f32, float)
DEFINE(lrast_outline_pieces_f64, double)
