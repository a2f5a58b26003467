// csrc/kernels/interpolate_cuda.cu: a few lanes per pixel, or a warp's sums per face.  See
// interpolate.h.
#define LRAST_ISA cuda
#include "interpolate_cuda.h"

#include "fixed_sum.cuh"

LRAST_BEGIN
namespace {

/// Lanes side by side share a pixel, each taking every 2^log2_lanes-th of its channels.
template <typename Args> struct PixelWork {
  Args args;
  int log2_lanes;

  __device__ int64_t pixel() const { return thread_number() >> log2_lanes; }
  __device__ int lane() const { return int(threadIdx.x) & ((1 << log2_lanes) - 1); }
  int64_t num_blocks() const {
    const int64_t pixels = args.layout.num_views * args.layout.num_pixels;
    return blocks_for(pixels << log2_lanes, kBlock);
  }
};

template <typename T>
__global__ void __launch_bounds__(kBlock) blend_rows(const PixelWork<InterpolateArgs<T>> work) {
  const InterpolateArgs<T>& args = work.args;
  const int64_t pixel = work.pixel();
  if (pixel >= args.layout.num_views * args.layout.num_pixels) return;
  const int channels = args.layout.num_channels, lanes = 1 << work.log2_lanes;
  const int32_t face = args.layout.face_idx[pixel];
  T* out = args.out + pixel * channels;
  int64_t rows[3];
  if (face == -1 || corner_rows(args.layout, face, rows) != InterpolateStatus::kOk) {
    const T nothing = face == -1 ? T(0) : T(NAN);
    for (int c = work.lane(); c < channels; c += lanes) out[c] = nothing;
    return;
  }
  const T* attrs = attrs_at(args, pixel);
  const T *a = attrs + rows[0] * channels, *b = attrs + rows[1] * channels,
          *c = attrs + rows[2] * channels;
  for (int i = work.lane(); i < channels; i += lanes)
    blend(a[i], b[i], c[i], args.bary + 3 * pixel, out[i]);
}

/// Four lanes per pixel, one for each of the sums that blend_weight_vjp() adds up.
template <typename T>
__global__ void __launch_bounds__(kBlock)
    weights_vjp(const PixelWork<InterpolateBaryVjpArgs<T>> work) {
  const InterpolateBaryVjpArgs<T>& args = work.args;
  const int64_t pixel = work.pixel();
  const int channels = args.layout.num_channels;
  // Lanes without a pixel stay: the sums are handed around by whole warps.
  const bool is_pixel = pixel < args.layout.num_views * args.layout.num_pixels;
  const int32_t face = is_pixel ? args.layout.face_idx[pixel] : -1;
  int64_t rows[3] = {0, 0, 0};
  const bool good =
      face != -1 && corner_rows(args.layout, face, rows) == InterpolateStatus::kOk;
  T sums[3] = {T(0), T(0), T(0)};
  if (good) {
    const T *attrs = attrs_at(args, pixel), *grad = args.grad + pixel * channels;
    for (int c = work.lane(); c < channels; c += 4)
      for (int corner = 0; corner < 3; ++corner)
        sums[corner] += grad[c] * attrs[rows[corner] * channels + c];
  }
  const int first = lane_number() & ~3;
  for (int corner = 0; corner < 3; ++corner) {
    const T pair = sums[corner] + __shfl_sync(kWholeWarp, sums[corner], (lane_number() | 1));
    const T sum = pair + __shfl_sync(kWholeWarp, pair, first + 2);
    if (is_pixel && work.lane() == 0) args.grad_bary[3 * pixel + corner] = sum;
  }
}

template <typename T> struct RowsWork {
  InterpolateAttrsVjpArgs<T> args;
  int64_t num_pixels, num_targets;
  FixedSums<T> sums;  // (attributes,)

  RowsWork(const InterpolateAttrsVjpArgs<T>& a, Arena& scratch)
      : args(a),
        num_pixels(a.layout.num_views * a.layout.num_pixels),
        num_targets((a.layout.shared ? 1 : a.layout.num_views) * a.layout.num_rows *
                    a.layout.num_channels),
        // A face may name a vertex three times.
        sums(scratch, num_targets, 3 * (a.layout.shared ? num_pixels : a.layout.num_pixels)) {}
};

/// Calls visit(target, value) for what each warp's pixels of one face add to each attribute.
template <typename T, typename Visit>
__device__ void visit_contributions(const RowsWork<T>& work, Visit visit) {
  const InterpolateLayout& layout = work.args.layout;
  const int64_t pixel = thread_number();
  const bool is_pixel = pixel < work.num_pixels;
  const int32_t face = is_pixel ? layout.face_idx[pixel] : -1;
  const int64_t view = layout.shared || !is_pixel ? 0 : pixel / layout.num_pixels;
  int64_t rows[3];
  const bool good =
      face != -1 && corner_rows(layout, face, rows) == InterpolateStatus::kOk;
  if (!__ballot_sync(kWholeWarp, good)) return;
  const WarpPeers peers(Count(view) << 32 | uint32_t(good ? face : -1));
  const T* grad = work.args.grad + pixel * layout.num_channels;
  double weights[3] = {0.0, 0.0, 0.0};
  for (int corner = 0; good && corner < 3; ++corner) {
    weights[corner] = double(work.args.bary[3 * pixel + corner]);
    rows[corner] = (view * layout.num_rows + rows[corner]) * layout.num_channels;
  }
  for (int c = 0; c < layout.num_channels; ++c) {
    const double grad_here = good ? double(grad[c]) : 0.0;
    for (int corner = 0; corner < 3; ++corner) {
      const double sum = peers.sum(grad_here * weights[corner]);
      if (good && peers.leads()) visit(rows[corner] + c, sum);
    }
  }
}

template <typename T>
__global__ void __launch_bounds__(kBlock) bound_rows(const RowsWork<T> work) {
  visit_contributions(work, [&](int64_t target, double value) { work.sums.bound(target, value); });
}
template <typename T>
__global__ void __launch_bounds__(kBlock) add_rows(const RowsWork<T> work) {
  visit_contributions(work, [&](int64_t target, double value) { work.sums.add(target, value); });
}
template <typename T>
__global__ void __launch_bounds__(kBlock) store_rows(const RowsWork<T> work) {
  const int64_t i = thread_number();
  if (i < work.num_targets) work.args.grad_attrs[i] = work.sums.total(i);
}

template <typename Kernel, typename Args>
int run(Kernel* kernel, const Args& args, int log2_lanes, int32_t device, void* stream) {
  if (const cudaError_t error = cudaSetDevice(device)) return error;
  const PixelWork<Args> work{args, log2_lanes};
  Launcher<PixelWork<Args>> launch(work, stream);
  launch(kernel, work.num_blocks());
  return launch.error();
}

}  // namespace
LRAST_END

