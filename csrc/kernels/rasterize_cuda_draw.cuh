// csrc/kernels/rasterize_cuda_draw.cuh: from faces to the nearest fragments (CUDA).
//
// A warp sets up 32 faces, one each, and shares out the pixels of their bounding boxes evenly. Faces
// with large boxes, and those that the near plane cuts, are queued as square tiles; a second kernel
// shares out all tiles of the queue evenly.
#pragma once
#include "rasterize_cuda_work.cuh"

LRAST_BEGIN

constexpr int kMostSmallPixels = 256;

/// side_of() an edge in float over a box of pixels, relative to the box's first pixel centre.
struct QuickEdge { float slope_x, slope_y, first, doubt; };

/// `doubt` is above all rounding between here and quick_side(), conversions to float included: a few
/// 2^-24 of the largest terms, and what double left out of `first`.
LRAST_HD QuickEdge make_quick_edge(ScreenPoint a, ScreenPoint b, const PixelBox& box) {
  const double ux = b.x - a.x, uy = b.y - a.y;
  const double left = ux * (box.y0 + 0.5 - a.y), right = uy * (box.x0 + 0.5 - a.x);
  const double first = left - right;
  const double most = fabs(first) + fabs(uy) * (box.x1 - box.x0) + fabs(ux) * (box.y1 - box.y0);
  const double doubt = 0x1p-21 * most + 0x1p-50 * (fabs(left) + fabs(right)) + 0x1p-120;
  return {float(-uy), float(ux), float(first), float(doubt)};
}

/// +1 inside, -1 outside, 0 unknown; unknown too if numbers leave the range of float.
LRAST_HD int quick_side(const QuickEdge* edges, float dx, float dy) {
  bool inside = true;
  for (int i = 0; i < 3; ++i) {
    const float side = edges[i].first + (dx * edges[i].slope_x + dy * edges[i].slope_y);
    if (side < -edges[i].doubt) return -1;
    inside = inside && side > edges[i].doubt;
  }
  return inside ? 1 : 0;
}

LRAST_HD void make_quick_edges(const RasterTriangle& triangle, const PixelBox& box,
                               QuickEdge* edges) {
  for (int i = 0; i < 3; ++i)
    edges[i] = make_quick_edge(triangle.corner[i], triangle.corner[i == 2 ? 0 : i + 1], box);
}

// Not inlined: they are long, and seldom or once needed.
__noinline__ __device__ int side_of_corner(ScreenPoint a, ScreenPoint b, ScreenPoint c) {
  return side_of(a, b, c);
}
__noinline__ __device__ bool covers_exactly(const RasterTriangle& triangle, int column, int row) {
  return covers(triangle, {column + 0.5, row + 0.5});
}
__noinline__ __device__ bool covers_cut(const RasterFace& face, int column, int row, int& which) {
  return covers(face, {column + 0.5, row + 0.5}, which);
}

/// What a warp's lanes share while they draw; `begin` and `end` number the pixels of the boxes.
struct SmallFace {
  RasterTriangle triangle;
  QuickEdge edges[3];
  int32_t face, x0, y0, width;
  int32_t inverse_width;  // in 2^-20, rounded up: exact for as few pixels as a small face has
  int32_t begin, end;
};

template <typename T>
__global__ void __launch_bounds__(kDrawBlock) find_deep_views(const RasterWork<T> work) {
  const int64_t view = blockIdx.x / work.blocks_per_view;
  const int64_t block = blockIdx.x - view * work.blocks_per_view;
  int64_t begin, end;
  work.face_range(view, begin, end);
  for (int64_t i = begin + block * kDrawBlock; i < end; i += work.blocks_per_view * kDrawBlock) {
    // In most pictures the first face tells.
    if (__ballot_sync(kWholeWarp, relaxed_load(work.is_deep[view]) != 0)) return;
    const int64_t face = i + threadIdx.x;
    ClipPoint corners[3];
    Count width = kNoWidth;
    if (face < end && work.load_corners(view, face, corners)) {
      const bool drawn =
          is_placeable(corners[0]) && is_placeable(corners[1]) && is_placeable(corners[2]);
      const double w = corners[0].w + 0.0;  // no negative zero
      if (drawn) memcpy(&width, &w, sizeof(width));
      if (drawn && (corners[1].w != w || corners[2].w != w)) relaxed_store(work.is_deep[view], 1);
    }
    const unsigned peers = __match_any_sync(kWholeWarp, width);
    if (width == kNoWidth || (peers & ((1u << lane_number()) - 1))) continue;
    Count other = relaxed_load(work.some_w[view]);
    if (other == kNoWidth) other = atomicCAS(&work.some_w[view], kNoWidth, width);
    if (other != kNoWidth && other != width) relaxed_store(work.is_deep[view], 1);
  }
}

