// csrc/kernels/contour_cuda_work.cuh: what the kernels share: arguments, scratch and tape.
#pragma once
#include "../core/near_plane.h"
#include "contour_cuda.h"
#include "cuda_block.cuh"

LRAST_BEGIN

constexpr int kFewPieces = 8;  // a pixel with more takes its scratch from global memory
constexpr int kFewBlock = 128;  // threads of kernels with one per pixel that has pieces
constexpr int64_t kMaxCapacity = int64_t(1) << 28;  // numbers of four contributions fit an int32

/// Numbers that only the device knows.
struct CudaTotals {
  Count edges, pieces;  // that exist, whether or not there is room
  Count row_total;      // touched pixels << 32 | pieces kept
  Count many;           // pixels with more than kFewPieces
  Count needed;
  int64_t mark;         // kTapeMark + capacity once the tape is whole
};

/// A visible contour candidate: an edge of a view, or (as ~view) the cut across a face.
struct FoundEdge { int32_t view, item; };

/// What the backward pass must know of a contour edge. An end is a vertex, or the cut of the edge
/// between a visible vertex and a hidden one.
struct CudaTapeEdge {
  double dx, dy;        // bottom end minus top end, screen
  int32_t visible[2];   // vertices at the top and the bottom end
  int32_t hidden[2];    // -1 if the end is the vertex itself
  int32_t view, first_piece, num_pieces;
};

/// Which pixel a piece lies in and how its edge's ends move that pixel's coverage.
template <typename T> struct CudaTapePiece {
  int32_t pixel;  // over all views; ~pixel if nothing of the piece is visible
  T top, bottom;
};

struct TouchedPixel { int32_t pixel, first, count, winding; };

template <typename T> struct CudaTape {
  CudaTotals* totals;
  CudaTapeEdge* edges;
  CudaTapePiece<T>* pieces;

  CudaTape() = default;
  CudaTape(Arena& arena, int64_t capacity)
      : totals(arena.take<CudaTotals>(1)),
        edges(arena.take<CudaTapeEdge>(capacity)),
        pieces(arena.take<CudaTapePiece<T>>(capacity)) {}
};

/// Contour edges, the pixels that they pass, and the pieces there, by pixel and edge.
struct OutlinePieces {
  ContourEdge* edges;     // (capacity,), as all below
  TouchedPixel* touched;
  Piece* sorted;
  VisibleSpan* visible;

  OutlinePieces(Arena& arena, int64_t capacity)
      : edges(arena.take<ContourEdge>(capacity)),
        touched(arena.take<TouchedPixel>(capacity)),
        sorted(arena.take<Piece>(capacity)),
        visible(arena.take<VisibleSpan>(capacity)) {}
};

