// csrc/kernels/soft_color_cuda_backward.cuh: gradient of softly visible colours (CUDA).
#pragma once
#include "fixed_sum.cuh"
#include "soft_color_cuda_tile.cuh"

LRAST_BEGIN

constexpr int kShareSums = 12;     // of half a face: three keys, and ShareSums of three coordinates
constexpr int kChannelGroup = 5;   // channels whose three corners are summed over a warp together

template <typename T> struct SoftColorsBackwardWork {
  SoftScene<T> scene;
  SoftColorsBackwardArgs<T> args;
  int64_t num_verts, num_colors;
  FixedSums<double> verts, colors;  // (N, V, 4) and (F, 3, C)
  bool adds;                        // else finds the bounds of the sums

  SoftColorsBackwardWork(const SoftColorsBackwardArgs<T>& a, Arena& scratch)
      : scene(a, scratch),
        args(a),
        num_verts(4 * a.num_views * a.num_verts),
        num_colors(3 * a.num_faces * a.color_model.num_channels),
        // As in SoftBackwardWork. A colour has four corners to be in, and two halves.
        verts(scratch, num_verts,
              3 * 8 * (kBlock / 32) * a.num_faces * scene.tiles_x * scene.tiles_y),
        colors(scratch, num_colors, 8 * (kBlock / 32) * scene.num_tiles()),
        adds(false) {}
  __device__ void add_to_verts(int64_t target, double value) const {
    adds ? verts.add(target, value) : verts.bound(target, value);
  }
  __device__ void add_to_colors(int64_t target, double value) const {
    adds ? colors.add(target, value) : colors.bound(target, value);
  }
};

/// What a thread's pixels have to do with the loss.
template <typename T> struct ColorGradients {
  const T* grad[kRow];  // (C + 1,) of the image
  T weight[kRow];       // d loss / d z of a face with p = 1, by way of coverage
  T largest[kRow];      // of exponents
  T scale[kRow];        // 1 / total weight
  T base[kRow];         // sum over channels of gradient times image
  bool live[kRow], any;

  __device__ ColorGradients(const SoftColorsBackwardWork<T>& work, const SoftTile<T>& tile)
      : any(false) {
    const SoftColorsBackwardArgs<T>& args = work.args;
    const int channels = args.color_model.num_channels;
    for (int p = 0; p < kRow; ++p) {
      const int64_t place = tile.place(work.scene, p);
      live[p] = false;
      if (place < 0) continue;
      const T* image = args.image + place * (channels + 1);
      grad[p] = args.grad_image + place * (channels + 1);
      weight[p] = args.grad_coverage[place] * (args.uncovered[place] * T(0.69314718055994531));
      largest[p] = args.largest[place];
      scale[p] = T(1) / args.total[place];
      base[p] = T(0);
      live[p] = weight[p] != T(0);
      for (int c = 0; c <= channels; ++c) {
        base[p] += grad[p][c] * image[c];
        live[p] = live[p] || grad[p][c] != T(0);
      }
      any = any || live[p];
    }
  }
};

/// A half of a face at the thread's pixels: what colours weigh there, 0 where it does not count.
template <typename T> struct HalfAtPixels {
  T weight[kRow], bary[kRow][3];
};

/// Gradients by way of one half of a face at a pixel, as unblend() of the CPU; returns d loss / d ln p.
template <typename T>
__device__ T unblend(const ColorScene<T>& colors, const ColorBatch<T>& batch, int i, int h,
                     const ColorGradients<T>& row, int p, T x, T y, T chance, HalfAtPixels<T>& at,
                     T* sums) {
  const ColorTriangle<T>& triangle = batch.half[i][h];
  const ColorPoint<T> point = color_point(triangle, x, y);
  const T exponent = point.key * colors.slope + colors.offset;
  const T below = smaller(exponent - row.largest[p], T(0));
  const T weight = chance * decay<T>(below) * row.scale[p];
  // Of the face's own colour less the picture's.
  T excess = row.grad[p][colors.channels] - row.base[p], grad_bary[3] = {};
  for (int c = 0; c < colors.channels; ++c)
    for (int j = 0; j < 3; ++j)
      grad_bary[j] += row.grad[p][c] * colors.corner(batch, i, triangle.corner[j], c);
  for (int j = 0; j < 3; ++j) {
    excess += grad_bary[j] * point.bary[j];
    grad_bary[j] = weight * grad_bary[j];
    at.bary[p][j] = point.bary[j];
  }
  at.weight[p] = weight;
  const T grad = weight * excess;
  T grad_share[3], grad_key[3];
  color_point_vjp(triangle, point, colors.perspective, grad_bary,
                  grad * T(colors.slope * T(0.69314718055994531)), grad_share, grad_key);
  for (int j = 0; j < 3; ++j) {
    sums[j] += grad_key[j];
    sums[3 + 3 * j] += grad_share[j];
    sums[4 + 3 * j] += grad_share[j] * x;
    sums[5 + 3 * j] += grad_share[j] * y;
  }
  return grad;
}

