// csrc/kernels/antialias_cuda.cu: drives the stages over all views at once (CUDA).  See antialias.h.
#define LRAST_ISA cuda
#include "antialias_cuda_backward.cuh"
#include "antialias_cuda_forward.cuh"

LRAST_BEGIN
namespace {

template <typename T>
cudaError_t launch_forward(const AntialiasForwardWork<T>& work, int64_t* needed) {
  const AntialiasScene<T>& scene = work.scene;
  const int64_t pixels = scene.num_views * scene.num_pixels, capacity = scene.capacity;
  if (const cudaError_t error = launch_outline(work.outline)) return error;
  Launcher<AntialiasForwardWork<T>> launch(work, work.outline.args.stream);
  launch.set(scene.tape.is_deep, 0, scene.num_views * int64_t(sizeof(int32_t)));
  launch.set(work.some_w, 0xff, scene.num_views * int64_t(sizeof(Count)));
  launch(find_depths<T>, blocks_for(scene.num_views * scene.first.num_faces, kBlock));
  if (work.plain) launch(find_plain<T>, blocks_for(pixels, kBlock));
  launch(mark_pairs<T>, blocks_for(pixels, kBlock));
  const int64_t most_many = capacity / (kFewPieces + 1);
  launch(cover_pixels<T>, blocks_for(capacity + most_many, kFewBlock), kFewBlock);
  launch(blend_pixels<T>, blocks_for(capacity + pixels, kFewBlock), kFewBlock);
  if (needed) launch.to_host(needed, &scene.tape.totals->needed, sizeof(Count));
  return launch.error();
}

template <typename T> cudaError_t launch_backward(AntialiasBackwardWork<T> work, void* stream) {
  const int64_t pixels = work.scene.num_views * work.scene.num_pixels;
  Launcher<AntialiasBackwardWork<T>> launch(work, stream);
  work.adds = true;
  Launcher<AntialiasBackwardWork<T>> launch_again(work, stream);
  launch.set(work.sums.memory(), 0, work.sums.bytes());
  const int64_t blocks = blocks_for(work.scene.capacity + pixels, kFewBlock);
  launch(sum_pixels<T>, blocks, kFewBlock);
  if (work.args.grad_verts_clip) {
    launch_again(sum_pixels<T>, blocks, kFewBlock);
    launch(store_verts<T>, blocks_for(work.num_targets, kBlock));
  }
  if (work.args.grad_image) launch(gather_image<T>, blocks_for(pixels, kBlock));
  return launch.error();
}

bool fits(int64_t num_views, int32_t height, int32_t width, int64_t capacity) {
  return capacity >= 1 && capacity <= kMaxCapacity && num_views * height * width <= 0x7fffffff;
}

}  // namespace
LRAST_END

namespace lrast {

int64_t antialias_cuda_tape_bytes(int64_t num_views, int32_t height, int32_t width,
                                  int64_t capacity) {
  Arena arena(nullptr);
  const AntialiasCudaTape tape(arena, num_views, int64_t(height) * width, capacity);
  return arena.bytes();
}

template <typename T> int64_t antialias_cuda_scratch_bytes(const AntialiasCudaArgs<T>& args) {
  Arena arena(nullptr), unused(nullptr);
  const AntialiasCudaTape tape(unused, 0, 0, 0);
  const AntialiasForwardWork<T> work(args, arena, tape);
  return arena.bytes();
}

template <typename T>
int64_t antialias_cuda_backward_scratch_bytes(const AntialiasCudaBackwardArgs<T>& args) {
  Arena arena(nullptr), unused(nullptr);
  const AntialiasCudaTape tape(unused, 0, 0, 0);
  const AntialiasBackwardWork<T> work(args, arena, tape);
  return arena.bytes();
}

template <typename T> int antialias_cuda_forward(const AntialiasCudaArgs<T>& args) {
  const AntialiasArgs<T>& op = args.op;
  if (!fits(op.num_views, op.height, op.width, args.capacity)) return cudaErrorInvalidValue;
  if (const cudaError_t error = cudaSetDevice(args.device)) return error;
  Arena scratch(args.scratch), memory(args.tape);
  const AntialiasCudaTape tape(memory, op.num_views, int64_t(op.height) * op.width, args.capacity);
  return launch_forward(AntialiasForwardWork<T>(args, scratch, tape), args.needed);
}

template <typename T> int antialias_cuda_backward(const AntialiasCudaBackwardArgs<T>& args) {
  const AntialiasBackwardArgs<T>& op = args.op;
  if (!fits(op.num_views, op.height, op.width, args.capacity)) return cudaErrorInvalidValue;
  if (const cudaError_t error = cudaSetDevice(args.device)) return error;
  // The tape is only read; one set of pointers serves both directions.
  Arena scratch(args.scratch), memory(args.tape);
  const AntialiasCudaTape tape(memory, op.num_views, int64_t(op.height) * op.width, args.capacity);
  return launch_backward(AntialiasBackwardWork<T>(args, scratch, tape), args.stream);
}

#define INSTANTIATE(T)                                                                        \
  template int64_t antialias_cuda_scratch_bytes<T>(const AntialiasCudaArgs<T>&);              \
  template int64_t antialias_cuda_backward_scratch_bytes<T>(const AntialiasCudaBackwardArgs<T>&); \
  template int antialias_cuda_forward<T>(const AntialiasCudaArgs<T>&);                        \
  template int antialias_cuda_backward<T>(const AntialiasCudaBackwardArgs<T>&);
INSTANTIATE(float)
INSTANTIATE(double)

}  // namespace lrast
