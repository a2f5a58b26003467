// csrc/kernels/contour_pieces.h: cuts a row's contour edges into pieces, ordered by column (CPU).
#pragma once
#include "../core/contour_edge.h"
#include "buffer.h"
#include "eight.h"

LRAST_BEGIN

constexpr int kEight = 8;
constexpr int kMostInLanes = 32;  // pieces of a pixel that contour_slabs.h can take

/// Where the edges of a row begin and end in it: x and y as in Piece, each in its own column.
struct RowSpans {
  Buffer<double> x0, y0, x1, y1;
  Buffer<int32_t> first, last;  // columns
  double most_pieces;

  void find(const ContourEdge* edges, const int32_t* numbers, int64_t count, int row,
            int width);
};

/// edge_x_at() of eight edges.
inline Eight edge_x_at(Eight x0, Eight y0, Eight x1, Eight y1, Eight dx_dy, Eight y) {
  const Eight x = clamped(x0 + (y - y0) * dx_dy, smaller(x0, x1), larger(x0, x1));
  return pick(y <= y0, x0, pick(y1 <= y, x1, x));
}

/// Reads up to kEight numbers beyond `count`, which must be valid.
inline void RowSpans::find(const ContourEdge* edges, const int32_t* numbers,
                           int64_t count, int row, int width) {
  constexpr int kStride = sizeof(ContourEdge) / sizeof(double);
  Buffer<double>* const fields[] = {&x0, &y0, &x1, &y1};
  for (Buffer<double>* field : fields) field->resize(count + kEight);
  first.resize(count + kEight);
  last.resize(count + kEight);
  const Eight none = all(0.0), one = all(1.0), left = all(-1.0), right = all(width);
  const Eight top = all(row), bottom = all(row + 1.0);
  Eight columns = none;
  for (int64_t i = 0; i < count; i += kEight) {
    const int32_t* number = numbers + i;
    const Eight edge_x0 = gather<kStride>(&edges->x0, number);
    const Eight edge_y0 = gather<kStride>(&edges->y0, number);
    const Eight edge_x1 = gather<kStride>(&edges->x1, number);
    const Eight edge_y1 = gather<kStride>(&edges->y1, number);
    const Eight dx_dy = gather<kStride>(&edges->dx_dy, number);
    const Eight x_begin = edge_x_at(edge_x0, edge_y0, edge_x1, edge_y1, dx_dy, top);
    const Eight x_end = edge_x_at(edge_x0, edge_y0, edge_x1, edge_y1, dx_dy, bottom);
    // Clamped before the cast: a column number must fit an int however far away the edge is.
    const Eight column0 = floor(clamped(x_begin, left, right));
    const Eight column1 = floor(clamped(x_end, left, right));
    store(&x0[i], pick(column0 < none, left, clamped(x_begin - column0, none, one)));
    store(&x1[i], pick(column1 < none, left, clamped(x_end - column1, none, one)));
    store(&y0[i], larger(edge_y0, top) - top);
    store(&y1[i], smaller(edge_y1, bottom) - top);
    store_ints(&first[i], column0);
    store_ints(&last[i], column1);
    const Eight crossed = larger(column0 - column1, column1 - column0) + one;
    columns = add_where(columns, first_lanes(int(smaller<int64_t>(count - i, kEight))), crossed);
  }
  most_pieces = sum(columns);
}

/// A piece as it is cut: dx_dy is found for eight at once.
struct CutPiece {
  double x0, y0, x1, y1;
  int32_t column, edge, weight;
};

/// Pieces of a row by column and there by edge, field by field.
struct PieceColumns {
  Buffer<double> x0, y0, x1, y1, dx_dy, weight;
  Buffer<double> at_start, at_end;  // what a piece adds to the least winding where it starts, ends
  Buffer<int32_t> edge;

  /// Room for `count` pieces, and for reading kMostInLanes from any of them.
  void resize(int64_t count) {
    Buffer<double>* const fields[] = {&x0, &y0, &x1, &y1, &dx_dy, &weight, &at_start, &at_end};
    for (Buffer<double>* field : fields)
      field->resize(count + kMostInLanes);
    edge.resize(count);
  }
  void put(int64_t i, const CutPiece& p) {
    x0[i] = p.x0;
    y0[i] = p.y0;
    x1[i] = p.x1;
    y1[i] = p.y1;
    weight[i] = p.weight;
    edge[i] = p.edge;
  }
  Piece get(int64_t i) const {
    return {x0[i], y0[i], x1[i], y1[i], dx_dy[i], int32_t(weight[i]), edge[i]};
  }
  /// Fills in what follows from the other fields: dx_dy as cut_row() has it, and the steps.
  void complete(int64_t count) {
    const Eight none = all(0.0), one = all(1.0);
    for (int64_t i = 0; i < count; i += kEight) {
      const Eight w = load(&weight[i]), low = smaller(w, none);
      const Eight left = load(&x0[i]), right = load(&x1[i]);
      const Eight start = load(&y0[i]), end = load(&y1[i]);
      const Eight height = end - start;
      store(&dx_dy[i], pick(all(1e-300) < height, (right - left) / height, none));
      const EightMask enters = (left == none) & (none < start) & (start < one);
      const EightMask leaves = (right == none) & (none < end) & (end < one);
      store(&at_start[i], pick(enters, low - w, low));
      store(&at_end[i], pick(leaves, w - low, none - low));
    }
  }
};

