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

/// Calls visit(pixel, odds, key, number) for the faces that count at the thread's pixels.
template <typename T, typename Visit>
__device__ void visit_keys(const SoftScene<T>& scene, const SoftTile<T>& tile, DepthBatch<T>& batch,
                           Visit visit) {
  visit_faces(scene, tile, true, batch, [&](int i) {
    if (!batch.may_reach(tile, i)) return;
    RowFrames<T> frames(tile, batch, i);
    for (int p = 0; p < kRow; ++p) {
      frames.move_to(p);
      SoftChance<T> chance;
      if (!chance_at(tile, frames, chance)) continue;
      const T key = key_at(batch.depth[i], frames.across, tile.middle_x() + tile.offset(p),
                           tile.middle_y() + tile.offset(tile.row));
      visit(p, chance.odds, key, batch.number[i]);
    }
  });
}

/// Where more than `wanted` faces count: finds the last one that may, and the product up to it. The
/// faces are gone through once per two bits of a key, because a tile has any number of them; then to
/// count those with larger keys, and to multiply.
template <typename T>
__device__ void limit_to_nearest(const SoftScene<T>& scene, const SoftTile<T>& tile,
                                 DepthBatch<T>& batch, const int* count, T* product, T* last_key,
                                 int32_t* last_face) {
  using Bits = decltype(ordered_bits(T()));
  constexpr int kCounting = 4 * int(sizeof(T)), kMultiplying = kCounting + 1;
  const int wanted = scene.model.faces_per_pixel;
  // The first key that is too far: the largest number that more than `wanted` keys reach.
  Bits bound[kRow] = {};
  int nearer[kRow] = {}, equal[kRow] = {};
  for (int step = 0; step <= kMultiplying; ++step) {
    const int shift = 2 * (kCounting - 1 - step);
    int reach[kRow][3] = {};
    for (int p = 0; p < kRow && step == kMultiplying; ++p) {
      const bool limited = count[p] > wanted;
      last_key[p] = limited ? from_ordered_bits(bound[p]) : T(-INFINITY);
      last_face[p] = -1;
      if (limited) product[p] = T(1);
    }
    visit_keys(scene, tile, batch, [&](int p, T odds, T key, int32_t number) {
      if (step < kCounting) {
        const Bits bits = ordered_bits(key);
        for (int k = 0; k < 3; ++k) reach[p][k] += bits >= (bound[p] | Bits(k + 1) << shift);
        return;
      }
      if (step == kCounting) {
        nearer[p] += ordered_bits(key) > bound[p];
        return;
      }
      // Of equal keys the smaller numbers come first, which is the order of the faces.
      if (count[p] <= wanted || key < last_key[p]) return;
      if (key == last_key[p]) {
        if (nearer[p] + equal[p] >= wanted) return;
        ++equal[p];
        last_face[p] = number;
      }
      product[p] = with_face<T>(product[p], odds);
    });
    for (int p = 0; p < kRow && step < kCounting; ++p) {
      int steps = 0;
      while (steps < 3 && reach[p][steps] > wanted) ++steps;
      bound[p] |= Bits(steps) << shift;
    }
  }
}

template <typename T>
__global__ void __launch_bounds__(kBlock, kBlocksAtOnce<T>)
    cover_tiles(const __grid_constant__ SoftForwardWork<T> work) {
  __shared__ DepthBatch<T> batch;
  const SoftScene<T>& scene = work.scene;
  const SoftTile<T> tile(scene, blockIdx.x);
  T product[kRow] = {T(1), T(1), T(1), T(1)};
  int count[kRow] = {};
  visit_faces(scene, tile, false, batch, [&](int i) {
    if (!batch.may_reach(tile, i)) return;
    RowFrames<T> frames(tile, batch, i);
    for (int p = 0; p < kRow; ++p) {
      frames.move_to(p);
      SoftChance<T> chance;
      if (!chance_at(tile, frames, chance)) continue;
      product[p] = with_face<T>(product[p], chance.odds);
      ++count[p];
    }
  });
  const SoftLast<T, int32_t> last = work.args.last;
  if (last.key) {
    T last_key[kRow];
    int32_t last_face[kRow];
    bool limited = false;
    for (int p = 0; p < kRow; ++p) {
      last_key[p] = T(-INFINITY);
      last_face[p] = -1;
      limited = limited || count[p] > scene.model.faces_per_pixel;
    }
    if (__syncthreads_or(limited))
      limit_to_nearest(scene, tile, batch, count, product, last_key, last_face);
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
