// csrc/kernels/outline_pieces.h: the visible outline, read from a tape.  See ops/contour_pieces.py.
#pragma once
#include <stdint.h>

namespace lrast {

template <typename T> struct OutlinePiecesArgs {
  const T* verts_clip;   // (N, V, 4)
  const int64_t* tape;   // what the forward pass of contour_coverage recorded
  int64_t tape_words;    // size of the memory behind it
  int64_t num_views, num_verts;
  int32_t height, width;
  int32_t num_threads;
  int64_t* starts;       // (N + 1,): where the pieces of each view begin
  int32_t* view;         // (P,)
  int32_t* verts;        // (P, 2)
  T* t;                  // (P,)
  T* point;              // (P, 2)
  T* normal;             // (P, 2)
  T* length;             // (P,)
};

/// Fills `starts`. Returns a ContourStatus::Code.
template <typename T> int count_outline_pieces(const OutlinePiecesArgs<T>&);
/// Fills the rest, for the same tape.
template <typename T> int fill_outline_pieces(const OutlinePiecesArgs<T>&);

}  // namespace lrast