/// Builds any face, cut ones too, and finds the pixels around it. Returns false if nothing of it is
/// drawn. Not inlined: few faces need it.
template <typename T>
__noinline__ __device__ bool build_face(const RasterWork<T>& work, int64_t view, int64_t number,
                                        RasterFace& face, PixelBox& box) {
  ClipPoint corners[3];
  RasterPoint placed[3];
  if (!work.load_corners(view, number, corners)) return false;
  const int hidden = work.place_corners(view, corners, placed);
  if (hidden < 0 || hidden == 3) return false;
  const int width = work.args.width, height = work.args.height;
  face = make_raster_face(corners, placed, width, height, !work.is_deep[view], work.args.cull);
  if (face.unplaced >= 0 || face.count == 0) return false;
  box = {width, height, 0, 0};
  for (int i = 0; i < face.count; ++i) {
    const ScreenPoint* p = face.triangle[i].corner;
    const PixelBox part = box_around(p[0], p[1], p[2], width, height);
    box = {smaller(box.x0, part.x0), smaller(box.y0, part.y0), larger(box.x1, part.x1),
           larger(box.y1, part.y1)};
  }
  return box.area() > 0;
}

/// Queues a face's tiles; false if there is no room.
template <typename T>
__device__ bool enqueue(const RasterWork<T>& work, int64_t view, int64_t face,
                        const PixelBox& box) {
  // A look first, so that the count of faces stops near the capacity and cannot overflow.
  if (int64_t(relaxed_load(*work.queue_end) >> kTileBits) >= work.capacity) return false;
  const Count tiles = Count(box.num_tiles());
  const Count before = atomicAdd(work.queue_end, Count(1) << kTileBits | tiles);
  const int64_t place = int64_t(before >> kTileBits);
  if (place >= work.capacity) return false;
  // One addition gives both: faces are queued in the order of their tiles.
  const Count first = before & ((Count(1) << kTileBits) - 1);
  work.queue[place] = {int32_t(view), int32_t(face), first + tiles};
  return true;
}

/// Sets up one lane's face. Returns the pixels of its box, 0 if it is not drawn, or -1 if it is too
/// large for this and for the queue.
template <typename T>
__noinline__ __device__ int set_up_face(const RasterWork<T>& work, int64_t view, int64_t number,
                                        SmallFace& out) {
  ClipPoint corners[3];
  RasterPoint placed[3];
  if (!work.load_corners(view, number, corners)) return 0;
  const int hidden = work.place_corners(view, corners, placed);
  if (hidden < 0 || hidden == 3) return 0;
  PixelBox box;
  if (hidden > 0) {
    RasterFace face;
    if (!build_face(work, view, number, face, box)) return 0;
    return enqueue(work, view, number, box) ? 0 : -1;
  }
  const ScreenPoint a = screen_of(placed[0]), b = screen_of(placed[1]), c = screen_of(placed[2]);
  box = box_around(a, b, c, work.args.width, work.args.height);
  if (box.area() == 0) return 0;
  const int side = side_of_corner(a, b, c);
  if (is_culled(side, work.args.cull)) return 0;
  if (box.area() > kMostSmallPixels) return enqueue(work, view, number, box) ? 0 : -1;
  const RasterTriangle triangle = make_raster_triangle(placed[0], placed[1], placed[2], side);
  out.triangle = triangle;
  make_quick_edges(out.triangle, box, out.edges);
  out.face = int32_t(number);
  out.x0 = box.x0;
  out.y0 = box.y0;
  out.width = box.x1 - box.x0;
  out.inverse_width = ((1 << 20) + out.width - 1) / out.width;
  return int(box.area());
}

