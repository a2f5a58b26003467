// csrc/kernels/antialias_view.h: one view's picture and geometry, as all stages see it (CPU).
#pragma once
#include "antialias.h"
#include "contour_front.h"
#include "contour_sweep.h"

LRAST_BEGIN

/// The pieces in one pixel: [begin, begin + count) of their chunk's lists.
struct PixelPieces {
  int32_t column, count;
  int64_t begin;
  double coverage;
};

/// The pixels of a row that pieces pass.
struct RowPixels { const PixelPieces *begin, *end; };

/// Where two surfaces that show in neighbouring pixels intersect, as one of the two sees it.
struct Crossing {
  int32_t row, column;
  int32_t across;      // neighbour that shows the other surface
  int32_t face;        // faces that meet: of the pixel's surface,
  int32_t other_face;  // and of the other
  double distance;     // from the pixel's centre towards the neighbour's, px
};

/// A visible piece, and the neighbours that show its two sides.
struct Border {
  int64_t piece;
  int left, right;
};

/// What a chunk of rows finds.
template <typename T> struct RowChunk {
  RowScratch<T> scratch;
  Buffer<Piece> pieces;          // sorted by row and column
  Buffer<VisibleSpan> visible;   // of each, as part of the outline
  Buffer<PixelPieces> pixels;
  Buffer<Crossing> crossings;    // of pixels in the chunk's rows, in order
  Buffer<Crossing> below;        // of pixels in the row below each
  Buffer<uint8_t> mask;
  Buffer<int32_t> nearest;       // per column: its crossing, -1 for none
  Buffer<Border> borders;        // of one pixel
  Buffer<BlendedPixel<T>> blended;
  Buffer<OutlineSpan<T>> spans;
  Buffer<BorderPiece<T>> border_pieces;
  Buffer<FaceCrossing<T>> faces;
};

/// Where a row's items begin in its chunk.
struct RowStart { int64_t pixels, crossings, below; };

template <typename T> struct AntialiasView {
  const int32_t* faces;
  const int32_t* neighbors;
  const T* verts;           // (V, 4)
  const T* image;           // (H, W, C)
  const int32_t* face_idx;  // (H, W)
  T* out;                   // (H, W, C)
  int64_t num_verts;
  int32_t height, width, channels;
  bool flat, image_grad, record;
  const ContourEdge* edges;
  const TapeCut* cuts;
  const RowBins* bins;
  const uint8_t* plain;     // (H, W): the pixel and all around it have one colour; or null

  int32_t face_at(int row, int column) const {
    return face_idx[int64_t(row) * width + column];
  }
  void corners_of(int32_t face, ClipPoint* corners) const {
    for (int j = 0; j < 3; ++j)
      corners[j] = load_clip(verts + 4 * int64_t(faces[3 * int64_t(face) + j]));
  }
  /// Around the pixel's centre.
  FaceKey key_of(int32_t face, int row, int column) const {
    ClipPoint corners[3];
    corners_of(face, corners);
    return face_key(corners, width, height, column + 0.5, row + 0.5, flat);
  }
  /// The point at a contour edge's end.
  ClipPoint end_of(int32_t end) const {
    if (end < num_verts) return load_clip(verts + 4 * int64_t(end));
    const TapeCut cut = cuts[end - num_verts];
    return clip_at_near(load_clip(verts + 4 * int64_t(cut.visible)),
                        load_clip(verts + 4 * int64_t(cut.hidden)));
  }
  double key_of_end(int32_t end) const {
    const ClipPoint p = end_of(end);
    return flat ? -p.z / p.w : 1.0 / p.w;
  }
  /// Visibility key of an edge at the screen point (x, y) on it.
  double key_on_edge(const ContourEdge& e, double x, double y) const {
    const double dx = e.x1 - e.x0, dy = e.y1 - e.y0;
    const double t = fabs(dx) > dy ? (x - e.x0) / dx : (y - e.y0) / dy;
    const double top = key_of_end(e.top);
    return top + (key_of_end(e.bottom) - top) * t;
  }
};

/// Whether all clip w of the faces' corners are equal, as rasterize() decides it.
template <typename T>
bool is_flat_view(const int32_t* faces, int64_t num_faces, const T* verts) {
  for (int64_t i = 1; i < 3 * num_faces; ++i)
    if (verts[4 * int64_t(faces[i]) + 3] != verts[4 * int64_t(faces[0]) + 3]) return false;
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

template <typename T> bool same_colour(const T* a, const T* b, int channels) {
  for (int c = 0; c < channels; ++c)
    if (a[c] != b[c]) return false;
  return true;
}

/// Marks the pixels of a row that have the colour of all their neighbours.
template <typename T>
void mark_plain(const AntialiasView<T>& view, int row, uint8_t* plain, uint8_t* column_same) {
  const int width = view.width, channels = view.channels;
  const int64_t stride = int64_t(width) * channels;
  const int above = larger(row - 1, 0), below = smaller(row + 1, view.height - 1);
  for (int column = 0; column < width; ++column) {
    const T* const own = view.image + row * stride + int64_t(column) * channels;
    const T* const up = own + (above - row) * stride;
    const T* const down = own + (below - row) * stride;
    bool same = true;
    for (int c = 0; c < channels; ++c) same &= (own[c] == up[c]) & (own[c] == down[c]);
    column_same[column] = same;
  }
  const T* const image = view.image + row * stride;
  for (int column = 0; column < width; ++column) {
    bool same = column_same[column] != 0;
    if (column > 0)
      same = same && column_same[column - 1] &&
             same_colour(image + (column - 1) * int64_t(channels),
                         image + column * int64_t(channels), channels);
    if (column + 1 < width)
      same = same && column_same[column + 1] &&
             same_colour(image + (column + 1) * int64_t(channels),
                         image + column * int64_t(channels), channels);
    plain[column] = same;
  }
}

LRAST_END
