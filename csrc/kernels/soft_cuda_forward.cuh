// csrc/kernels/soft_cuda_forward.cuh: soft coverage of tiles (CUDA).
#pragma once
#include "soft_cuda_tile.cuh"

LRAST_BEGIN

template <typename T> struct SoftForwardWork {
  SoftScene<T> scene;
  SoftCoverageArgs<T> args;
  SoftForwardWork(const SoftCoverageArgs<T>& a, Arena& scratch) : scene(a, scratch), args(a) {}
};

// Bits of a finite number in the order of numbers.
LRAST_HD uint32_t ordered_bits(float x) {
  uint32_t bits;
  const float positive_zero = x + 0.0f;
  memcpy(&bits, &positive_zero, 4);
  return bits >> 31 ? ~bits : bits | uint32_t(1) << 31;
}
LRAST_HD uint64_t ordered_bits(double x) {
  uint64_t bits;
  const double positive_zero = x + 0.0;
  memcpy(&bits, &positive_zero, 8);
  return bits >> 63 ? ~bits : bits | uint64_t(1) << 63;
}
LRAST_HD float from_ordered_bits(uint32_t bits) {
  bits = bits >> 31 ? bits & ~(uint32_t(1) << 31) : ~bits;
  float x;
  memcpy(&x, &bits, 4);
  return x;
}
LRAST_HD double from_ordered_bits(uint64_t bits) {
  bits = bits >> 63 ? bits & ~(uint64_t(1) << 63) : ~bits;
  double x;
  memcpy(&x, &bits, 8);
  return x;
}

/// Calls visit(pixel, factor, key, number) for the faces that count at the thread's pixels.
template <bool kLinear, int kSides, typename T, typename Visit>
__device__ void visit_keys(const SoftTile<T>& tile, const FaceBatch<T>& batch, int i, Visit visit) {
  RowFrames<kSides, T> frames(tile, batch.side[i]);
  for (int p = 0; p < kRow; ++p) {
    frames.move_to(p);
    T factor;
    if (!factor_at<kLinear>(tile, frames, factor)) continue;
    const T key = key_at(batch.depth[i], frames.across, tile.middle_x() + tile.offset(p),
                         tile.middle_y() + tile.offset(tile.row));
    visit(p, factor, key, batch.number[i]);
  }
}
template <bool kLinear, typename T, typename Visit>
__device__ void visit_tile_keys(const SoftScene<T>& scene, const SoftTile<T>& tile,
                                FaceBatch<T>& batch, Visit visit) {
  visit_faces<true>(scene, tile, batch, [&](int i) {
    if (!batch.may_reach(tile, i)) return;
    if (batch.sides[i] == 3) visit_keys<kLinear, 3>(tile, batch, i, visit);
    else visit_keys<kLinear, 4>(tile, batch, i, visit);
  });
}

/// Where more than `wanted` faces count: finds the last one that may, and the product up to it. The
/// faces are gone through once per two bits of a key, because a tile has any number of them.
template <bool kLinear, typename T>
__device__ void limit_to_nearest(const SoftScene<T>& scene, const SoftTile<T>& tile,
                                 FaceBatch<T>& batch, const int* count, T* product, T* last_key,
                                 int32_t* last_face) {
  using Bits = decltype(ordered_bits(T()));
  const int wanted = scene.model.faces_per_pixel;
  // The first key that is too far: the largest number that more than `wanted` keys reach.
  Bits bound[kRow] = {};
  for (int shift = 8 * int(sizeof(T)) - 2; shift >= 0; shift -= 2) {
    int reach[kRow][3] = {};
    visit_tile_keys<kLinear>(scene, tile, batch, [&](int p, T, T key, int32_t) {
      const Bits bits = ordered_bits(key);
      for (int step = 0; step < 3; ++step)
        reach[p][step] += bits >= (bound[p] | Bits(step + 1) << shift);
    });
    for (int p = 0; p < kRow; ++p) {
      int steps = 0;
      while (steps < 3 && reach[p][steps] > wanted) ++steps;
      bound[p] |= Bits(steps) << shift;
    }
  }
  int nearer[kRow] = {}, equal[kRow] = {};
  visit_tile_keys<kLinear>(scene, tile, batch, [&](int p, T, T key, int32_t) {
    nearer[p] += ordered_bits(key) > bound[p];
  });
  for (int p = 0; p < kRow; ++p) {
    const bool limited = count[p] > wanted;
    last_key[p] = limited ? from_ordered_bits(bound[p]) : T(-INFINITY);
    last_face[p] = -1;
    if (limited) product[p] = T(1);
  }
  // Of equal keys the smaller numbers come first, which is the order of the faces.
  visit_tile_keys<kLinear>(scene, tile, batch, [&](int p, T factor, T key, int32_t number) {
    if (count[p] <= wanted || key < last_key[p]) return;
    if (key == last_key[p]) {
      if (nearer[p] + equal[p] >= wanted) return;
      ++equal[p];
      last_face[p] = number;
    }
    product[p] = smaller(product[p] * factor, T(Power<T>::kCap));
  });
}

/// Multiplies the thread's pixels with a face's factors and counts it.
template <bool kLinear, int kSides, typename T>
__device__ void multiply_face(const SoftTile<T>& tile, const BatchSide<T>* sides, T* product,
                              int* count) {
  RowFrames<kSides, T> frames(tile, sides);
  for (int p = 0; p < kRow; ++p) {
    frames.move_to(p);
    T factor;
    if (!factor_at<kLinear>(tile, frames, factor)) continue;
    product[p] = smaller(product[p] * factor, T(Power<T>::kCap));
    ++count[p];
  }
}

template <bool kLinear, typename T>
__global__ void __launch_bounds__(kBlock) cover_tiles(const __grid_constant__ SoftForwardWork<T> work) {
  __shared__ FaceBatch<T> batch;
  __shared__ int any_limited;
  const SoftScene<T>& scene = work.scene;
  const SoftTile<T> tile(scene, blockIdx.x);
  T product[kRow] = {T(1), T(1), T(1), T(1)};
  int count[kRow] = {};
  if (threadIdx.x == 0) any_limited = 0;
  visit_faces<false>(scene, tile, batch, [&](int i) {
    if (!batch.may_reach(tile, i)) return;
    if (batch.sides[i] == 3) multiply_face<kLinear, 3>(tile, batch.side[i], product, count);
    else multiply_face<kLinear, 4>(tile, batch.side[i], product, count);
  });
  const SoftLast<T, int32_t> last = work.args.last;
  if (last.key) {
    T last_key[kRow];
    int32_t last_face[kRow];
    __syncthreads();
    for (int p = 0; p < kRow; ++p) {
      last_key[p] = T(-INFINITY);
      last_face[p] = -1;
      if (count[p] > scene.model.faces_per_pixel) any_limited = 1;
    }
    __syncthreads();
    if (any_limited)
      limit_to_nearest<kLinear>(scene, tile, batch, count, product, last_key, last_face);
    for (int p = 0; p < kRow; ++p) {
      const int64_t place = tile.place(scene, p);
      if (place < 0) continue;
      last.key[place] = last_key[p];
      last.face[place] = last_face[p];
    }
  }
  for (int p = 0; p < kRow; ++p) {
    const int64_t place = tile.place(scene, p);
    if (place < 0) continue;
    work.args.coverage[place] = (product[p] - T(1)) / product[p];
    work.args.uncovered[place] = product[p] < T(Power<T>::kCap) ? T(1) / product[p] : T(0);
  }
}

LRAST_END