/// Gradients of a corner of a face's visible part; each lane looks after one.
struct CornerGradient { double x, y, key, cut; };

/// Adds a half's shares and keys to the corner that the lane looks after. For whole warps.
template <typename T>
__device__ void add_shares(const SoftFace& face, const ColorTriangle<T>& triangle,
                           const SoftTile<T>& tile, T sum, CornerGradient& grad) {
  double sums[kShareSums];
  for (int j = 0; j < kShareSums; ++j)
    sums[j] = __shfl_sync(kWholeWarp, sum, unsigned(sum_of_lane(j)));
  ScreenPoint p[3], of_corner[3] = {};
  for (int j = 0; j < 3; ++j)
    p[j] = {face.corner[triangle.corner[j]].x - (kSoftTile * tile.tile_x + 0.5 * kSoftTile),
            face.corner[triangle.corner[j]].y - (kSoftTile * tile.tile_y + 0.5 * kSoftTile)};
  for (int j = 0; j < 3; ++j)
    add_share_gradient({sums[3 + 3 * j], sums[4 + 3 * j], sums[5 + 3 * j]}, triangle.inverse_area,
                       p[(j + 1) % 3], p[(j + 2) % 3], of_corner[(j + 1) % 3],
                       of_corner[(j + 2) % 3]);
  for (int j = 0; j < 3; ++j) {
    if (triangle.corner[j] != lane_number()) continue;
    grad.x += of_corner[j].x;
    grad.y += of_corner[j].y;
    grad.key += sums[j];
  }
}

/// Adds up the gradients of the corners' colours. For whole warps.
template <typename T>
__device__ void add_colors(const SoftColorsBackwardWork<T>& work, const ColorScene<T>& colors,
                           const ColorBatch<T>& batch, int i, int h, const ColorGradients<T>& row,
                           const HalfAtPixels<T>& at, CornerGradient& grad) {
  const ColorTriangle<T>& triangle = batch.half[i][h];
  const T* const of_face = colors.colors + 3 * int64_t(batch.number[i]) * colors.channels;
  const int64_t first_target = 3 * int64_t(batch.number[i]) * colors.channels;
  bool is_cut = false;
  for (int j = 0; j < 3; ++j) is_cut = is_cut || batch.corner[i][triangle.corner[j]].to >= 0;
  for (int first = 0; first < colors.channels; first += kChannelGroup) {
    T sums[kFaceSums] = {};
    for (int p = 0; p < kRow; ++p) {
      if (at.weight[p] == T(0)) continue;
#pragma unroll
      for (int c = 0; c < kChannelGroup; ++c) {
        if (first + c >= colors.channels) continue;
        const T weighted = at.weight[p] * row.grad[p][first + c];
        for (int j = 0; j < 3; ++j) sums[3 * c + j] += weighted * at.bary[p][j];
      }
    }
    const T sum = sum_over_warp(sums);
    const int which = sum_of_lane(lane_number()), channel = first + which / 3;
    const bool is_sum = which < 3 * kChannelGroup && channel < colors.channels;
    const int corner = triangle.corner[which % 3];
    double by_cut = 0.0;
    if (is_sum) {
      const PolygonCorner from = batch.corner[i][corner];
      const double cut = from.to < 0 ? 0.0 : batch.cut[i][corner], value = sum;
      // Two lanes hold each sum.
      const bool adds = lane_number() < 16;
      if (adds) work.add_to_colors(first_target + from.from * colors.channels + channel,
                                   (1.0 - cut) * value);
      if (from.to >= 0) {
        if (adds) work.add_to_colors(first_target + from.to * colors.channels + channel,
                                     cut * value);
        by_cut = value * (double(of_face[from.to * colors.channels + channel]) -
                          double(of_face[from.from * colors.channels + channel]));
      }
    }
    if (!is_cut) continue;
    for (int j = 0; j < 3 * kChannelGroup; ++j) {
      const double value = __shfl_sync(kWholeWarp, by_cut, unsigned(sum_of_lane(j)));
      if (triangle.corner[j % 3] == lane_number()) grad.cut += value;
    }
  }
}

