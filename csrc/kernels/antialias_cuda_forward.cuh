// csrc/kernels/antialias_cuda_forward.cuh: from a picture and its outlines to blended pixels (CUDA).
#pragma once
#include "antialias_cuda_work.cuh"

LRAST_BEGIN

template <typename T> struct AntialiasForwardWork {
  AntialiasScene<T> scene;
  ForwardWork<T> outline;
  Count* some_w;     // (N,): bits of a clip w, kNoWidth on entry
  uint8_t* plain;    // (N, H, W), or null where the image needs a gradient
  Border* borders;   // (capacity,)

  AntialiasForwardWork(const AntialiasCudaArgs<T>& args, Arena& scratch,
                       const AntialiasCudaTape& tape)
      : scene(args.op, args.op, tape, args.op.topology.faces, args.op.face_neighbors, args.op.face_idx,
              args.op.topology.num_verts, args.op.topology.num_faces, args.capacity),
        outline({args.op.topology, args.op.verts_clip, nullptr, args.op.num_views, args.op.height,
                 args.op.width, args.capacity, nullptr, nullptr, nullptr, args.device, args.stream,
                 args.op.cull, args.op.face_ranges},
                scratch, tape) {
    scene.first.out = args.op.out;
    scene.first.image_grad = args.op.image_grad != 0;
    outline.tape.totals = tape.totals;
    outline.tape.edges = tape.ends;
    outline.tape.pieces = scratch.take<CudaTapePiece<T>>(args.capacity);
    some_w = scratch.take<Count>(scene.num_views);
    plain = args.op.image_grad ? nullptr
                               : scratch.take<uint8_t>(scene.num_views * scene.num_pixels);
    borders = scratch.take<Border>(args.capacity);
  }
};

constexpr Count kNoWidth = ~Count(0);  // bits of a NaN, which no clip w is compared as

/// Finds the views in which clip w is not the same everywhere, as rasterize() does.
template <typename T>
__global__ void __launch_bounds__(kBlock) find_depths(const AntialiasForwardWork<T> work) {
  const AntialiasCudaView<T>& first = work.scene.first;
  const int64_t i = thread_number();
  if (i >= work.scene.num_views * first.num_faces) return;
  const int64_t index = i / first.num_faces, face = i - index * first.num_faces;
  int32_t& is_deep = work.scene.tape.is_deep[index];
  const int64_t* const range = first.face_range ? first.face_range + 2 * index : nullptr;
  if (is_deep || (range && (face < range[0] || face >= range[1]))) return;
  ClipPoint corners[3];
  for (int j = 0; j < 3; ++j)
    corners[j] = load_clip(first.verts + 4 * (first.num_verts * index + first.faces[3 * face + j]));
  if (!is_placeable(corners[0]) || !is_placeable(corners[1]) || !is_placeable(corners[2])) return;
  const double w = corners[0].w + 0.0;  // no negative zero
  Count width;
  memcpy(&width, &w, sizeof(width));
  Count other = work.some_w[index];
  if (other == kNoWidth) other = atomicCAS(&work.some_w[index], kNoWidth, width);
  if ((other != kNoWidth && other != width) || corners[1].w != w || corners[2].w != w) is_deep = 1;
}

template <typename T>
__device__ void place_of(const AntialiasScene<T>& scene, int64_t pixel, int64_t& index, int& row,
                         int& column) {
  index = pixel / scene.num_pixels;
  const int in_view = int(pixel - index * scene.num_pixels);
  row = in_view / scene.first.width;
  column = in_view - row * scene.first.width;
}

/// Marks the pixels that have the colour of all their neighbours: blending does nothing there.
template <typename T>
__global__ void __launch_bounds__(kBlock) find_plain(const AntialiasForwardWork<T> work) {
  const AntialiasScene<T>& scene = work.scene;
  const int64_t pixel = thread_number();
  if (pixel >= scene.num_views * scene.num_pixels) return;
  int64_t index;
  int row, column;
  place_of(scene, pixel, index, row, column);
  const int width = scene.first.width, channels = scene.first.channels;
  const T* const own = scene.first.image + pixel * channels;
  bool plain = true;
  for (int j = 0; j < 9 && plain; ++j) {
    const int r = row + row_of(j), c = column + column_of(j);
    if (r < 0 || r >= scene.first.height || c < 0 || c >= width) continue;
    const T* const other = own + (row_of(j) * int64_t(width) + column_of(j)) * channels;
    for (int k = 0; k < channels; ++k) plain = plain && own[k] == other[k];
  }
  work.plain[pixel] = plain;
}

