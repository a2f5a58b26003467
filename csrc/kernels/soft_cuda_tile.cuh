// csrc/kernels/soft_cuda_tile.cuh: the faces of a tile, some at a time, against its pixels (CUDA).
//
// A block of threads per tile, a thread per row of a 4 x 4 block of pixels, a warp per 16 x 8 pixels.
// Numbers are computed as soft_tile.h does, in the same order, for the same bits. What all threads of
// a block agree on is asked as they run: a kernel per case would take minutes to compile.
#pragma once
#include "soft_cuda_work.cuh"

LRAST_BEGIN

constexpr int kBatch = kBlock / kMaxSides;  // faces placed together, a thread per side
constexpr int kRow = 4;                     // pixels of a thread, and rows of a block of pixels

/// Blocks that a multiprocessor must have registers for. One alone leaves it idle at every barrier;
/// double needs so many that two would spill.
template <typename T> constexpr int kBlocksAtOnce = sizeof(T) == 4 ? 2 : 1;

/// A tile of the picture and a thread's place in it.
template <typename T> struct SoftTile {
  int64_t view;
  int tile_x, tile_y, block_x, block_y, row;
  double middle_u, middle_v, radius;  // metric
  T reach, fade;
  bool linear;

  __device__ SoftTile(const SoftScene<T>& scene, int64_t number) {
    const int per_view = scene.tiles_x * scene.tiles_y;
    view = number / per_view;
    const int in_view = int(number - view * per_view);
    tile_y = in_view / scene.tiles_x;
    tile_x = in_view - tile_y * scene.tiles_x;
    const int warp = int(threadIdx.x / 32), lane = lane_number();
    block_x = 4 * (warp & 1) + (lane & 3);
    block_y = 2 * (warp >> 1) + (lane >> 4);
    row = lane >> 2 & 3;
    const SoftModel& model = scene.model;
    middle_u = (kSoftTile * tile_x + 0.5 * kSoftTile) * model.scale_x;
    middle_v = (kSoftTile * tile_y + 0.5 * kSoftTile) * model.scale_y;
    radius = 0.51 * kSoftTile * sqrt(model.scale_x * model.scale_x + model.scale_y * model.scale_y);
    reach = T(model.reach);
    fade = T(model.fade);
    linear = model.linear != 0;
  }
  /// The middle of the thread's block, and a pixel of its row, from the middle of the tile.
  __device__ T middle_x() const { return T(kRow * block_x + (kRow - kSoftTile) / 2); }
  __device__ T middle_y() const { return T(kRow * block_y + (kRow - kSoftTile) / 2); }
  static __device__ T offset(int i) { return T(i) - T(1.5); }

  /// Where pixel i of the thread's row is in an image (N, H, W), or -1 if outside the picture.
  __device__ int64_t place(const SoftScene<T>& scene, int i) const {
    const int x = kSoftTile * tile_x + kRow * block_x + i;
    const int y = kSoftTile * tile_y + kRow * block_y + row;
    if (x >= scene.width || y >= scene.height) return -1;
    return (view * scene.height + y) * scene.width + x;
  }
};

/// A side of a face in a tile, as FaceGroup has it.
template <typename T> struct BatchSide {
  T across_x, across_y, across_0, along_x, along_y, along_0, half;
};

/// Faces of a tile that its threads share.
template <typename T> struct FaceBatch {
  BatchSide<T> side[kBatch][kMaxSides];
  int32_t number[kBatch];
  int8_t sides[kBatch], first_x[kBatch], first_y[kBatch], last_x[kBatch], last_y[kBatch];

  /// Whether the face may reach the thread's block of pixels.
  __device__ bool may_reach(const SoftTile<T>& tile, int i) const {
    return tile.block_x >= first_x[i] && tile.block_x <= last_x[i] && tile.block_y >= first_y[i] &&
           tile.block_y <= last_y[i];
  }
};

/// The same with depths.
template <typename T> struct DepthBatch : FaceBatch<T> {
  TileDepth<T> depth[kBatch];
};

/// One side, in the frame of the tile.
template <typename T>
__device__ SoftSide<double> side_in_tile(const SoftScene<T>& scene, const SoftTile<T>& tile,
                                         const SoftFace& face, int k) {
  const ScreenPoint a = face.corner[k], b = face.corner[k + 1 == face.sides ? 0 : k + 1];
  return make_soft_side(a.x, a.y, b.x, b.y, face.turn, scene.model, tile.middle_u, tile.middle_v);
}

