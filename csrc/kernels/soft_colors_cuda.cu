// csrc/kernels/soft_colors_cuda.cu: drives soft colours over all views at once (CUDA).  See
// soft_colors.h.
#define LRAST_ISA cuda
#include "soft_color_cuda_backward.cuh"
#include "soft_color_cuda_forward.cuh"

namespace lrast {

template <typename T> int64_t soft_colors_cuda_scratch_bytes(const SoftColorsArgs<T>& args) {
  Arena arena(nullptr);
  const SoftColorsForwardWork<T> work(args, arena);
  return arena.bytes();
}

template <typename T>
int64_t soft_colors_cuda_scratch_bytes(const SoftColorsBackwardArgs<T>& args) {
  Arena arena(nullptr);
  const SoftColorsBackwardWork<T> work(args, arena);
  return arena.bytes();
}

template <typename T>
int soft_colors_cuda(const SoftColorsArgs<T>& args, uint8_t* scratch, int32_t device,
                     void* stream) {
  if (const cudaError_t error = cudaSetDevice(device)) return error;
  Arena arena(scratch);
  const SoftColorsForwardWork<T> work(args, arena);
  if (const cudaError_t error = launch_scene(work.scene, stream)) return error;
  Launcher<SoftColorsForwardWork<T>> launch(work, stream);
  launch(color_tiles<T>, work.scene.num_tiles());
  return launch.error();
}

template <typename T>
int soft_colors_cuda(const SoftColorsBackwardArgs<T>& args, uint8_t* scratch, int32_t device,
                     void* stream) {
  if (const cudaError_t error = cudaSetDevice(device)) return error;
  Arena arena(scratch);
  SoftColorsBackwardWork<T> work(args, arena);
  if (const cudaError_t error = launch_scene(work.scene, stream)) return error;
  Launcher<SoftColorsBackwardWork<T>> launch(work, stream);
  launch.set(work.verts.memory(), 0, work.verts.bytes());
  launch.set(work.colors.memory(), 0, work.colors.bytes());
  launch(sum_color_gradients<T>, work.scene.num_tiles());
  work.adds = true;
  Launcher<SoftColorsBackwardWork<T>> launch_again(work, stream);
  launch_again(sum_color_gradients<T>, work.scene.num_tiles());
  launch(store_color_gradients<T>, blocks_for(larger(work.num_verts, work.num_colors), kBlock));
  return launch.error();
}

#define INSTANTIATE(T)                                                                        \
  template int64_t soft_colors_cuda_scratch_bytes<T>(const SoftColorsArgs<T>&);               \
  template int64_t soft_colors_cuda_scratch_bytes<T>(const SoftColorsBackwardArgs<T>&);       \
  template int soft_colors_cuda<T>(const SoftColorsArgs<T>&, uint8_t*, int32_t, void*);       \
  template int soft_colors_cuda<T>(const SoftColorsBackwardArgs<T>&, uint8_t*, int32_t, void*);
INSTANTIATE(float)
INSTANTIATE(double)

}  // namespace lrast