/// Marks the pairs of a pixel and the next one between which surfaces intersect.
template <typename T>
__global__ void __launch_bounds__(kBlock)
    mark_pairs(const __grid_constant__ AntialiasForwardWork<T> work) {
  const AntialiasScene<T>& scene = work.scene;
  const int64_t pixel = thread_number();
  if (pixel >= scene.num_views * scene.num_pixels) return;
  int64_t index;
  int row, column;
  place_of(scene, pixel, index, row, column);
  const bool plain = work.plain && work.plain[pixel];
  uint32_t mark = plain ? kPlain : 0;
  const AntialiasCudaView<T> view = scene.view(index);
  const int32_t face = view.face_at(row, column);
  for (int pass = 0; pass < 2 && face >= 0; ++pass) {
    const bool rightwards = pass == 0;
    const int next_row = row + !rightwards, next_column = column + rightwards;
    if (next_row >= view.height || next_column >= view.width) continue;
    const int32_t other = view.face_at(next_row, next_column);
    if (other < 0 || other == face) continue;
    if (plain && work.plain[pixel + (rightwards ? 1 : view.width)]) continue;
    Crossing near, far;
    if (find_crossing_of_pair(view, row, column, rightwards, near, far))
      mark |= rightwards ? kMeetsRight : kMeetsBelow;
  }
  scene.tape.marks[pixel] = mark;
}

/// Sorts a pixel's pieces and finds its coverage. Scratch: one item per piece.
template <typename T>
__device__ void cover_touched(const AntialiasForwardWork<T>& work, int64_t entry, int32_t* order,
                              ActiveSide* sides) {
  const AntialiasCudaTape& tape = work.scene.tape;
  const TouchedPixel pixel = tape.touched[entry];
  int32_t* const ids = work.outline.piece_ids + pixel.first;
  Piece* const pieces = tape.sorted + pixel.first;
  VisibleSpan* const visible = tape.visible + pixel.first;
  sort_numbers(ids, pixel.count, Ascending());
  for (int i = 0; i < pixel.count; ++i) {
    pieces[i] = work.outline.pieces[ids[i]];
    visible[i] = {0.0, 0.0};
  }
  tape.coverage[entry] = pixel_union(pieces, pixel.count, pixel.winding, order, sides, visible);
  tape.marks[pixel.pixel] |= uint32_t(entry + 1) << kMarkBits;
}

template <typename T>
__global__ void __launch_bounds__(kFewBlock)
    cover_pixels_with_few(const __grid_constant__ AntialiasForwardWork<T> work) {
  const int64_t entry = thread_number();
  if (entry >= work.scene.num_touched() || work.scene.tape.touched[entry].count > kFewPieces) return;
  int32_t order[kFewPieces];
  ActiveSide sides[kFewPieces];
  cover_touched(work, entry, order, sides);
}
template <typename T>
__global__ void __launch_bounds__(kManyBlock)
    cover_pixels_with_many(const __grid_constant__ AntialiasForwardWork<T> work) {
  const int64_t i = thread_number();
  if (i >= int64_t(work.scene.tape.totals->many)) return;
  const int64_t entry = work.outline.many[i];
  const int32_t first = work.scene.tape.touched[entry].first;
  cover_touched(work, entry, work.outline.order + first, work.outline.sides + first);
}

template <typename T>
__global__ void __launch_bounds__(kFewBlock)
    blend_touched_pixels(const __grid_constant__ AntialiasForwardWork<T> work) {
  const AntialiasScene<T>& scene = work.scene;
  const int64_t entry = thread_number();
  if (entry >= scene.num_touched()) return;
  const TouchedPixel touched = scene.tape.touched[entry];
  if (is_unchanged(scene, scene.tape.marks[touched.pixel])) return;
  int64_t index;
  int row, column;
  place_of(scene, touched.pixel, index, row, column);
  PixelChunk<T> chunk(scene.tape, work.borders + touched.first, nullptr, nullptr);
  blend_touched(scene.view(index), scene.tape, entry, row, column, chunk);
}

/// Pixels that only an intersection passes.
template <typename T>
__global__ void __launch_bounds__(kFewBlock)
    blend_crossed_pixels(const __grid_constant__ AntialiasForwardWork<T> work) {
  const AntialiasScene<T>& scene = work.scene;
  const int64_t pixel = thread_number();
  if (pixel >= scene.num_views * scene.num_pixels) return;
  const uint32_t mark = scene.tape.marks[pixel];
  if (mark >> kMarkBits || is_unchanged(scene, mark)) return;
  int64_t index;
  int row, column;
  place_of(scene, pixel, index, row, column);
  const AntialiasCudaView<T> view = scene.view(index);
  Crossing crossing;
  if (!find_nearest_crossing(view, row, column, crossing)) return;
  PixelChunk<T> chunk(scene.tape, nullptr, nullptr, nullptr);
  blend_pixel(view, row, column, static_cast<const PixelPieces*>(nullptr), &crossing, chunk);
}

LRAST_END
