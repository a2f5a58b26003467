// csrc/kernels/soft_cuda_work.cuh: faces set up and marked in the bins they reach (CUDA).
#pragma once
#include "../core/soft_depth.h"
#include "cuda_block.cuh"
#include "soft_coverage_cuda.h"

LRAST_BEGIN

constexpr int kSoftTile = 32;                     // side of a tile, pixels, as on the CPU
// The tests have little room for bins.
#ifndef LRAST_MOST_BIN_BYTES
#define LRAST_MOST_BIN_BYTES (int64_t(1) << 28)
#endif
constexpr int64_t kMostBinBytes = LRAST_MOST_BIN_BYTES;

/// What all kernels of a call share. A bin is a square of tiles; one bit per face and bin tells
/// whether the face reaches it, so that nothing has to be sorted and no list can overflow.
template <typename T> struct SoftScene {
  const T* verts_clip;     // (N, V, 4)
  const int32_t* faces;    // (F, 3)
  SoftModel model;
  int64_t num_views, num_verts, num_faces;
  int32_t height, width;
  int32_t tiles_x, tiles_y, bin_tiles, bins_x, bins_y;
  int64_t num_words;       // of a bin

  uint32_t* bits;          // (N, bins, num_words), zero on entry, as the next
  int32_t* perspective;    // (N,): clip w is not the same everywhere
  int64_t zeroed_bytes;
  SoftFace* placed;        // (N, F)

  template <typename Args>
  SoftScene(const Args& args, Arena& scratch)
      : verts_clip(args.verts_clip),
        faces(args.faces),
        model(args.model),
        num_views(args.num_views),
        num_verts(args.num_verts),
        num_faces(args.num_faces),
        height(args.height),
        width(args.width),
        tiles_x((args.width + kSoftTile - 1) / kSoftTile),
        tiles_y((args.height + kSoftTile - 1) / kSoftTile),
        bin_tiles(1),
        num_words(blocks_for(args.num_faces, 32)) {
    for (;; bin_tiles *= 2) {
      bins_x = (tiles_x + bin_tiles - 1) / bin_tiles;
      bins_y = (tiles_y + bin_tiles - 1) / bin_tiles;
      if (4 * num_words * num_views * bins_x * bins_y <= kMostBinBytes || bins_x * bins_y == 1) break;
    }
    const int64_t before = scratch.bytes();
    bits = scratch.take<uint32_t>(num_words * num_views * bins_x * bins_y);
    perspective = scratch.take<int32_t>(num_views);
    zeroed_bytes = scratch.bytes() - before;
    placed = scratch.take<SoftFace>(num_views * num_faces);
  }
  int64_t num_tiles() const { return num_views * tiles_x * tiles_y; }

  __device__ const T* verts(int64_t view) const { return verts_clip + 4 * num_verts * view; }
  __device__ uint32_t* bin(int64_t view, int x, int y) const {
    return bits + ((view * bins_y + y) * bins_x + x) * num_words;
  }
  /// The visible part of a face; 0 sides if nothing is seen, or a corner is refused.
  __device__ int polygon_of(int64_t view, int64_t face, ClipPoint* clip, ScreenPoint* polygon,
                            PolygonCorner* corners) const {
    ScreenPoint at[3];
    for (int i = 0; i < 3; ++i) {
      const int32_t vert = faces[3 * face + i];
      if (uint32_t(vert) >= uint64_t(num_verts)) return 0;
      clip[i] = load_clip(verts(view) + 4 * int64_t(vert));
      at[i] = place_vertex(clip[i], width, height);
      if (at[i].x != at[i].x && !is_hidden(at[i])) return 0;
    }
    int unplaced;
    const int sides = visible_polygon(clip, at, width, height, polygon, corners, unplaced);
    return unplaced >= 0 ? 0 : sides;
  }
};

/// Launches what leads from vertices to bins.
template <typename T> cudaError_t launch_scene(const SoftScene<T>& scene, void* stream);

template <typename T>
__global__ void __launch_bounds__(kBlock) find_perspective(const SoftScene<T> scene) {
  const int64_t i = thread_number();
  if (i >= scene.num_views * scene.num_verts) return;
  const int64_t view = i / scene.num_verts;
  const T w = scene.verts_clip[4 * i + 3];
  if (is_finite(w) && w != scene.verts(view)[3]) relaxed_store(scene.perspective[view], 1);
}

template <typename T>
__global__ void __launch_bounds__(kBlock) place_faces(const SoftScene<T> scene) {
  const int64_t i = thread_number();
  if (i >= scene.num_views * scene.num_faces) return;
  const int64_t view = i / scene.num_faces, number = i - view * scene.num_faces;
  ClipPoint clip[3];
  ScreenPoint polygon[kMaxSides];
  PolygonCorner corners[kMaxSides];
  SoftFace face;
  face.sides = 0;
  const int sides = scene.polygon_of(view, number, clip, polygon, corners);
  if (sides > 0 && !make_soft_face(polygon, sides, scene.model.min_area, soft_margin(scene.model),
                                   scene.width, scene.height, face))
    face.sides = 0;
  scene.placed[i] = face;
  if (face.sides == 0) return;
  const int bin = kSoftTile * scene.bin_tiles;
  for (int y = face.first_y / bin; y <= face.last_y / bin; ++y)
    for (int x = face.first_x / bin; x <= face.last_x / bin; ++x)
      atomicOr(&scene.bin(view, x, y)[number / 32], uint32_t(1) << (number % 32));
}

LRAST_END