/// Arguments of every forward kernel.
template <typename T> struct ForwardWork : OutlinePieces {
  ContourCudaArgs<T> args;
  CudaTape<T> tape;
  int64_t face_words, words_per_view, num_words, num_tiles, num_rows;

  // Zero on entry.
  Count* bit_tiles;         // (num_tiles,): candidates per kBlock words, then those before
  int32_t* pixel_count;     // (N, H, W): pieces in each pixel, then where its list starts
  int32_t* pixel_winding;   // (N, H, W): what the winding gains along the row at this pixel
  int32_t* row_left;        // (N, H): winding at the row's left end
  Count* row_totals;        // (N * H + 1,): touched pixels << 32 | pieces, then those before
  int64_t zeroed_bytes;

  ScreenPoint* screen;      // (N, V)
  int8_t* signs;            // (N, F)
  uint32_t* bits;           // (num_words,): per view its faces, then its edges; set = candidate
  FoundEdge* found;         // (capacity,), as all below
  int32_t* piece_counts;
  Count* piece_tiles;       // (ceil(capacity / kBlock),)
  Piece* pieces;            // by edge, row and column
  int32_t* piece_ids;       // by pixel
  int32_t* many;            // numbers of touched pixels with many pieces
  int32_t* order;
  ActiveSide* sides;

  ForwardWork(const ContourCudaArgs<T>& a, Arena& scratch)
      : ForwardWork(a, scratch, OutlinePieces(scratch, a.capacity)) {}
  ForwardWork(const ContourCudaArgs<T>& a, Arena& scratch, const OutlinePieces& outline)
      : OutlinePieces(outline), args(a) {
    const ContourTopology& topology = a.topology;
    const int64_t num_pixels = a.num_views * a.height * a.width, capacity = a.capacity;
    face_words = blocks_for(topology.num_faces, 32);
    words_per_view = face_words + blocks_for(topology.num_edges, 32);
    num_words = a.num_views * words_per_view;
    num_tiles = blocks_for(num_words, kBlock);
    num_rows = a.num_views * a.height;

    const int64_t before = scratch.bytes();
    bit_tiles = scratch.take<Count>(num_tiles);
    pixel_count = scratch.take<int32_t>(num_pixels);
    pixel_winding = scratch.take<int32_t>(num_pixels);
    row_left = scratch.take<int32_t>(num_rows);
    row_totals = scratch.take<Count>(num_rows + 1);
    zeroed_bytes = scratch.bytes() - before;

    screen = scratch.take<ScreenPoint>(a.num_views * topology.num_verts);
    signs = scratch.take<int8_t>(a.num_views * topology.num_faces);
    bits = scratch.take<uint32_t>(num_words);
    found = scratch.take<FoundEdge>(capacity);
    piece_counts = scratch.take<int32_t>(capacity);
    piece_tiles = scratch.take<Count>(blocks_for(capacity, kBlock));
    pieces = scratch.take<Piece>(capacity);
    piece_ids = scratch.take<int32_t>(capacity);
    many = scratch.take<int32_t>(capacity / (kFewPieces + 1) + 1);
    order = scratch.take<int32_t>(capacity);
    sides = scratch.take<ActiveSide>(capacity);
  }

  // Filled in by kernels before the one that asks.
  __device__ int64_t num_edges() const {
    return smaller(int64_t(tape.totals->edges), args.capacity);
  }
  __device__ int64_t num_touched() const { return int64_t(tape.totals->row_total >> 32); }
  __device__ int64_t num_pieces() const { return int64_t(tape.totals->row_total & 0xffffffffu); }

  __device__ ClipPoint clip(int64_t view, int32_t vert) const {
    return load_clip(args.verts_clip + 4 * (view * args.topology.num_verts + vert));
  }
  __device__ ScreenPoint on_screen(int64_t view, int32_t vert) const {
    return screen[view * args.topology.num_verts + vert];
  }
};

/// Launches the kernels from vertices to the pieces of all pixels, unsorted in `piece_ids`, and, where
/// args.coverage is not null, those that fill the pixels without pieces.
template <typename T> cudaError_t launch_outline(const ForwardWork<T>& work);

/// Arguments of every backward kernel. A contribution is what a contour edge adds to a vertex: four
/// per edge, for its top and bottom end, and there for the visible and the hidden vertex.
template <typename T> struct BackwardWork {
  ContourCudaBackwardArgs<T> args;
  CudaTape<T> tape;
  int32_t* latest;    // (N, V): last contribution linked to the vertex, -1 = none
  int32_t* earlier;   // (4 * capacity,): next one in the vertex's list, -1 = none
  T* values;          // (4 * capacity, 4)
  int32_t* list;      // (4 * capacity,)
  Count* list_end;

  BackwardWork(const ContourCudaBackwardArgs<T>& a, Arena& scratch) : args(a) {
    latest = scratch.take<int32_t>(a.num_views * a.num_verts);
    earlier = scratch.take<int32_t>(4 * a.capacity);
    values = scratch.take<T>(16 * a.capacity);
    list = scratch.take<int32_t>(4 * a.capacity);
    list_end = scratch.take<Count>(1);
  }
  __device__ bool is_tape_lost() const { return tape.totals->mark != kTapeMark + args.capacity; }
  __device__ int64_t num_edges() const {
    return is_tape_lost() ? 0 : smaller(int64_t(tape.totals->edges), args.capacity);
  }
  __device__ ClipPoint clip(int64_t view, int32_t vert) const {
    return load_clip(args.verts_clip + 4 * (view * args.num_verts + vert));
  }
};

LRAST_END
