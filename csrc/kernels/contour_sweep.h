// csrc/kernels/contour_sweep.h: from contour edges to a view's coverage, row by row (CPU).
#pragma once
#include "buffer.h"
#include "contour.h"
#include "contour_slabs.h"
#include "parallel.h"

LRAST_BEGIN

struct RowRange { int32_t begin, end; };

/// The contour edges of each row.
struct RowBins {
  Buffer<RowRange> ranges;  // rows of each edge, empty where the edge cannot touch the image
  Buffer<int64_t> start;    // (H + 1,) into edges
  Buffer<int32_t> edges;    // edge numbers, ascending within a row
  Buffer<int32_t> winding;  // (H + 1,): winding at the row's left end, from edges left of the image
};

/// Sorts edges into rows. Edges wholly left of the image only wind; those to its right do nothing.
inline void bin_edges(const Buffer<ContourEdge>& edges, int height, int width, RowBins& bins) {
  bins.start.zero(int64_t(height) + 1);
  bins.winding.zero(int64_t(height) + 1);
  bins.ranges.resize(edges.size());
  for (int64_t i = 0; i < edges.size(); ++i) {
    const ContourEdge& e = edges[i];
    RowRange range{row_begin(e.y0, height), row_end(e.y1, height)};
    if (e.x0 >= width && e.x1 >= width) range.begin = range.end;
    if (e.x0 < 0.0 && e.x1 < 0.0) {
      bins.winding[row_end(e.y0, height)] += e.weight;
      bins.winding[range.end] -= e.weight;
      range.begin = range.end;
    }
    bins.ranges[i] = range;
    bins.start[range.begin] += 1;  // for now, how many more edges a row has than the one above
    bins.start[range.end] -= 1;
  }
  int64_t total = 0, in_row = 0;
  int32_t winding = 0;
  for (int row = 0; row <= height; ++row) {
    in_row += bins.start[row];
    total += in_row;
    bins.start[row] = total;  // the end for now; filling backwards makes it the start
    winding += bins.winding[row];
    bins.winding[row] = winding;
  }
  bins.edges.resize(total + kEight);
  for (int i = 0; i < kEight; ++i) bins.edges[total + i] = 0;  // RowSpans reads beyond the end
  for (int64_t i = edges.size() - 1; i >= 0; --i) {
    const RowRange range = bins.ranges[i];
    for (int row = range.begin; row < range.end; ++row)
      bins.edges[--bins.start[row]] = int32_t(i);
  }
}

/// Scratch of one thread, and what it records.
template <typename T> struct RowScratch {
  RowPieces row;
  Buffer<Piece> pixel;  // pieces of one pixel
  Buffer<int32_t> order;
  Buffer<ActiveSide> sides;
  Buffer<VisibleSpan> visible;
  Buffer<TapePiece<T>> record;
};

template <typename T> void fill(T* row, int begin, int end, int winding) {
  const T value = winding > 0 ? T(1) : T(0);
  for (int column = begin; column < end; ++column) row[column] = value;
}

/// Area of a pixel with many pieces, from `begin` on.
template <typename T>
double cover_many(RowScratch<T>& scratch, int64_t begin, int count, int winding) {
  scratch.pixel.resize(count);
  scratch.order.resize(count);
  scratch.sides.resize(count);
  scratch.visible.zero(count);
  for (int i = 0; i < count; ++i) scratch.pixel[i] = scratch.row.pieces.get(begin + i);
  return pixel_union(scratch.pixel.data(), count, winding, scratch.order.data(),
                     scratch.sides.data(), scratch.visible.data());
}

/// Area of a pixel with a few pieces. `seen` is set where scratch.visible was written.
template <int kVectors, typename T>
double cover_few(RowScratch<T>& scratch, int64_t begin, int count, int winding, bool& seen) {
  OpenSlab slabs[2 * kEight * kVectors + 1];
  const int num_open = find_open_slabs<kVectors>(scratch.row.pieces, begin, count, winding, slabs);
  if (num_open == 0) return 1.0;
  seen = true;
  Piece pixel[kEight * kVectors];
  ActiveSide sides[kEight * kVectors];
  for (int i = 0; i < count; ++i) pixel[i] = scratch.row.pieces.get(begin + i);
  for (int i = 0; i < count; ++i) scratch.visible[i] = {0.0, 0.0};
  CoveredArea covered;
  for (int k = 0; k < num_open; ++k) {
    const OpenSlab& slab = slabs[k];
    int num_sides = 0;
    for (uint32_t active = slab.active; active; active &= active - 1) {
      const int i = __builtin_ctz(active);
      sides[num_sides].piece = i;
      sides[num_sides++].weight = pixel[i].weight;
    }
    place_sides(pixel, sides, num_sides, slab.y_top, slab.y_bottom);
    covered.add_open(slab.y_top, slab.y_bottom,
                     slab_area(pixel, sides, num_sides, slab.winding, slab.y_top, slab.y_bottom,
                               scratch.visible.data()));
  }
  return covered.total();
}

/// pixel_union() of the `count` pieces from `begin` on. `seen` tells whether scratch.visible was
/// written: else none of them is visible.
template <typename T>
double cover_pixel(RowScratch<T>& scratch, int64_t begin, int count, int winding, bool& seen) {
  scratch.visible.resize(kMostInLanes);
  seen = true;
  if (count == 1) {
    scratch.visible[0] = {0.0, 0.0};
    return union_of_one(scratch.row.pieces.get(begin), winding, scratch.visible[0]);
  }
  if (count > kMostInLanes) return cover_many(scratch, begin, count, winding);
  seen = false;
  if (count <= kEight) return cover_few<1>(scratch, begin, count, winding, seen);
  if (count <= 2 * kEight) return cover_few<2>(scratch, begin, count, winding, seen);
  return cover_few<kMostInLanes / kEight>(scratch, begin, count, winding, seen);
}

/// Cuts the edges of a row; returns the winding at its left end.
template <typename T>
int cut_edges(const ContourEdge* edges, const RowBins& bins, int row, int width,
              RowScratch<T>& scratch) {
  const int64_t begin = bins.start[row], count = bins.start[row + 1] - begin;
  scratch.row.winding = bins.winding[row];
  if (count > 0) scratch.row.cut(edges, &bins.edges[begin], count, row, width);
  return scratch.row.winding;
}

/// Coverage of one row; records the visible pieces if asked to.
template <typename T>
void sweep_row(const Buffer<ContourEdge>& edges, const RowBins& bins, int row, int width,
               bool keep, T* coverage, RowScratch<T>& scratch) {
  int winding = cut_edges(edges.data(), bins, row, width, scratch), done = 0;
  scratch.row.take_pixels([&](int column, Cell cell, int64_t begin) {
    fill(coverage, done, column, winding);
    bool seen;
    coverage[column] = T(cover_pixel(scratch, begin, cell.count, winding, seen));
    done = column + 1;
    winding += cell.gain;
    if (!keep || !seen) return;
    for (int i = 0; i < cell.count; ++i) {
      const VisibleSpan span = scratch.visible[i];
      if (span.dy == 0.0 && span.y_dy == 0.0) continue;
      double top, bottom;
      const int32_t edge = scratch.row.pieces.edge[begin + i];
      end_weights(edges[edge], row, span, top, bottom);
      scratch.record.push({row * width + column, edge, T(top), T(bottom)});
    }
  });
  fill(coverage, done, width, winding);
}

LRAST_END
