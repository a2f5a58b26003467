// csrc/kernels/contour_sweep.h: from contour edges to a view's coverage, row by row (CPU).
#pragma once
#include "buffer.h"
#include "contour.h"
#include "parallel.h"

LRAST_BEGIN

/// The contour edges of each row.
struct RowBins {
  Buffer<int64_t> start;    // (H + 1,) into edges
  Buffer<int32_t> edges;    // edge numbers, ascending within a row
  Buffer<int32_t> winding;  // (H + 1,): winding at the row's left end, from edges left of the image
};

/// Sorts edges into rows. Edges wholly left of the image only wind; those to its right do nothing.
inline void bin_edges(const Buffer<ContourEdge>& edges, int height, int width, RowBins& bins) {
  bins.start.zero(int64_t(height) + 1);
  bins.winding.zero(int64_t(height) + 1);
  for (int64_t i = 0; i < edges.size(); ++i) {
    const ContourEdge& e = edges[i];
    if (e.x0 >= width && e.x1 >= width) continue;
    if (e.x0 < 0.0 && e.x1 < 0.0) {
      bins.winding[row_end(e.y0, height)] += e.weight;
      bins.winding[row_end(e.y1, height)] -= e.weight;
      continue;
    }
    const int end = row_end(e.y1, height);
    for (int row = row_begin(e.y0, height); row < end; ++row) ++bins.start[row];
  }
  int64_t total = 0;
  int32_t winding = 0;
  for (int row = 0; row <= height; ++row) {
    total += bins.start[row];
    bins.start[row] = total;  // the end for now; filling backwards makes it the start
    winding += bins.winding[row];
    bins.winding[row] = winding;
  }
  bins.edges.resize(total);
  for (int64_t i = edges.size() - 1; i >= 0; --i) {
    const ContourEdge& e = edges[i];
    if ((e.x0 >= width && e.x1 >= width) || (e.x0 < 0.0 && e.x1 < 0.0)) continue;
    const int end = row_end(e.y1, height);
    for (int row = row_begin(e.y0, height); row < end; ++row)
      bins.edges[--bins.start[row]] = int32_t(i);
  }
}

/// Scratch of one thread, and what it records.
template <typename T> struct RowScratch {
  Buffer<Piece> pieces, sorted;
  Buffer<int64_t> keys;  // column << 32 | piece
  Buffer<int64_t> keys_out;
  Buffer<int32_t> order, column_start;
  Buffer<ActiveSide> sides;
  Buffer<VisibleSpan> visible;
  Buffer<TapePiece<T>> record;
};

/// Sorts a row's keys by column, keeping edge order within a column.
template <typename T> void sort_keys(RowScratch<T>& scratch, int width) {
  const int64_t count = scratch.keys.size();
  int64_t* keys = scratch.keys.data();
  if (count <= 48) {
    for (int64_t i = 1; i < count; ++i) {
      const int64_t key = keys[i];
      int64_t j = i;
      for (; j > 0 && keys[j - 1] > key; --j) keys[j] = keys[j - 1];
      keys[j] = key;
    }
    return;
  }
  scratch.column_start.zero(int64_t(width) + 1);
  scratch.keys_out.resize(count);
  int32_t* start = scratch.column_start.data();
  for (int64_t i = 0; i < count; ++i) ++start[(keys[i] >> 32) + 1];
  for (int column = 0; column < width; ++column) start[column + 1] += start[column];
  for (int64_t i = 0; i < count; ++i) scratch.keys_out[start[keys[i] >> 32]++] = keys[i];
  memcpy(keys, scratch.keys_out.data(), size_t(count) * sizeof(int64_t));
}

template <typename T> void fill(T* row, int begin, int end, int winding) {
  const T value = winding > 0 ? T(1) : T(0);
  for (int column = begin; column < end; ++column) row[column] = value;
}

/// Coverage of one row; records the visible pieces if asked to.
template <typename T>
void sweep_row(const Buffer<ContourEdge>& edges, const RowBins& bins, int row, int width,
               bool keep, T* coverage, RowScratch<T>& scratch) {
  int winding = bins.winding[row];
  scratch.pieces.clear();
  scratch.keys.clear();
  for (int64_t i = bins.start[row]; i < bins.start[row + 1]; ++i) {
    const int32_t edge = bins.edges[i];
    cut_row(edges[edge], edge, row, width, [&](int column, const Piece& piece) {
      if (column < 0) {
        if (piece.y0 == 0.0) winding += piece.weight;
        return;
      }
      scratch.keys.push(int64_t(column) << 32 | scratch.pieces.size());
      scratch.pieces.push(piece);
    });
  }
  const int64_t count = scratch.keys.size();
  if (count == 0) return fill(coverage, 0, width, winding);
  sort_keys(scratch, width);
  scratch.sorted.resize(count);
  scratch.order.resize(count);
  scratch.sides.resize(count);
  scratch.visible.zero(count);
  for (int64_t i = 0; i < count; ++i)
    scratch.sorted[i] = scratch.pieces[int32_t(scratch.keys[i])];

  int done = 0;
  for (int64_t begin = 0, end; begin < count; begin = end) {
    const int column = int(scratch.keys[begin] >> 32);
    for (end = begin + 1; end < count && int(scratch.keys[end] >> 32) == column;) ++end;
    fill(coverage, done, column, winding);
    const Piece* pieces = &scratch.sorted[begin];
    VisibleSpan* visible = &scratch.visible[begin];
    coverage[column] = T(pixel_union(pieces, int(end - begin), winding, scratch.order.data(),
                                     scratch.sides.data(), visible));
    done = column + 1;
    for (int i = 0; i < end - begin; ++i) {
      if (pieces[i].y0 == 0.0 && pieces[i].y1 > 0.0) winding += pieces[i].weight;
      if (!keep || (visible[i].dy == 0.0 && visible[i].y_dy == 0.0)) continue;
      double top, bottom;
      end_weights(edges[pieces[i].edge], row, visible[i], top, bottom);
      scratch.record.push({row * width + column, pieces[i].edge, T(top), T(bottom)});
    }
  }
  fill(coverage, done, width, winding);
}

LRAST_END
