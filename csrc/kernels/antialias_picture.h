// csrc/kernels/antialias_picture.h: one view's picture and geometry, as pixels see it (CPU, CUDA).
#pragma once
#include "../core/near_plane.h"
#include "antialias.h"

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

/// A view that pixels look at adds to this ClipPoint end_of(int32_t edge, bool bottom), the point at
/// an end of a contour edge.
template <typename T> struct AntialiasPicture {
  using Number = T;
  const int32_t* faces;
  const int32_t* neighbors;
  const T* verts;           // (V, 4)
  const T* image;           // (H, W, C)
  const int32_t* face_idx;  // (H, W)
  T* out;                   // (H, W, C), or null if only the records are wanted
  int64_t num_verts;
  int32_t height, width, channels;
  bool flat, image_grad, record, premultiplied;
  int32_t cull;
  const int64_t* face_range;  // first and one past the last face that is drawn, or null
  const ContourEdge* edges;
  const uint64_t* plain;    // (H, plain_words), or null; see is_plain()
  int32_t plain_words;

  /// Whether the pixel and all around it are known to have one colour.
  LRAST_HD bool is_plain(int row, int column) const {
    return plain && plain[int64_t(row) * plain_words + column / 64] >> column % 64 & 1;
  }

  LRAST_HD int32_t face_at(int row, int column) const {
    return face_idx[int64_t(row) * width + column];
  }
  LRAST_HD void corners_of(int32_t face, ClipPoint* corners) const {
    for (int j = 0; j < 3; ++j)
      corners[j] = load_clip(verts + 4 * int64_t(faces[3 * int64_t(face) + j]));
  }
  /// Whether the picture leaves a face out that lies next to one that it shows.
  LRAST_HD bool is_left_out(int32_t face) const {
    if (face_range && (face < face_range[0] || face >= face_range[1])) return true;
    if (cull == kCullNone) return false;
    ClipPoint corners[3];
    HomogeneousPoint v[3];
    corners_of(face, corners);
    for (int j = 0; j < 3; ++j) v[j] = around_pixel(corners[j], width, height, 0.0, 0.0);
    const HomogeneousPoint c = cross(v[1], v[2]);
    const double side = v[0].x * c.x + v[0].y * c.y + v[0].w * c.w;
    return is_culled((side > 0.0) - (side < 0.0), cull);
  }
  /// Around the pixel's centre.
  LRAST_HD FaceKey key_of(int32_t face, int row, int column) const {
    ClipPoint corners[3];
    corners_of(face, corners);
    return face_key(corners, width, height, column + 0.5, row + 0.5, flat);
  }
};

/// Visibility key of an edge at the screen point (x, y) on it.
template <typename View>
LRAST_HD double key_on_edge(const View& view, int32_t edge, double x, double y) {
  const ContourEdge& e = view.edges[edge];
  const double dx = e.x1 - e.x0, dy = e.y1 - e.y0;
  const double t = fabs(dx) > dy ? (x - e.x0) / dx : (y - e.y0) / dy;
  const ClipPoint p = view.end_of(edge, false), q = view.end_of(edge, true);
  const double top = view.flat ? -p.z / p.w : 1.0 / p.w;
  const double bottom = view.flat ? -q.z / q.w : 1.0 / q.w;
  return top + (bottom - top) * t;
}

// The CPU's, in antialias_view.h.
template <typename T> struct AntialiasView;
template <typename T> struct RowChunk;

LRAST_END
