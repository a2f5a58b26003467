// csrc/kernels/rasterize_cuda.cu: drives the stages over all views at once (CUDA).  See rasterize.h.
#define LRAST_ISA cuda
#include "rasterize_cuda_backward.cuh"
#include "rasterize_cuda_draw.cuh"

namespace lrast {

template <typename T> int64_t rasterize_cuda_scratch_bytes(const RasterizeArgs<T>& args) {
  Arena arena(nullptr);
  const RasterWork<T> work(args, arena);
  return arena.bytes();
}

template <typename T> int64_t rasterize_cuda_scratch_bytes(const RasterizeBackwardArgs<T>& args) {
  Arena arena(nullptr);
  const RasterBackwardWork<T> work(args, arena);
  return arena.bytes();
}

template <typename T>
int rasterize_cuda(const RasterizeArgs<T>& args, uint8_t* scratch, int32_t device, void* stream) {
  if (const cudaError_t error = cudaSetDevice(device)) return error;
  Arena arena(scratch);
  const RasterWork<T> work(args, arena);
  const int64_t face_blocks = args.num_views * work.blocks_per_view;
  Launcher<RasterWork<T>> launch(work, stream);
  launch.set(work.nearest, 0, work.zeroed_bytes);
  launch.set(work.some_w, 0xff, args.num_views * int64_t(sizeof(Count)));
  launch(find_deep_views<T>, face_blocks, kDrawBlock);
  launch(draw_faces<T>, face_blocks, kDrawBlock);
  if (face_blocks > 0) launch(draw_queue<T>, work.num_large_blocks(), kDrawBlock);
  launch(resolve_fragments<T>, blocks_for(work.num_fragments, kBlock));
  return launch.error();
}

template <typename T>
int rasterize_cuda(const RasterizeBackwardArgs<T>& args, uint8_t* scratch, int32_t device,
                   void* stream) {
  if (const cudaError_t error = cudaSetDevice(device)) return error;
  Arena arena(scratch);
  const RasterBackwardWork<T> work(args, arena);
  Launcher<RasterBackwardWork<T>> launch(work, stream);
  launch.set(work.sums.memory(), 0, work.sums.bytes());
  launch(bound_corners<T>, blocks_for(work.num_fragments, kBlock));
  launch(add_corners<T>, blocks_for(work.num_fragments, kBlock));
  launch(store_verts<T>, blocks_for(work.num_verts, kBlock));
  return launch.error();
}

#define INSTANTIATE(T)                                                                         \
  template int64_t rasterize_cuda_scratch_bytes<T>(const RasterizeArgs<T>&);                   \
  template int64_t rasterize_cuda_scratch_bytes<T>(const RasterizeBackwardArgs<T>&);           \
  template int rasterize_cuda<T>(const RasterizeArgs<T>&, uint8_t*, int32_t, void*);           \
  template int rasterize_cuda<T>(const RasterizeBackwardArgs<T>&, uint8_t*, int32_t, void*);
INSTANTIATE(float)
INSTANTIATE(double)

}  // namespace lrast
