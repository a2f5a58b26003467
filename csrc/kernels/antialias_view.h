// csrc/kernels/antialias_view.h: one view's picture and geometry, as all stages see it (CPU).
#pragma once
#include "antialias_picture.h"
#include "contour_front.h"
#include "contour_sweep.h"

LRAST_BEGIN

/// What a chunk of rows finds.
template <typename T> struct RowChunk {
  RowScratch<T> scratch;
  Buffer<Piece> pieces;          // sorted by row and column
  Buffer<VisibleSpan> visible;   // of each, as part of the outline
  Buffer<PixelPieces> pixels;
  Buffer<Crossing> crossings;    // of pixels in the chunk's rows, in order
  Buffer<Crossing> below;        // of pixels in the row below each
  Buffer<uint64_t> same;         // scratch of mark_plain()
  Buffer<int32_t> nearest;       // per column: its crossing, -1 for none
  Buffer<Border> borders;        // of one pixel
  Buffer<BlendedPixel<T>> blended;
  Buffer<OutlineSpan<T>> spans;
  Buffer<BorderPiece<T>> border_pieces;
  Buffer<FaceCrossing<T>> faces;
};

/// Where a row's items begin in its chunk.
struct RowStart { int64_t pixels, crossings, below; };

template <typename T> struct AntialiasView : AntialiasPicture<T> {
  const TapeCut* cuts;
  const RowBins* bins;

  /// The point at a contour edge's end.
  ClipPoint end_of(int32_t edge, bool bottom) const {
    const int32_t end = bottom ? this->edges[edge].bottom : this->edges[edge].top;
    if (end < this->num_verts) return load_clip(this->verts + 4 * int64_t(end));
    const TapeCut cut = cuts[end - this->num_verts];
    return clip_at_near(load_clip(this->verts + 4 * int64_t(cut.visible)),
                        load_clip(this->verts + 4 * int64_t(cut.hidden)));
  }
};

/// Whether all clip w of the corners of faces are equal, as rasterize() decides it.
template <typename T>
bool is_flat_view(const int32_t* faces, int64_t begin, int64_t end, const T* verts) {
  for (int64_t i = 3 * begin + 1; i < 3 * end; ++i)
    if (verts[4 * int64_t(faces[i]) + 3] != verts[4 * int64_t(faces[3 * begin]) + 3]) return false;
  return true;
}

/// Pieces, outline and coverage of one row.
template <typename T>
void sweep_pieces(const AntialiasView<T>& view, int row, RowChunk<T>& chunk) {
  RowScratch<T>& scratch = chunk.scratch;
  int winding = cut_edges(view.edges, *view.bins, row, view.width, scratch);
  scratch.row.take_pixels([&](int column, Cell cell, int64_t begin) {
    bool seen;
    const double coverage = cover_pixel(scratch, begin, cell.count, winding, seen);
    chunk.pixels.push({column, cell.count, chunk.pieces.size(), coverage});
    winding += cell.gain;
    for (int i = 0; i < cell.count; ++i) {
      chunk.pieces.push(scratch.row.pieces.get(begin + i));
      chunk.visible.push(seen ? scratch.visible[i] : VisibleSpan{0.0, 0.0});
    }
  });
}

LRAST_END
