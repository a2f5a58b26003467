// csrc/core/contour_edge.h: weights of contour edges, and how an edge is cut into pixel pieces.
// Frame: screen (sheared, see projection.h).
#pragma once
#include <math.h>

#include "projection.h"

LRAST_BEGIN

/// Orientation of a projected triangle: +1, -1, or 0 for no area (or a NaN corner).
LRAST_HD int face_sign(ScreenPoint a, ScreenPoint b, ScreenPoint c) {
  const double area = (b.x - a.x) * (c.y - a.y) - (b.y - a.y) * (c.x - a.x);
  return (area > 0.0) - (area < 0.0);
}

/// A contour edge, top end first (smaller y; x breaks a tie).
///
/// Orient every projected face positively; an edge's weight is the sum over its faces of +-1 as the
/// face runs along it or against it. The winding number of all weighted edges around a point is
/// then the number of faces over it, and a point is covered where that is positive. `weight` is
/// what the winding gains when the edge is crossed from left to right.
struct ContourEdge {
  double x0, y0, x1, y1;
  double dx_dy, dy_dx;
  int32_t top, bottom;  // vertex numbers; num_verts + k names the k-th near-plane cut
  int32_t weight;
};

/// `along` is the weight in the direction a -> b.
LRAST_HD ContourEdge make_contour_edge(ScreenPoint a, ScreenPoint b, int32_t vert_a,
                                       int32_t vert_b, int32_t along) {
  const bool down = a.y < b.y || (a.y == b.y && a.x <= b.x);
  const ScreenPoint p = down ? a : b, q = down ? b : a;
  const double dx = q.x - p.x, dy = q.y - p.y;
  return {p.x, p.y, q.x, q.y, dy > 0.0 ? dx / dy : 0.0, dx != 0.0 ? dy / dx : 0.0,
          down ? vert_a : vert_b, down ? vert_b : vert_a, down ? -along : along};
}

/// x where the edge crosses the row line y; the ends take the vertex value itself.
LRAST_HD double edge_x_at(const ContourEdge& e, double y) {
  if (y <= e.y0) return e.x0;
  if (y >= e.y1) return e.x1;
  const double x = e.x0 + (y - e.y0) * e.dx_dy;
  return e.x0 < e.x1 ? clamped(x, e.x0, e.x1) : clamped(x, e.x1, e.x0);
}

/// Rows that an edge from y0 down to y1 crosses: row_begin(y0) until row_end(y1). It passes the top
/// line of those from row_end(y0) until row_end(y1).
LRAST_HD int row_begin(double y, int height) { return int(clamped(floor(y), 0.0, double(height))); }
LRAST_HD int row_end(double y, int height) { return int(clamped(ceil(y), 0.0, double(height))); }

/// Part of a contour edge inside one pixel, in the pixel's own frame [0, 1] x [0, 1].
struct Piece {
  double x0, y0, x1, y1;  // y0 <= y1
  double dx_dy;           // of the piece itself, so that its ends come out to the last bit or so
  int32_t weight, edge;
};

/// A piece without height carries no area, yet where it enters or leaves through the pixel's left
/// side the winding there steps; only such ones are kept.
LRAST_HD bool piece_matters(const Piece& p) {
  return p.y0 < p.y1 || ((p.x0 == 0.0) != (p.x1 == 0.0));
}

/// Calls emit(column, piece) for each pixel of `row` that the edge crosses, columns -1 (all that
/// lies left of the image) to width - 1; what lies to the right touches no pixel and is dropped.
///
/// Neighbouring pixels share each cut bit for bit, so at every y the edge is in exactly one pixel.
template <typename Emit>
LRAST_HD void cut_row(const ContourEdge& e, int32_t edge, int row, int width, Emit&& emit) {
  const double top = row, bottom = row + 1.0;
  const double y_begin = larger(e.y0, top), y_end = smaller(e.y1, bottom);
  const double x_begin = edge_x_at(e, top), x_end = edge_x_at(e, bottom);
  // Clamped before the cast: a column number must fit an int however far away the edge is.
  const int first = int(floor(clamped(x_begin, -1.0, double(width))));
  const int last = int(floor(clamped(x_end, -1.0, double(width))));
  const int step = first <= last ? 1 : -1;
  double x = x_begin, y = y_begin;
  for (int column = first;; column += step) {
    double x_next = x_end, y_next = y_end;
    if (column != last) {
      x_next = step > 0 ? column + 1.0 : double(column);
      y_next = clamped(e.y0 + (x_next - e.x0) * e.dy_dx, y, y_end);
    }
    if (column < width) {
      const double c = column;
      // Rounding may put a cut a hair outside its pixel; the frame is closed.
      const double x0 = column < 0 ? -1.0 : clamped(x - c, 0.0, 1.0);
      const double x1 = column < 0 ? -1.0 : clamped(x_next - c, 0.0, 1.0);
      const double height = y_next - y;
      const Piece piece{x0, y - top, x1, y_next - top, height > 1e-300 ? (x1 - x0) / height : 0.0,
                        e.weight, edge};
      if (piece_matters(piece)) emit(column, piece);
    }
    if (column == last) return;
    x = x_next;
    y = y_next;
  }
}

/// Integrals over the visible part of a piece: of dy, and of y dy, y from the row's top.
struct VisibleSpan { double dy, y_dy; };

/// Weights of the edge's two ends in d coverage / d edge: the integrals over t of (1 - t) and t
/// along the visible part, t running from the top end to the bottom end.
LRAST_HD void end_weights(const ContourEdge& e, int row, VisibleSpan span, double& top,
                          double& bottom) {
  const double inv = 1.0 / (e.y1 - e.y0);
  const double dt = span.dy * inv;
  bottom = ((row - e.y0) * span.dy + span.y_dy) * inv * inv;
  top = dt - bottom;
}

/// Gradient at one end: moving it by (mx, my) sweeps weight * (my dx - mx dy) to the right side's
/// loss. `weighted` is the sum over pixels of grad_coverage times that end's weight.
LRAST_HD ScreenPoint end_gradient(double dx, double dy, double weighted) {
  return {-dy * weighted, dx * weighted};
}

LRAST_END