namespace lrast {

template <typename T>
int interpolate_cuda(const InterpolateArgs<T>& args, int32_t device, void* stream) {
  int log2_lanes = 0;
  while (log2_lanes < 5 && 1 << log2_lanes < args.layout.num_channels) ++log2_lanes;
  return run(blend_rows<T>, args, log2_lanes, device, stream);
}

template <typename T>
int interpolate_cuda(const InterpolateBaryVjpArgs<T>& args, int32_t device, void* stream) {
  return run(weights_vjp<T>, args, 2, device, stream);
}

template <typename T>
int interpolate_cuda(const InterpolateAttrsVjpArgs<T>& args, uint8_t* scratch, int32_t device,
                     void* stream) {
  if (const cudaError_t error = cudaSetDevice(device)) return error;
  Arena arena(scratch);
  const RowsWork<T> work(args, arena);
  Launcher<RowsWork<T>> launch(work, stream);
  launch.set(work.sums.memory(), 0, work.sums.bytes());
  launch(bound_rows<T>, blocks_for(work.num_pixels, kBlock));
  launch(add_rows<T>, blocks_for(work.num_pixels, kBlock));
  launch(store_rows<T>, blocks_for(work.num_targets, kBlock));
  return launch.error();
}

template <typename T> int64_t interpolate_cuda_scratch_bytes(int64_t num_attributes) {
  Arena arena(nullptr);
  const FixedSums<T> sums(arena, num_attributes, 1);
  return arena.bytes();
}

#define INSTANTIATE(T)                                                                          \
  template int interpolate_cuda<T>(const InterpolateArgs<T>&, int32_t, void*);                  \
  template int interpolate_cuda<T>(const InterpolateBaryVjpArgs<T>&, int32_t, void*);           \
  template int interpolate_cuda<T>(const InterpolateAttrsVjpArgs<T>&, uint8_t*, int32_t, void*);\
  template int64_t interpolate_cuda_scratch_bytes<T>(int64_t);
INSTANTIATE(float)
INSTANTIATE(double)

}  // namespace lrast