/// Adds the gradient of a corner of a face's visible part to its vertices.
template <typename T>
__device__ void add_corner(const SoftColorsBackwardWork<T>& work, const SoftTile<T>& tile,
                           bool perspective, int32_t number, PolygonCorner corner,
                           const CornerGradient& grad) {
  const SoftScene<T>& scene = work.scene;
  const int32_t* const verts = scene.faces + 3 * int64_t(number);
  const auto add = [&](int i, ClipPoint g) {
    const int64_t target = 4 * (tile.view * scene.num_verts + verts[i]);
    work.add_to_verts(target, g.x);
    work.add_to_verts(target + 1, g.y);
    work.add_to_verts(target + 2, g.z);
    work.add_to_verts(target + 3, g.w);
  };
  const ClipPoint from = load_clip(scene.verts(tile.view) + 4 * int64_t(verts[corner.from]));
  const ClipPoint to =
      corner.to < 0 ? from : load_clip(scene.verts(tile.view) + 4 * int64_t(verts[corner.to]));
  const ClipPoint at = corner.to < 0 ? from : clip_at_near(from, to);
  ClipPoint g = screen_from_clip_vjp(at, scene.width, scene.height, {grad.x, grad.y});
  const ClipPoint by_key = depth_key_vjp(at, perspective, grad.key);
  g = {g.x + by_key.x, g.y + by_key.y, g.z + by_key.z, g.w + by_key.w};
  if (corner.to < 0) return add(corner.from, g);
  ClipPoint grad_from, grad_to;
  clip_at_near_vjp(from, to, g, grad_from, grad_to);
  add_cut_gradient(from, to, grad.cut, grad_from, grad_to);
  add(corner.from, grad_from);
  add(corner.to, grad_to);
}

/// Bounds or adds up what each warp's pixels add to the vertices and colours of each face.
template <typename T>
__global__ void __launch_bounds__(kBlock, kBlocksAtOnce<T>)
    sum_color_gradients(const __grid_constant__ SoftColorsBackwardWork<T> work) {
  __shared__ ColorBatch<T> batch;
  const SoftScene<T>& scene = work.scene;
  const SoftTile<T> tile(scene, blockIdx.x);
  const ColorScene<T> colors(scene, tile.view, work.args.colors, work.args.color_model);
  const ColorGradients<T> row(work, tile);
  if (!__syncthreads_or(row.any)) return;
  visit_colors(scene, tile, colors.perspective, batch, [&](int i) {
    const bool here = row.any && batch.may_reach(tile, i);
    if (!__ballot_sync(kWholeWarp, here)) return;
    const int32_t number = batch.number[i];
    const SoftFace& face = scene.placed[tile.view * scene.num_faces + number];
    RowFrames<T> frames(tile, batch, i);
    CornerGradient grad{};
    T grad_log[kRow] = {};  // d loss / d ln p
    const int halves = batch.sides[i] - 2;
    for (int h = 0; h < halves; ++h) {
      HalfAtPixels<T> at{};
      T sums[kFaceSums] = {};
      for (int p = 0; p < kRow; ++p) {
        if (!here || !row.live[p]) continue;
        frames.move_to(p);
        SoftChance<T> chance;
        const T x = tile.middle_x() + tile.offset(p), y = tile.middle_y() + tile.offset(tile.row);
        if (!chance_at(tile, frames, chance) || !is_in_half(batch, i, h, x, y)) continue;
        grad_log[p] = unblend(colors, batch, i, h, row, p, x, y, chance.odds / chance.factor, at,
                              sums);
      }
      add_shares(face, batch.half[i][h], tile, sum_over_warp(sums), grad);
      add_colors(work, colors, batch, i, h, row, at, grad);
    }
    T sums[kFaceSums] = {};
    for (int p = 0; p < kRow; ++p) {
      if (!here || !row.live[p]) continue;
      frames.move_to(p);
      T distance2s[kMaxSides], distance2, inner;
      frames.find_distances(distance2s, distance2, inner);
      const T z = exponent_at(tile, distance2, inner);
      if (!(-tile.reach < z)) continue;
      const SoftChance<T> chance = chance_at(tile, z);
      // d ln p / d z = ln 2 * 2^z / (factor odds).
      const T slope = chance.power * (T(1) / chance.factor);
      const T odds = larger(chance.odds, smallest_odds<T>());
      add_to_side(tile, frames, distance2s, distance2, inner,
                  row.weight[p] * slope + grad_log[p] * (T(0.69314718055994531) * slope / odds),
                  sums);
    }
    const ScreenPoint by_sides = corner_gradient(scene, tile, number, sum_over_warp(sums));
    if (lane_number() >= batch.sides[i]) return;
    grad.x += by_sides.x;
    grad.y += by_sides.y;
    add_corner(work, tile, colors.perspective, number, batch.corner[i][lane_number()], grad);
  });
}

template <typename T>
__global__ void __launch_bounds__(kBlock)
    store_color_gradients(const __grid_constant__ SoftColorsBackwardWork<T> work) {
  const int64_t i = thread_number();
  if (i < work.num_verts) work.args.grad_verts_clip[i] = T(work.verts.total(i));
  if (i < work.num_colors) work.args.grad_colors[i] = work.colors.total(i);
}

LRAST_END
