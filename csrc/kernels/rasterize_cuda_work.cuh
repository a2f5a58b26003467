// csrc/kernels/rasterize_cuda_work.cuh: what the kernels share: arguments, scratch, a face's corners.
#pragma once
#include "../core/fragment.h"
#include "../core/raster.h"
#include "cuda_block.cuh"
#include "rasterize_cuda.h"

LRAST_BEGIN

constexpr int kDrawBlock = 128;          // threads of the kernels that draw
constexpr int kDrawWarps = kDrawBlock / 32;
constexpr int kTile = 16;                // side of the squares that large faces are drawn in
// The tests shorten the queue.
#ifndef LRAST_MOST_QUEUED
#define LRAST_MOST_QUEUED (1 << 20)
#endif
constexpr int64_t kMostQueued = LRAST_MOST_QUEUED;
constexpr int kTileBits = 42;            // of the queue's end; the others count faces
constexpr Count kNoWidth = ~Count(0);    // bits of a NaN, which no clip w is compared as

/// A face that one warp would take too long for.
struct QueuedFace {
  int32_t view, face;
  Count end;  // tiles of all faces up to and including this one
};

/// Columns and rows of pixels, without the ends.
struct PixelBox {
  int32_t x0, y0, x1, y1;
  LRAST_HD int64_t area() const {
    return x0 < x1 && y0 < y1 ? int64_t(x1 - x0) * (y1 - y0) : 0;
  }
  LRAST_HD int64_t tiles_across() const { return (x1 - x0 + kTile - 1) / kTile; }
  LRAST_HD int64_t num_tiles() const {
    return tiles_across() * ((y1 - y0 + kTile - 1) / kTile);
  }
};

LRAST_HD PixelBox box_around(const ScreenPoint& a, const ScreenPoint& b, const ScreenPoint& c,
                             int width, int height) {
  return {pixel_begin(smaller(a.x, smaller(b.x, c.x)), width),
          pixel_begin(smaller(a.y, smaller(b.y, c.y)), height),
          pixel_end(larger(a.x, larger(b.x, c.x)), width),
          pixel_end(larger(a.y, larger(b.y, c.y)), height)};
}

/// Arguments of every forward kernel.
template <typename T> struct RasterWork {
  RasterizeArgs<T> args;
  int64_t num_pixels;       // of an image
  int64_t num_fragments;    // N * L * H * W
  int64_t blocks_per_view;  // of kDrawBlock faces, each block going on where there are more
  int64_t capacity;

  // Zero on entry.
  Count* nearest;           // (N, L, H, W): visibility() ^ kSignBit, so that 0 is kNoFragment
  Count* queue_end;         // faces queued << kTileBits | their tiles
  int32_t* is_deep;         // (N,): clip w is not the same everywhere
  int64_t zeroed_bytes;

  Count* some_w;            // (N,): bits of a clip w, kNoWidth on entry
  QueuedFace* queue;        // (capacity,)

  RasterWork(const RasterizeArgs<T>& a, Arena& scratch) : args(a) {
    num_pixels = int64_t(a.height) * a.width;
    num_fragments = a.num_views * a.num_layers * num_pixels;
    blocks_per_view = blocks_for(a.num_faces, kDrawBlock);
    // Ranges mostly share out the faces. Their lengths only the device knows.
    if (a.face_ranges && a.num_views > 2)
      blocks_per_view = blocks_for(2 * a.num_faces / a.num_views + 1, kDrawBlock);
    capacity = smaller(a.num_views * a.num_faces, kMostQueued);
    const int64_t before = scratch.bytes();
    nearest = scratch.take<Count>(num_fragments);
    queue_end = scratch.take<Count>(1);
    is_deep = scratch.take<int32_t>(a.num_views);
    zeroed_bytes = scratch.bytes() - before;
    some_w = scratch.take<Count>(a.num_views);
    queue = scratch.take<QueuedFace>(capacity);
  }
  int64_t num_large_blocks() const {
    return clamped(args.num_views * num_pixels / 2048, int64_t(1), int64_t(2048));
  }

  __device__ const T* verts(int64_t view) const {
    return args.verts_clip + (args.shared ? 0 : 4 * args.num_verts * view);
  }
  /// Faces that a view draws: first, and one past the last.
  __device__ void face_range(int64_t view, int64_t& begin, int64_t& end) const {
    begin = args.face_ranges ? args.face_ranges[2 * view] : 0;
    end = args.face_ranges ? args.face_ranges[2 * view + 1] : args.num_faces;
    if (begin < 0 || end < begin || end > args.num_faces) begin = end = 0;
  }
  /// Corners of a face; false if it names a vertex that is not there.
  __device__ bool load_corners(int64_t view, int64_t face, ClipPoint* corners) const {
    const int32_t* verts_of_face = args.faces + 3 * face;
    for (int i = 0; i < 3; ++i) {
      const int32_t vert = verts_of_face[i];
      if (uint32_t(vert) >= uint64_t(args.num_verts)) return false;
      corners[i] = load_clip(verts(view) + 4 * int64_t(vert));
    }
    return true;
  }
  /// Places the corners and counts the hidden ones; -1 if one is refused.
  __device__ int place_corners(int64_t view, const ClipPoint* corners, RasterPoint* placed) const {
    int hidden = 0;
    for (int i = 0; i < 3; ++i) {
      placed[i] = place_raster_vertex(corners[i], args.width, args.height, !is_deep[view]);
      if (is_hidden(placed[i])) ++hidden;
      else if (placed[i].x != placed[i].x) return -1;
    }
    return hidden;
  }
};

constexpr Count kSignBit = Count(1) << 63;

/// Enters a fragment into the layers of its pixel, `layer` being the first, and what it displaces
/// into those behind. Each layer ends up with the same fragment whoever comes first.
template <typename T>
__device__ void enter_fragment(const RasterWork<T>& work, Count fragment, Count* layer) {
  for (int i = 0; i < work.args.num_layers; ++i, layer += work.num_pixels) {
    // Fragments only come nearer: what an early look says is nearer still is.
    if (relaxed_load(*layer) >= fragment) continue;
    fragment = smaller(fragment, atomicMax(layer, fragment));
    if (fragment == 0) return;
  }
}

template <typename T>
__device__ void draw_pixel(const RasterWork<T>& work, int64_t view, int32_t face,
                           const KeyPlane& plane, int column, int row) {
  double key;
  key_at(plane, column + 0.5, row + 0.5, key);
  Count* layer = work.nearest + view * work.args.num_layers * work.num_pixels +
                 int64_t(row) * work.args.width + column;
  enter_fragment(work, Count(visibility(float(key), face)) ^ kSignBit, layer);
}

LRAST_END
