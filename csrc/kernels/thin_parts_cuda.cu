// csrc/kernels/thin_parts_cuda.cu: a thread per pixel, per edge of each view, and per pixel again.
// See thin_parts.h.
#define LRAST_ISA cuda
#include "thin_parts_cuda.h"

#include "cuda_block.cuh"

LRAST_BEGIN
namespace {

template <typename T> LRAST_HD int64_t num_pixels(const ThinPartsArgs<T>& args) {
  return args.num_views * args.height * args.width;
}

template <typename T>
__global__ void __launch_bounds__(kBlock) mark_thin(const ThinPartsArgs<T> args) {
  const int64_t pixel = thread_number();
  if (pixel < num_pixels(args)) args.nearest[pixel] = is_thin(args, pixel) ? 0 : kNotThin;
}

template <typename T>
__global__ void __launch_bounds__(kBlock) offer_edges(const ThinPartsArgs<T> args) {
  const int64_t thread = thread_number();
  if (thread >= args.num_views * args.topology.num_edges) return;
  const ThinView<T> view{args, thread / args.topology.num_edges};
  uint64_t* const nearest = args.nearest + view.view * args.height * args.width;
  // What is thin stays so, whatever others write.
  offer_edge(
      view, thread % args.topology.num_edges,
      [&](int64_t pixel) { return relaxed_load(nearest[pixel]) != kNotThin; },
      [&](int64_t pixel, uint64_t word) {
        atomicMax(reinterpret_cast<Count*>(nearest + pixel), Count(word));
      });
}

template <typename T>
__global__ void __launch_bounds__(kBlock) resolve_pixels(const ThinPartsArgs<T> args) {
  const int64_t pixel = thread_number();
  if (pixel < num_pixels(args)) resolve_thin(args, pixel);
}

}  // namespace
LRAST_END

namespace lrast {

template <typename T>
int thin_parts_cuda(const ThinPartsArgs<T>& args, int32_t device, void* stream) {
  if (const cudaError_t error = cudaSetDevice(device)) return error;
  Launcher<ThinPartsArgs<T>> launch(args, stream);
  launch(mark_thin<T>, blocks_for(num_pixels(args), kBlock));
  launch(offer_edges<T>, blocks_for(args.num_views * args.topology.num_edges, kBlock));
  launch(resolve_pixels<T>, blocks_for(num_pixels(args), kBlock));
  return launch.error();
}

template int thin_parts_cuda<float>(const ThinPartsArgs<float>&, int32_t, void*);
template int thin_parts_cuda<double>(const ThinPartsArgs<double>&, int32_t, void*);

}  // namespace lrast