/// Pixels of one tile of a face, by a warp.
template <typename T>
__device__ void draw_tile(const RasterWork<T>& work, int64_t view, int32_t number,
                          const RasterFace& face, const PixelBox& box, int64_t tile) {
  const int64_t across = box.tiles_across();
  PixelBox part;
  part.x0 = box.x0 + kTile * int(tile % across);
  part.y0 = box.y0 + kTile * int(tile / across);
  part.x1 = smaller(part.x0 + kTile, box.x1);
  part.y1 = smaller(part.y0 + kTile, box.y1);
  const bool is_cut = face.count > 1;
  QuickEdge edges[3];
  make_quick_edges(face.triangle[0], part, edges);
  for (int i = 0; !is_cut && i < 3; ++i) {
    // The tile's corner that lies most inside.
    const float dx = edges[i].slope_x > 0.0f ? float(part.x1 - part.x0 - 1) : 0.0f;
    const float dy = edges[i].slope_y > 0.0f ? float(part.y1 - part.y0 - 1) : 0.0f;
    const float side = edges[i].first + (dx * edges[i].slope_x + dy * edges[i].slope_y);
    if (side < -edges[i].doubt) return;
  }
  for (int i = lane_number(); i < kTile * kTile; i += 32) {
    const int dx = i % kTile, dy = i / kTile, column = part.x0 + dx, row = part.y0 + dy;
    if (column >= part.x1 || row >= part.y1) continue;
    int which = 0;
    if (is_cut) {
      if (!covers_cut(face, column, row, which)) continue;
    } else {
      const int side = quick_side(edges, float(dx), float(dy));
      if (side < 0 || (side == 0 && !covers_exactly(face.triangle[0], column, row))) continue;
    }
    draw_pixel(work, view, number, face.triangle[which].plane, column, row);
  }
}

/// Tiles first..end, or as many as there are, of a face, by a warp. Not inlined: see above.
template <typename T>
__noinline__ __device__ void draw_tiles(const RasterWork<T>& work, int64_t view, int32_t number,
                                        int64_t first, int64_t end, RasterFace& warp_face) {
  PixelBox box;
  {
    RasterFace face;
    build_face(work, view, number, face, box);
    if (lane_number() == 0) warp_face = face;
  }
  __syncwarp(kWholeWarp);
  end = smaller(end, box.num_tiles());
  for (int64_t tile = first; tile < end; ++tile)
    draw_tile(work, view, number, warp_face, box, tile);
  __syncwarp(kWholeWarp);  // the next face takes this one's place
}