template <typename T>
__device__ BatchSide<T> make_batch_side(const SoftScene<T>& scene, const SoftTile<T>& tile,
                                        const SoftFace& face, int k) {
  const SoftSide<double> side = side_in_tile(scene, tile, face, k);
  const SideStretch<double> stretch = stretch_in_tile(side, tile.radius);
  const SoftModel& model = scene.model;
  return {T(0.0 - face.turn * side.tangent_v * model.scale_x),
          T(face.turn * side.tangent_u * model.scale_y),
          T(side.across),
          T(side.tangent_u * model.scale_x),
          T(side.tangent_v * model.scale_y),
          T(0.0 - stretch.middle),
          T(stretch.half)};
}

/// Not inlined: long, and only for pictures in which not all faces count.
template <typename T>
__noinline__ __device__ TileDepth<T> make_batch_depth(const SoftScene<T>& scene,
                                                      const SoftTile<T>& tile, int32_t number) {
  ClipPoint clip[3];
  ScreenPoint polygon[kMaxSides];
  PolygonCorner corners[kMaxSides];
  scene.polygon_of(tile.view, number, clip, polygon, corners);
  const bool perspective = scene.perspective[tile.view] != 0;
  const SoftDepth depth =
      make_soft_depth(scene.placed[tile.view * scene.num_faces + number], clip, corners,
                      scene.model, perspective, scene.width, scene.height);
  return depth_in_tile<T>(depth, perspective, kSoftTile * tile.tile_x + 0.5 * kSoftTile,
                          kSoftTile * tile.tile_y + 0.5 * kSoftTile);
}

/// Places the faces batch.number[0..count), and calls place(i, k) for side k of face i.
template <typename T, typename Place>
__device__ void place_batch(const SoftScene<T>& scene, const SoftTile<T>& tile, int count,
                            FaceBatch<T>& batch, Place place) {
  const int i = int(threadIdx.x) / kMaxSides, k = int(threadIdx.x) % kMaxSides;
  if (i >= count) return;
  const SoftFace& face = scene.placed[tile.view * scene.num_faces + batch.number[i]];
  if (k < face.sides) {
    const BatchSide<T> side = make_batch_side(scene, tile, face, k);
    batch.side[i][k] = side;
  }
  if (k == 0) {
    const int x = kSoftTile * tile.tile_x, y = kSoftTile * tile.tile_y;
    batch.sides[i] = int8_t(face.sides);
    batch.first_x[i] = int8_t(larger(face.first_x - x, 0) / kRow);
    batch.first_y[i] = int8_t(larger(face.first_y - y, 0) / kRow);
    batch.last_x[i] = int8_t(smaller(face.last_x - x, kSoftTile - 1) / kRow);
    batch.last_y[i] = int8_t(smaller(face.last_y - y, kSoftTile - 1) / kRow);
  }
  place(i, k);
}

/// The faces among 32 of the tile's bin that reach the tile itself.
template <typename T>
__device__ uint32_t faces_in_tile(const SoftScene<T>& scene, const SoftTile<T>& tile,
                                  int64_t word) {
  if (word >= scene.num_words) return 0;
  const int tiles = scene.bin_tiles;
  uint32_t found = scene.bin(tile.view, tile.tile_x / tiles, tile.tile_y / tiles)[word];
  if (tiles == 1) return found;
  for (uint32_t rest = found; rest; rest &= rest - 1) {
    const int bit = __ffs(int(rest)) - 1;
    const SoftFace& face = scene.placed[tile.view * scene.num_faces + 32 * word + bit];
    if (face.first_x / kSoftTile > tile.tile_x || face.last_x / kSoftTile < tile.tile_x ||
        face.first_y / kSoftTile > tile.tile_y || face.last_y / kSoftTile < tile.tile_y)
      found &= ~(uint32_t(1) << bit);
  }
  return found;
}

