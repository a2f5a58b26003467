// csrc/kernels/contour_cuda_sweep.cuh: from contour edges to coverage (CUDA).
#pragma once
#include "contour_cuda_work.cuh"

LRAST_BEGIN

/// Stores what cut_row() emits.
template <typename T> struct PieceWriter {
  Piece* pieces;
  CudaTapePiece<T>* records;
  int32_t row_pixel;      // the row's first pixel
  int count = 0, left = 0;  // pieces stored; winding from the left of the image

  LRAST_HD PieceWriter(Piece* p, CudaTapePiece<T>* r, int32_t first)
      : pieces(p), records(r), row_pixel(first) {}
  LRAST_HD void operator()(int column, const Piece& piece) {
    if (column < 0) {
      if (piece.y0 == 0.0) left += piece.weight;
      return;
    }
    pieces[count] = piece;
    records[count++].pixel = row_pixel + column;
  }
  /// Makes columns ascend, as they do on the CPU's tape: sums over an edge then agree bit for bit.
  LRAST_HD void put_in_order() {
    for (int i = 0, j = count - 1; i < j && records[i].pixel > records[j].pixel; ++i, --j) {
      const Piece piece = pieces[i];
      pieces[i] = pieces[j];
      pieces[j] = piece;
      const int32_t pixel = records[i].pixel;
      records[i].pixel = records[j].pixel;
      records[j].pixel = pixel;
    }
  }
};

/// Cuts one edge's row and counts its pieces into their pixels. Returns how many.
template <typename T>
__device__ int cut_into_row(const ForwardWork<T>& work, int64_t slot, int64_t view, int row,
                            int64_t first_piece) {
  const int width = work.args.width;
  const int64_t image_row = view * work.args.height + row;
  PieceWriter<T> writer(work.pieces + first_piece, work.tape.pieces + first_piece,
                        int32_t(image_row * width));
  cut_row(work.edges[slot], int32_t(slot), row, width, writer);
  writer.put_in_order();
  if (writer.left) atomicAdd(&work.row_left[image_row], writer.left);
  int newly_touched = 0;
  for (int i = 0; i < writer.count; ++i) {
    const Piece& piece = writer.pieces[i];
    const int32_t pixel = writer.records[i].pixel;
    newly_touched += atomicAdd(&work.pixel_count[pixel], 1) == 0;
    if (piece.y0 == 0.0 && piece.y1 > 0.0) atomicAdd(&work.pixel_winding[pixel], piece.weight);
  }
  if (writer.count > 0)
    atomicAdd(&work.row_totals[image_row], Count(newly_touched) << 32 | Count(writer.count));
  return writer.count;
}

template <typename T>
__global__ void __launch_bounds__(kBlock) cut_edges(const ForwardWork<T> work) {
  const int64_t slot = thread_number(), num_edges = work.num_edges();
  const int count = slot < num_edges ? work.piece_counts[slot] : 0;
  Count total;
  int64_t next =
      int64_t(work.piece_tiles[blockIdx.x] + block_exclusive_sum(Count(count), total));
  // Once one edge has no room, those after it have none either: the pieces kept have no gaps.
  if (slot >= num_edges || next + count > work.args.capacity) return;

  CudaTapeEdge& record = work.tape.edges[slot];
  record.first_piece = int32_t(next);
  record.num_pieces = count;
  const ContourEdge& edge = work.edges[slot];
  const int height = work.args.height;
  const int end = row_end(edge.y1, height);
  if (lies_left(edge)) {
    for (int row = row_end(edge.y0, height); row < end; ++row)
      atomicAdd(&work.row_left[int64_t(record.view) * height + row], edge.weight);
    return;
  }
  // Without pieces it may still pass on the left of the image.
  if (count == 0 && edge.x0 >= 0.0 && edge.x1 >= 0.0) return;
  for (int row = row_begin(edge.y0, height); row < end; ++row)
    next += cut_into_row(work, slot, record.view, row, next);
}

template <typename T>
__global__ void __launch_bounds__(kScanBlock) scan_rows(const ForwardWork<T> work) {
  // The entry after the last row gets the total, too: it tells where that row ends.
  scan_in_block(work.row_totals, work.num_rows + 1, &work.tape.totals->row_total);
}

template <typename T>
__device__ void fill_pixel(const ForwardWork<T>& work, int64_t pixel, int32_t winding) {
  if (work.args.coverage) work.args.coverage[pixel] = winding > 0 ? T(1) : T(0);
}

