// csrc/kernels/transform_cuda.cu: one thread per point, or per component of a sum.  See transform.h.
#define LRAST_ISA cuda
#include "transform_cuda.h"

#include "cuda_block.cuh"

LRAST_BEGIN
namespace {

constexpr int kWarps = kBlock / 32;

LRAST_HD int64_t num_tiles(int64_t num_verts) {
  return (num_verts + kTransformCudaBlock - 1) / kTransformCudaBlock;
}

template <typename T> __device__ void load_point(const T* points, int64_t index, double* point) {
  for (int c = 0; c < 3; ++c) point[c] = points[3 * index + c];
}

template <typename T> __global__ void points(TransformArgs<T> args) {
  const int64_t i = thread_number();
  if (i >= args.num_views * args.num_verts) return;
  const int64_t view = i / args.num_verts;
  double point[3];
  load_point(args.points, args.shared ? i - view * args.num_verts : i, point);
  for (int r = 0; r < 4; ++r) {
    double out;
    transform_point(args.matrices + 16 * view + 4 * r, point, out);
    args.out[4 * i + r] = T(out);
  }
}

// Each point is one thread's own, so that views are summed in order without atomics.
template <typename T> __global__ void points_vjp(TransformPointsVjpArgs<T> args) {
  const int64_t i = thread_number();
  if (i >= (args.shared ? 1 : args.num_views) * args.num_verts) return;
  const int64_t first = args.shared ? 0 : i / args.num_verts;
  const int64_t last = args.shared ? args.num_views : first + 1;
  double sums[3] = {0.0, 0.0, 0.0};
  for (int64_t view = first; view < last; ++view) {
    const T* from = args.grad + 4 * (args.shared ? view * args.num_verts + i : i);
    const double grad[4] = {double(from[0]), double(from[1]), double(from[2]), double(from[3])};
    const double* m = args.matrices + 16 * view;
    for (int c = 0; c < 3; ++c) {
      const double rows[4] = {m[c], m[4 + c], m[8 + c], m[12 + c]};
      transform_point_vjp(rows, grad, sums[c]);
    }
  }
  for (int c = 0; c < 3; ++c) args.grad_points[3 * i + c] = T(sums[c]);
}

/// A block sums up one tile of points of one view: each thread its points, then the threads of a
/// warp, then the warps.
template <typename T> __global__ void sum_tiles(TransformMatricesVjpArgs<T> args) {
  __shared__ double warp_sums[kWarps][16];
  const int64_t tiles = num_tiles(args.num_verts);
  const int64_t view = blockIdx.x / tiles, tile = blockIdx.x - view * tiles;
  const int64_t begin = tile * kTransformCudaBlock;
  const int64_t end = smaller(begin + kTransformCudaBlock, args.num_verts);
  double sums[16] = {};
  for (int64_t i = begin + threadIdx.x; i < end; i += kBlock) {
    const int64_t number = view * args.num_verts + i;
    double point[3];
    load_point(args.points, args.shared ? i : number, point);
    for (int r = 0; r < 4; ++r)
      transform_matrix_vjp(point, double(args.grad[4 * number + r]), sums + 4 * r);
  }
  for (int k = 0; k < 16; ++k) {
    const double sum = warp_inclusive_sum(sums[k]);
    if (lane_number() == 31) warp_sums[threadIdx.x / 32][k] = sum;
  }
  __syncthreads();
  if (threadIdx.x >= 16) return;
  double sum = 0.0;
  for (int warp = 0; warp < kWarps; ++warp) sum += warp_sums[warp][threadIdx.x];
  args.partial[16 * int64_t(blockIdx.x) + threadIdx.x] = sum;
}

template <typename T> __global__ void add_tiles(TransformMatricesVjpArgs<T> args) {
  const int64_t i = thread_number();
  if (i >= 16 * args.num_views) return;
  const int64_t tiles = num_tiles(args.num_verts), view = i / 16;
  double sum = 0.0;
  for (int64_t tile = 0; tile < tiles; ++tile)
    sum += args.partial[16 * (view * tiles + tile) + i % 16];
  args.grad_matrices[i] = sum;
}

template <typename T> void launch_all(const TransformArgs<T>& args,
                                      Launcher<TransformArgs<T>>& launch) {
  launch(points<T>, blocks_for(args.num_views * args.num_verts, kBlock));
}
template <typename T> void launch_all(const TransformPointsVjpArgs<T>& args,
                                      Launcher<TransformPointsVjpArgs<T>>& launch) {
  launch(points_vjp<T>, blocks_for((args.shared ? 1 : args.num_views) * args.num_verts, kBlock));
}
template <typename T> void launch_all(const TransformMatricesVjpArgs<T>& args,
                                      Launcher<TransformMatricesVjpArgs<T>>& launch) {
  launch(sum_tiles<T>, args.num_views * num_tiles(args.num_verts));
  launch(add_tiles<T>, blocks_for(16 * args.num_views, kBlock));
}

template <typename Args> int run(const Args& args, int32_t device, void* stream) {
  if (const cudaError_t error = cudaSetDevice(device)) return error;
  Launcher<Args> launch(args, stream);
  launch_all(args, launch);
  return launch.error();
}

}  // namespace
LRAST_END

namespace lrast {

template <typename T> int transform_cuda(const TransformArgs<T>& args, int32_t device,
                                         void* stream) {
  return run(args, device, stream);
}
template <typename T> int transform_cuda(const TransformPointsVjpArgs<T>& args, int32_t device,
                                         void* stream) {
  return run(args, device, stream);
}
template <typename T> int transform_cuda(const TransformMatricesVjpArgs<T>& args, int32_t device,
                                         void* stream) {
  return run(args, device, stream);
}

#define INSTANTIATE(T)                                                                \
  template int transform_cuda<T>(const TransformArgs<T>&, int32_t, void*);            \
  template int transform_cuda<T>(const TransformPointsVjpArgs<T>&, int32_t, void*);   \
  template int transform_cuda<T>(const TransformMatricesVjpArgs<T>&, int32_t, void*);
INSTANTIATE(float)
INSTANTIATE(double)

}  // namespace lrast
