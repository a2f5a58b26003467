// csrc/kernels/soft_cuda_backward.cuh: gradient of soft coverage (CUDA).
#pragma once
#include "fixed_sum.cuh"
#include "soft_cuda_sides.cuh"

LRAST_BEGIN

template <typename T> struct SoftBackwardWork {
  SoftScene<T> scene;
  SoftCoverageBackwardArgs<T> args;
  int64_t num_targets;
  FixedSums<double> sums;  // (N, V, 4)
  bool adds;               // else finds the bounds of the sums

  SoftBackwardWork(const SoftCoverageBackwardArgs<T>& a, Arena& scratch)
      : scene(a, scratch),
        args(a),
        num_targets(4 * a.num_views * a.num_verts),
        // Of each face and warp, for each of four corners, each of which two vertices may make, and
        // a face may name a vertex three times.
        sums(scratch, num_targets,
             3 * 8 * (kBlock / 32) * a.num_faces * scene.tiles_x * scene.tiles_y),
        adds(false) {}
};

/// What a thread's pixels have to do with the loss.
template <typename T> struct RowGradients {
  T weight[kRow];    // d loss / d z of a face with p = 1
  T last_key[kRow];
  int32_t last_face[kRow];
  bool any, limited;

  __device__ RowGradients(const SoftBackwardWork<T>& work, const SoftTile<T>& tile)
      : any(false), limited(false) {
    const SoftCoverageBackwardArgs<T>& args = work.args;
    for (int p = 0; p < kRow; ++p) {
      const int64_t place = tile.place(work.scene, p);
      weight[p] = T(0);
      last_key[p] = T(-INFINITY);
      last_face[p] = -1;
      if (place < 0) continue;
      weight[p] = args.grad_coverage[place] * (args.uncovered[place] * T(0.69314718055994531));
      any = any || weight[p] != T(0);
      if (!args.last.key) continue;
      last_key[p] = args.last.key[place];
      last_face[p] = args.last.face[place];
      limited = limited || last_key[p] > T(-INFINITY);
    }
  }
  __device__ bool counts(int p, T key, int32_t number) const {
    return key > last_key[p] || (key == last_key[p] && number <= last_face[p]);
  }
};

/// Adds up what a face owes the thread's pixels, side by side; see sum_pixels() of the CPU.
template <typename T>
__device__ void sum_row(const SoftTile<T>& tile, const DepthBatch<T>& batch, int i,
                        const RowGradients<T>& row, T* sums) {
  RowFrames<T> frames(tile, batch, i);
  for (int p = 0; p < kRow; ++p) {
    if (row.weight[p] == T(0)) continue;
    frames.move_to(p);
    T distance2s[kMaxSides], distance2, inner;
    frames.find_distances(distance2s, distance2, inner);
    const T z = exponent_at(tile, distance2, inner);
    const SoftChance<T> chance = chance_at(tile, z);
    if (!(-tile.reach < z)) continue;
    if (row.limited &&
        !row.counts(p, key_at(batch.depth[i], frames.across, tile.middle_x() + tile.offset(p),
                              tile.middle_y() + tile.offset(tile.row)),
                    batch.number[i]))
      continue;
    add_to_side(tile, frames, distance2s, distance2, inner,
                row.weight[p] * (chance.power / chance.factor), sums);
  }
}

/// Bounds or adds up what each warp's pixels add to the vertices of each face.
template <typename T>
__global__ void __launch_bounds__(kBlock, kBlocksAtOnce<T>)
    sum_gradients(const __grid_constant__ SoftBackwardWork<T> work) {
  __shared__ DepthBatch<T> batch;
  const SoftScene<T>& scene = work.scene;
  const SoftTile<T> tile(scene, blockIdx.x);
  const RowGradients<T> row(work, tile);
  if (!__syncthreads_or(row.any)) return;
  visit_faces(scene, tile, work.args.last.key != nullptr, batch, [&](int i) {
    const bool here = row.any && batch.may_reach(tile, i);
    if (!__ballot_sync(kWholeWarp, here)) return;
    T sums[kFaceSums] = {};
    if (here) sum_row(tile, batch, i, row, sums);
    const T sum = sum_over_warp(sums);
    if (!__ballot_sync(kWholeWarp, sum != T(0))) return;
    const int32_t number = batch.number[i];
    const ScreenPoint grad = corner_gradient(scene, tile, number, sum);
    const int sides = batch.sides[i], k = lane_number();
    if (k < sides)
      visit_corner(scene, tile.view, number, k, grad, [&](int64_t target, double value) {
        work.adds ? work.sums.add(target, value) : work.sums.bound(target, value);
      });
  });
}

template <typename T>
__global__ void __launch_bounds__(kBlock) store_gradients(const SoftBackwardWork<T> work) {
  const int64_t i = thread_number();
  if (i < work.num_targets) work.args.grad_verts_clip[i] = T(work.sums.total(i));
}

LRAST_END