/// A warp per row: fills pixels without pieces, and lists those with.
template <typename T>
__global__ void __launch_bounds__(kBlock) fill_rows(const ForwardWork<T> work) {
  const int64_t row = thread_number() / 32;
  if (row >= work.num_rows) return;
  const int width = work.args.width, lane = lane_number();
  const int64_t row_pixel = row * width;
  int32_t winding = work.row_left[row];
  Count done = work.row_totals[row];
  const bool is_touched = work.row_totals[row + 1] != done;
  for (int base = 0; base < width; base += 32) {
    const int column = base + lane;
    const int64_t pixel = row_pixel + column;
    const int32_t count = is_touched && column < width ? work.pixel_count[pixel] : 0;
    if (!__ballot_sync(kWholeWarp, count > 0)) {
      if (column < width) fill_pixel(work, pixel, winding);
      continue;
    }
    const int32_t gain = count > 0 ? work.pixel_winding[pixel] : 0;
    const Count size = count > 0 ? Count(1) << 32 | Count(count) : 0;
    const int32_t gained = warp_inclusive_sum(gain);
    const Count listed = warp_inclusive_sum(size);
    const int32_t winding_here = winding + gained - gain;
    if (count > 0) {
      const Count before = done + listed - size;
      const int64_t entry = int64_t(before >> 32);
      const int32_t first = int32_t(before & 0xffffffffu);
      work.touched[entry] = {int32_t(pixel), first, count, winding_here};
      work.pixel_count[pixel] = first;
      // In any order: no pixel's result depends on another's.
      if (count > kFewPieces)
        work.many[atomicAdd(&work.tape.totals->many, Count(1))] = int32_t(entry);
    } else if (column < width) {
      fill_pixel(work, pixel, winding_here);
    }
    winding += __shfl_sync(kWholeWarp, gained, 31);
    done += __shfl_sync(kWholeWarp, listed, 31);
  }
}

/// Hands the pieces to their pixels, in any order; cover_pixel() sorts them.
template <typename T>
__global__ void __launch_bounds__(kBlock) hand_out_pieces(const ForwardWork<T> work) {
  const int64_t piece = thread_number();
  if (piece >= work.num_pieces()) return;
  const int32_t place = atomicAdd(&work.pixel_count[work.tape.pieces[piece].pixel], 1);
  work.piece_ids[place] = int32_t(piece);
}

/// Coverage of one pixel, and what each of its pieces contributes. Piece numbers ascend with their
/// edges, so that the sorted pieces come in the CPU's order. Scratch: one item per piece.
template <typename T>
__device__ void cover_pixel(const ForwardWork<T>& work, TouchedPixel pixel, Piece* pieces,
                            int32_t* order, ActiveSide* sides, VisibleSpan* visible) {
  int32_t* ids = work.piece_ids + pixel.first;
  sort_numbers(ids, pixel.count, Ascending());
  for (int i = 0; i < pixel.count; ++i) {
    pieces[i] = work.pieces[ids[i]];
    visible[i] = {0.0, 0.0};
  }
  work.args.coverage[pixel.pixel] =
      T(pixel_union(pieces, pixel.count, pixel.winding, order, sides, visible));
  const int row = pixel.pixel / work.args.width % work.args.height;
  for (int i = 0; i < pixel.count; ++i) {
    CudaTapePiece<T>& record = work.tape.pieces[ids[i]];
    if (visible[i].dy == 0.0 && visible[i].y_dy == 0.0) {
      record.pixel = ~pixel.pixel;
      continue;
    }
    double top, bottom;
    end_weights(work.edges[pieces[i].edge], row, visible[i], top, bottom);
    record.top = T(top);
    record.bottom = T(bottom);
  }
}

/// Pixels with few pieces, whose scratch is local, then the others; one kernel, because what is in it
/// takes long to compile.
template <typename T>
__global__ void __launch_bounds__(kFewBlock)
    cover_pixels(const __grid_constant__ ForwardWork<T> work) {
  const int64_t thread = thread_number(), capacity = work.args.capacity;
  const bool expects_few = thread < capacity;
  if (expects_few ? thread >= work.num_touched()
                  : thread - capacity >= int64_t(work.tape.totals->many))
    return;
  const TouchedPixel pixel =
      work.touched[expects_few ? thread : int64_t(work.many[thread - capacity])];
  if (expects_few && pixel.count > kFewPieces) return;
  Piece pieces[kFewPieces];
  int32_t order[kFewPieces];
  ActiveSide sides[kFewPieces];
  VisibleSpan visible[kFewPieces];
  const int32_t first = pixel.first;
  cover_pixel(work, pixel, expects_few ? pieces : work.sorted + first,
              expects_few ? order : work.order + first, expects_few ? sides : work.sides + first,
              expects_few ? visible : work.visible + first);
}

LRAST_END