/// Calls visit(i) for all faces of a tile, in the order of their numbers, each being face i of the
/// batch, and place(i, k) before that. For all threads of the block.
template <typename T, typename Place, typename Visit>
__device__ void visit_faces(const SoftScene<T>& scene, const SoftTile<T>& tile,
                            FaceBatch<T>& batch, Place place, Visit visit) {
  for (int64_t base = 0; base < scene.num_words; base += kBlock) {
    const int64_t word = base + threadIdx.x;
    const uint32_t found = faces_in_tile(scene, tile, word);
    Count sum;
    const int first = int(block_exclusive_sum(Count(__popc(found)), sum)), total = int(sum);
    for (int begin = 0; begin < total; begin += kBatch) {
      int at = first - begin;
      for (uint32_t rest = found; rest && at < kBatch; rest &= rest - 1, ++at)
        if (at >= 0) batch.number[at] = int32_t(32 * word + __ffs(int(rest)) - 1);
      __syncthreads();
      const int count = smaller(kBatch, total - begin);
      place_batch(scene, tile, count, batch, place);
      __syncthreads();
      for (int i = 0; i < count; ++i) visit(i);
      __syncthreads();
    }
  }
}

/// The same with depths, if asked for.
template <typename T, typename Visit>
__device__ void visit_faces(const SoftScene<T>& scene, const SoftTile<T>& tile, bool with_depth,
                            DepthBatch<T>& batch, Visit visit) {
  const auto place = [&](int i, int k) {
    if (!with_depth || k != 1) return;
    const TileDepth<T> depth = make_batch_depth(scene, tile, batch.number[i]);
    batch.depth[i] = depth;
  };
  visit_faces(scene, tile, batch, place, visit);
}

/// A thread's pixels in the frames of a face's sides, of which there are three or four.
template <typename T> struct RowFrames {
  T across[kMaxSides], along[kMaxSides], half[kMaxSides];  // of the pixel that was asked for last
  T row_across[kMaxSides], row_along[kMaxSides];           // of all its pixels, less their x
  T x;                                                     // of the middle of the block
  const BatchSide<T>* side;
  bool four;

  /// Calls body(k) for each side.
  template <typename Body> __device__ void each(Body body) const {
#pragma unroll
    for (int k = 0; k < kMaxSides; ++k)
      if (k < 3 || four) body(k);
  }
  __device__ RowFrames(const SoftTile<T>& tile, const FaceBatch<T>& batch, int i)
      : x(tile.middle_x()), side(batch.side[i]), four(batch.sides[i] == 4) {
    const T y = tile.middle_y() + tile.offset(tile.row);
    each([&](int k) {
      const BatchSide<T>& s = side[k];
      row_across[k] = multiply_add(y, s.across_y, s.across_0);
      row_along[k] = multiply_add(y, s.along_y, s.along_0);
      half[k] = s.half;
    });
  }
  __device__ void move_to(int i) {
    const T at = x + SoftTile<T>::offset(i);
    each([&](int k) {
      across[k] = multiply_add(at, side[k].across_x, row_across[k]);
      along[k] = multiply_add(at, side[k].along_x, row_along[k]);
    });
  }
  /// Squared distance of the pixel to each side and to the outline, and side_of_outline().
  __device__ void find_distances(T* distance2s, T& distance2, T& inner) const {
    distance2 = side_distance2(across[0], along[0], half[0]);
    inner = across[0];
    each([&](int k) {
      distance2s[k] = side_distance2(across[k], along[k], half[k]);
      distance2 = smaller(distance2, distance2s[k]);
      inner = join_signs(inner, across[k]);
    });
  }
};

/// A face's exponent z at a pixel, and what it does there.
template <typename T> __device__ T exponent_at(const SoftTile<T>& tile, T distance2, T inner) {
  return tile.linear ? soft_exponent<true>(distance2, inner)
                     : soft_exponent<false>(distance2, inner);
}
template <typename T> __device__ SoftChance<T> chance_at(const SoftTile<T>& tile, T z) {
  return tile.linear ? soft_chance<true, T>(z, tile.fade) : soft_chance<false, T>(z, tile.fade);
}

/// A face's chance at a pixel; false where it does not count.
template <typename T>
__device__ bool chance_at(const SoftTile<T>& tile, const RowFrames<T>& frames,
                          SoftChance<T>& chance) {
  T distance2s[kMaxSides], distance2, inner;
  frames.find_distances(distance2s, distance2, inner);
  const T z = exponent_at(tile, distance2, inner);
  chance = chance_at(tile, z);
  return -tile.reach < z;
}

LRAST_END
