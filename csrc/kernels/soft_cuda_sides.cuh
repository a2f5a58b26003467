// csrc/kernels/soft_cuda_sides.cuh: gradients of the sides of a face, summed over a warp's pixels (CUDA).
#pragma once
#include "soft_cuda_tile.cuh"

LRAST_BEGIN

constexpr int kSideSums = 4;                          // as in SideSums
constexpr int kFaceSums = kMaxSides * kSideSums;
static_assert(kFaceSums == 16, "a half warp has one lane for each");

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

/// Gradient of the place of a face's corner number lane, from what sum_over_warp() returned of its
/// side sums. For whole warps; rubbish in lanes beyond the corners.
template <typename T>
__device__ ScreenPoint corner_gradient(const SoftScene<T>& scene, const SoftTile<T>& tile,
                                       int32_t number, T sum) {
  const SoftFace& face = scene.placed[tile.view * scene.num_faces + number];
  // Lane k looks after side k, and corner k.
  const int sides = face.sides, k = lane_number() < sides ? lane_number() : 0;
  double of_side[kSideSums];
  for (int j = 0; j < kSideSums; ++j)
    of_side[j] = __shfl_sync(kWholeWarp, sum, unsigned(sum_of_lane(kSideSums * k + j)));
  const SoftSide<double> side = side_in_tile(scene, tile, face, k);
  const EndGradients<double> ends =
      side_gradient(side, face.turn, scene.model, stretch_in_tile(side, tile.radius).middle,
                    SideSums<double>{of_side[0], of_side[1], of_side[2], of_side[3]});
  const unsigned before = unsigned(k == 0 ? sides - 1 : k - 1);
  return {ends.ax + __shfl_sync(kWholeWarp, ends.bx, before),
          ends.ay + __shfl_sync(kWholeWarp, ends.by, before)};
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

LRAST_END
