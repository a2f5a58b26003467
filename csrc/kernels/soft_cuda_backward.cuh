// csrc/kernels/soft_cuda_backward.cuh: gradient of soft coverage (CUDA).
#pragma once
#include "fixed_sum.cuh"
#include "soft_cuda_tile.cuh"

LRAST_BEGIN

constexpr int kSideSums = 4;                          // as in SideSums
constexpr int kFaceSums = kMaxSides * kSideSums;
static_assert(kFaceSums == 16, "a half warp has one lane for each");

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

/// Adds up 16 numbers each over the lanes of a warp: lane l gets the sum number sum_of_lane(l).
LRAST_HD int sum_of_lane(int lane) {
  return (lane & 1) << 3 | (lane & 2) << 1 | (lane >> 1 & 2) | (lane >> 3 & 1);
}
template <typename T> __device__ T sum_over_warp(T* numbers) {
  const int lane = lane_number();
  // In every step each of two lanes keeps one half of the numbers, and gives the other one away.
#pragma unroll
  for (int step = 0; step < 4; ++step) {
    const int half = 8 >> step, partner = lane ^ (1 << step);
    const bool upper = lane >> step & 1;
#pragma unroll
    for (int i = 0; i < half; ++i) {
      const T given = upper ? numbers[i] : numbers[i + half];
      const T kept = upper ? numbers[i + half] : numbers[i];
      numbers[i] = kept + __shfl_sync(kWholeWarp, given, unsigned(partner));
    }
  }
  return numbers[0] + __shfl_sync(kWholeWarp, numbers[0], unsigned(lane ^ 16));
}

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

/// Adds the gradient of a pixel's exponent to the sums of the side that the pixel is nearest to.
template <typename T>
__device__ void add_to_side(const SoftTile<T>& tile, const RowFrames<T>& frames,
                            const T* distance2s, T distance2, T inner, T grad, T* sums) {
  bool taken = false;
  frames.each([&](int k) {
    // The first of equally near sides takes the gradient.
    if (taken || distance2 < distance2s[k]) return;
    taken = true;
    const T along = frames.along[k];
    const T over = with_sign(side_overshoot(along, frames.half[k]), along), at = along - over;
    T across_vjp, along_vjp;
    if (tile.linear)
      soft_exponent_vjp<true, T>(frames.across[k], over, distance2, inner, across_vjp, along_vjp);
    else
      soft_exponent_vjp<false, T>(frames.across[k], over, distance2, inner, across_vjp, along_vjp);
    T* sum = sums + kSideSums * k;
    sum[0] += grad * across_vjp;
    sum[1] += grad * along_vjp;
    sum[2] += grad * across_vjp * at;
    sum[3] += grad * along_vjp * at;
  });
}

/// Adds up what a face owes the thread's pixels, side by side; see sum_pixels() of the CPU.
template <typename T>
__device__ void sum_row(const SoftTile<T>& tile, const FaceBatch<T>& batch, int i,
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

/// Calls visit(target, value) for the gradient of a corner's vertices, given that of its place on the
/// screen.
template <typename T, typename Visit>
__device__ void visit_corner(const SoftScene<T>& scene, int64_t view, int32_t number, int corner,
                             ScreenPoint grad, Visit visit) {
  const int32_t* verts = scene.faces + 3 * int64_t(number);
  ClipPoint clip[3];
  for (int i = 0; i < 3; ++i) clip[i] = load_clip(scene.verts(view) + 4 * int64_t(verts[i]));
  const auto visit_vert = [&](int i, ClipPoint g) {
    const int64_t target = 4 * (view * scene.num_verts + verts[i]);
    visit(target, g.x);
    visit(target + 1, g.y);
    visit(target + 2, g.z);
    visit(target + 3, g.w);
  };
  PolygonCorner at{int8_t(corner), -1};
  if (near_distance(clip[0]) < 0.0 || near_distance(clip[1]) < 0.0 || near_distance(clip[2]) < 0.0) {
    ScreenPoint polygon[kMaxSides];
    PolygonCorner corners[kMaxSides];
    scene.polygon_of(view, number, clip, polygon, corners);
    at = corners[corner];
  }
  const ClipPoint from = clip[at.from];
  if (at.to < 0) {
    visit_vert(at.from, screen_from_clip_vjp(from, scene.width, scene.height, grad));
    return;
  }
  const ClipPoint to = clip[at.to];
  ClipPoint grad_from, grad_to;
  clip_at_near_vjp(from, to,
                   screen_from_clip_vjp(clip_at_near(from, to), scene.width, scene.height, grad),
                   grad_from, grad_to);
  visit_vert(at.from, grad_from);
  visit_vert(at.to, grad_to);
}

/// Bounds or adds up what each warp's pixels add to the vertices of each face.
template <typename T>
__global__ void __launch_bounds__(kBlock)
    sum_gradients(const __grid_constant__ SoftBackwardWork<T> work) {
  __shared__ FaceBatch<T> batch;
  __shared__ int any_live;
  const SoftScene<T>& scene = work.scene;
  const SoftTile<T> tile(scene, blockIdx.x);
  const RowGradients<T> row(work, tile);
  if (threadIdx.x == 0) any_live = 0;
  __syncthreads();
  if (row.any) any_live = 1;
  __syncthreads();
  if (!any_live) return;
  visit_faces(scene, tile, work.args.last.key != nullptr, batch, [&](int i) {
    const bool here = row.any && batch.may_reach(tile, i);
    if (!__ballot_sync(kWholeWarp, here)) return;
    T sums[kFaceSums] = {};
    if (here) sum_row(tile, batch, i, row, sums);
    const T sum = sum_over_warp(sums);
    if (!__ballot_sync(kWholeWarp, sum != T(0))) return;
    // Lane k looks after side k, and corner k.
    const int sides = batch.sides[i], k = lane_number() < sides ? lane_number() : 0;
    double of_side[kSideSums];
    for (int j = 0; j < kSideSums; ++j)
      of_side[j] = __shfl_sync(kWholeWarp, sum, unsigned(sum_of_lane(kSideSums * k + j)));
    const int32_t number = batch.number[i];
    const SoftFace& face = scene.placed[tile.view * scene.num_faces + number];
    const SoftSide<double> side = side_in_tile(scene, tile, face, k);
    const EndGradients<double> ends =
        side_gradient(side, face.turn, scene.model, stretch_in_tile(side, tile.radius).middle,
                      SideSums<double>{of_side[0], of_side[1], of_side[2], of_side[3]});
    const unsigned before = unsigned(k == 0 ? sides - 1 : k - 1);
    const ScreenPoint grad{ends.ax + __shfl_sync(kWholeWarp, ends.bx, before),
                           ends.ay + __shfl_sync(kWholeWarp, ends.by, before)};
    if (lane_number() < sides)
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