template <typename T>
__global__ void __launch_bounds__(kDrawBlock, 4) draw_faces(const __grid_constant__ RasterWork<T> work) {
  __shared__ SmallFace block_faces[kDrawBlock];
  __shared__ RasterFace whole_faces[kDrawWarps];
  SmallFace* const faces = block_faces + (threadIdx.x & ~31u);
  const int lane = lane_number();
  const int64_t view = blockIdx.x / work.blocks_per_view;
  const int64_t block = blockIdx.x - view * work.blocks_per_view;
  int64_t begin, end;
  work.face_range(view, begin, end);
  for (int64_t i = begin + block * kDrawBlock; i < end; i += work.blocks_per_view * kDrawBlock) {
    const int64_t number = i + threadIdx.x;
    const int size = number < end ? set_up_face(work, view, number, faces[lane]) : 0;
    const int pixels = larger(size, 0), pixels_end = warp_inclusive_sum(pixels);
    faces[lane].begin = pixels_end - pixels;
    faces[lane].end = pixels_end;
    __syncwarp(kWholeWarp);
    const int num_pixels = __shfl_sync(kWholeWarp, pixels_end, 31);
    for (int pixel = lane, at = 0; pixel < num_pixels; pixel += 32) {
      while (pixel >= faces[at].end) ++at;
      const SmallFace& face = faces[at];
      const int in_box = pixel - face.begin, dy = in_box * face.inverse_width >> 20;
      const int dx = in_box - dy * face.width;
      const int side = quick_side(face.edges, float(dx), float(dy));
      if (side < 0) continue;
      const int column = face.x0 + dx, row = face.y0 + dy;
      if (side == 0 && !covers_exactly(face.triangle, column, row)) continue;
      draw_pixel(work, view, face.face, face.triangle.plane, column, row);
    }
    // Faces that have found no room in the queue.
    for (unsigned rest = __ballot_sync(kWholeWarp, size < 0); rest; rest &= rest - 1) {
      const int64_t left_over = __shfl_sync(kWholeWarp, number, unsigned(__ffs(int(rest)) - 1));
      draw_tiles(work, view, int32_t(left_over), 0, INT64_MAX, whole_faces[threadIdx.x / 32]);
    }
    __syncwarp(kWholeWarp);
  }
}

/// Draws the queue. Each warp takes a stretch of its tiles.
template <typename T>
__global__ void __launch_bounds__(kDrawBlock, 4) draw_queue(const __grid_constant__ RasterWork<T> work) {
  __shared__ RasterFace faces[kDrawWarps];
  const int64_t queued = smaller(int64_t(*work.queue_end >> kTileBits), work.capacity);
  if (queued == 0) return;
  const int64_t num_tiles = int64_t(work.queue[queued - 1].end);
  const int64_t num_warps = int64_t(gridDim.x) * kDrawWarps, warp = thread_number() / 32;
  const int64_t per_warp = (num_tiles + num_warps - 1) / num_warps;
  const int64_t last = smaller((warp + 1) * per_warp, num_tiles);
  int64_t tile = warp * per_warp;
  if (tile >= last) return;
  // The first queued face with an end beyond `tile`: every lane looks at one of 32 stretches.
  int64_t at = 0;
  for (int64_t left = queued; left > 1;) {
    const int64_t step = (left + 31) / 32, look = at + smaller((lane_number() + 1) * step, left) - 1;
    const unsigned beyond = __ballot_sync(kWholeWarp, int64_t(work.queue[look].end) > tile);
    const int64_t stretch = __ffs(int(beyond)) - 1;
    left = smaller(step, left - stretch * step);
    at += stretch * step;
  }
  for (; tile < last; ++at) {
    const QueuedFace face = work.queue[at];
    const int64_t first = at > 0 ? int64_t(work.queue[at - 1].end) : 0;
    draw_tiles(work, face.view, face.face, tile - first, last - first,
               faces[threadIdx.x / 32]);
    tile = int64_t(face.end);
  }
}

/// Weights and depth of the fragments that are left, or only which face they show.
template <typename T>
__global__ void __launch_bounds__(kBlock) resolve_fragments(const RasterWork<T> work) {
  const int64_t at = thread_number();
  if (at >= work.num_fragments) return;
  const RasterizeArgs<T>& args = work.args;
  const int32_t number = face_of(int64_t(work.nearest[at] ^ kSignBit));
  args.face_idx[at] = number;
  if (!args.bary) {
    args.coverage[at] = T(number >= 0 ? 1 : 0);
    return;
  }
  Fragment out{};
  if (number >= 0) {
    const int64_t image = at / work.num_pixels;
    const int pixel = int(at - image * work.num_pixels), row = pixel / args.width;
    ClipPoint corners[3];
    work.load_corners(image / args.num_layers, number, corners);
    out = fragment_at(fragment_corners(corners), ndc_of_column(pixel - row * args.width, args.width),
                      ndc_of_row(row, args.height));
  }
  for (int i = 0; i < 3; ++i) args.bary[3 * at + i] = T(out.bary[i]);
  args.depth[at] = T(out.depth);
}

LRAST_END