/// The pieces in a pixel of the row, and what the winding gains from its left to its right.
struct Cell { int32_t count, place, gain; };

/// Pieces of one row.
class RowPieces {
 public:
  PieceColumns pieces;
  Buffer<Cell> cells;        // (W,), zero between rows; `place` is one past the cell's last piece
  Buffer<uint64_t> touched;  // a bit per column
  int32_t winding;           // at the row's left end

  /// Cuts the edges of a row as cut_row() does. Returns the number of pieces.
  int64_t cut(const ContourEdge* edges, const int32_t* numbers, int64_t count, int row,
              int width);
  /// Calls body(column, cell, number of its first piece) for each pixel with pieces, from left to
  /// right, and forgets those pixels.
  template <typename Body> void take_pixels(Body&& body) {
    for (int64_t word = 0; word < touched.size(); ++word) {
      for (uint64_t left = touched[word]; left; left &= left - 1) {
        const int column = int(64 * word) + __builtin_ctzll(left);
        const Cell cell = cells[column];
        cells[column] = {0, 0, 0};
        body(column, cell, int64_t(cell.place - cell.count));
      }
      touched[word] = 0;
    }
  }

 private:
  void cut_edge(const ContourEdge& e, int64_t i, int32_t edge, int row, int width,
                CutPiece*& out);
  void emit(const CutPiece& piece, int width, CutPiece*& out) {
    if (uint32_t(piece.column) >= uint32_t(width)) {
      if (piece.column < 0 && piece.y0 == 0.0 && piece.y1 > 0.0) winding += piece.weight;
      return;
    }
    if (!(piece.y0 < piece.y1 || ((piece.x0 == 0.0) != (piece.x1 == 0.0)))) return;
    Cell& cell = cells[piece.column];
    cell.count += 1;
    cell.gain += piece.y0 == 0.0 && piece.y1 > 0.0 ? piece.weight : 0;
    touched[piece.column >> 6] |= uint64_t(1) << (piece.column & 63);
    *out++ = piece;
  }
  RowSpans spans_;
  Buffer<CutPiece> cut_;
};

inline void RowPieces::cut_edge(const ContourEdge& e, int64_t i, int32_t edge, int row, int width,
                                CutPiece*& out) {
  const int first = spans_.first[i], last = spans_.last[i];
  CutPiece piece{spans_.x0[i], spans_.y0[i], spans_.x1[i], spans_.y1[i], first, edge, e.weight};
  if (first != last) {
    const double top = row, end = piece.y1, x_end = piece.x1, y_end = smaller(e.y1, top + 1.0);
    const int step = first < last ? 1 : -1;
    const double side = step > 0 ? 1.0 : 0.0;
    double y = larger(e.y0, top);
    do {
      const double x_next = step > 0 ? piece.column + 1.0 : double(piece.column);
      y = clamped(e.y0 + (x_next - e.x0) * e.dy_dx, y, y_end);
      piece.x1 = piece.column < 0 ? -1.0 : side;
      piece.y1 = y - top;
      emit(piece, width, out);
      piece.column += step;
      piece.x0 = piece.column < 0 ? -1.0 : 1.0 - side;
      piece.y0 = piece.y1;
    } while (piece.column != last);
    piece.x1 = x_end;
    piece.y1 = end;
  }
  emit(piece, width, out);
}

inline int64_t RowPieces::cut(const ContourEdge* edges, const int32_t* numbers,
                              int64_t count, int row, int width) {
  const int num_words = (width + 63) / 64;
  if (cells.size() < width) cells.zero(width);
  if (touched.size() != num_words) touched.zero(num_words);
  spans_.find(edges, numbers, count, row, width);
  cut_.clear();
  CutPiece* const begin = cut_.reserve(int64_t(spans_.most_pieces));
  CutPiece* end = begin;
  for (int64_t i = 0; i < count; ++i)
    cut_edge(edges[numbers[i]], i, numbers[i], row, width, end);

  int32_t place = 0;
  for (int word = 0; word < num_words; ++word)
    for (uint64_t left = touched[word]; left; left &= left - 1) {
      Cell& cell = cells[64 * word + __builtin_ctzll(left)];
      cell.place = place;
      place += cell.count;
    }
  pieces.resize(place);
  for (const CutPiece* piece = begin; piece < end; ++piece)
    pieces.put(cells[piece->column].place++, *piece);
  pieces.complete(place);
  return place;
}

LRAST_END
