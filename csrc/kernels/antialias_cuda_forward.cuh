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
      : scene(args.op, args.op, tape, args.op.topology.faces, args.op.face_neighbors,
              args.op.face_idx, args.op.topology.num_verts, args.op.topology.num_faces,
              args.capacity),
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
  if (relaxed_load(is_deep) || (range && (face < range[0] || face >= range[1]))) return;
  ClipPoint corners[3];
  for (int j = 0; j < 3; ++j)
    corners[j] = load_clip(first.verts + 4 * (first.num_verts * index + first.faces[3 * face + j]));
  if (!is_placeable(corners[0]) || !is_placeable(corners[1]) || !is_placeable(corners[2])) return;
  const double w = corners[0].w + 0.0;  // no negative zero
  Count width;
  memcpy(&width, &w, sizeof(width));
  Count other = relaxed_load(work.some_w[index]);
  if (other == kNoWidth) other = atomicCAS(&work.some_w[index], kNoWidth, width);
  if ((other != kNoWidth && other != width) || corners[1].w != w || corners[2].w != w)
    relaxed_store(is_deep, 1);
}

/// Marks the pixels that have the colour of all their neighbours: blending does nothing there.
template <typename T>
__global__ void __launch_bounds__(kBlock) find_plain(const AntialiasForwardWork<T> work) {
  const AntialiasScene<T>& scene = work.scene;
  const int64_t pixel = thread_number();
  if (pixel >= scene.num_views * scene.num_pixels) return;
  int64_t index;
  int row, column;
  scene.place_of(pixel, index, row, column);
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
  scene.place_of(pixel, index, row, column);
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

/// Sorts the pieces of pixels and finds their coverage: first those with few, whose scratch is local,
/// then the others.
template <typename T>
__global__ void __launch_bounds__(kFewBlock)
    cover_pixels(const __grid_constant__ AntialiasForwardWork<T> work) {
  const AntialiasCudaTape& tape = work.scene.tape;
  const int64_t thread = thread_number(), capacity = work.scene.capacity;
  const bool expects_few = thread < capacity;
  if (expects_few ? thread >= work.scene.num_touched()
                  : thread - capacity >= int64_t(tape.totals->many))
    return;
  const int64_t entry = expects_few ? thread : work.outline.many[thread - capacity];
  const TouchedPixel pixel = tape.touched[entry];
  if (expects_few && pixel.count > kFewPieces) return;
  int32_t few_order[kFewPieces];
  ActiveSide few_sides[kFewPieces];
  int32_t* const order = expects_few ? few_order : work.outline.order + pixel.first;
  ActiveSide* const sides = expects_few ? few_sides : work.outline.sides + pixel.first;
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
    blend_pixels(const __grid_constant__ AntialiasForwardWork<T> work) {
  const AntialiasScene<T>& scene = work.scene;
  BlendPlace place{};
  if (!place.find(scene, thread_number())) return;
  const int32_t first = place.entry >= 0 ? scene.tape.touched[place.entry].first : 0;
  PixelChunk<T> chunk(scene.tape, work.borders + first, nullptr, nullptr);
  blend(scene, scene.view(place.index), place, chunk);
}

LRAST_END
