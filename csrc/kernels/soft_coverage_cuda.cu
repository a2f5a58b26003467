// csrc/kernels/soft_coverage_cuda.cu: drives soft coverage over all views at once (CUDA).  See
// soft_coverage.h.
#define LRAST_ISA cuda
#include "soft_cuda_backward.cuh"
#include "soft_cuda_forward.cuh"

LRAST_BEGIN
template <typename T> cudaError_t launch_scene(const SoftScene<T>& scene, void* stream) {
  Launcher<SoftScene<T>> launch(scene, stream);
  launch.set(scene.bits, 0, scene.zeroed_bytes);
  launch(find_perspective<T>, blocks_for(scene.num_views * scene.num_verts, kBlock));
  launch(place_faces<T>, blocks_for(scene.num_views * scene.num_faces, kBlock));
  return launch.error();
}
template cudaError_t launch_scene<float>(const SoftScene<float>&, void*);
template cudaError_t launch_scene<double>(const SoftScene<double>&, void*);

LRAST_END

namespace lrast {

template <typename T> int64_t soft_coverage_cuda_scratch_bytes(const SoftCoverageArgs<T>& args) {
  Arena arena(nullptr);
  const SoftForwardWork<T> work(args, arena);
  return arena.bytes();
}

template <typename T>
int64_t soft_coverage_cuda_scratch_bytes(const SoftCoverageBackwardArgs<T>& args) {
  Arena arena(nullptr);
  const SoftBackwardWork<T> work(args, arena);
  return arena.bytes();
}

template <typename T>
int soft_coverage_cuda(const SoftCoverageArgs<T>& args, uint8_t* scratch, int32_t device,
                       void* stream) {
  if (const cudaError_t error = cudaSetDevice(device)) return error;
  Arena arena(scratch);
  const SoftForwardWork<T> work(args, arena);
  if (const cudaError_t error = launch_scene(work.scene, stream)) return error;
  Launcher<SoftForwardWork<T>> launch(work, stream);
  launch(cover_tiles<T>, work.scene.num_tiles());
  return launch.error();
}

template <typename T>
int soft_coverage_cuda(const SoftCoverageBackwardArgs<T>& args, uint8_t* scratch, int32_t device,
                       void* stream) {
  if (const cudaError_t error = cudaSetDevice(device)) return error;
  Arena arena(scratch);
  SoftBackwardWork<T> work(args, arena);
  if (const cudaError_t error = launch_scene(work.scene, stream)) return error;
  Launcher<SoftBackwardWork<T>> launch(work, stream);
  launch.set(work.sums.memory(), 0, work.sums.bytes());
  launch(sum_gradients<T>, work.scene.num_tiles());
  work.adds = true;
  Launcher<SoftBackwardWork<T>> launch_again(work, stream);
  launch_again(sum_gradients<T>, work.scene.num_tiles());
  launch(store_gradients<T>, blocks_for(work.num_targets, kBlock));
  return launch.error();
}

#define INSTANTIATE(T)                                                                        \
  template int64_t soft_coverage_cuda_scratch_bytes<T>(const SoftCoverageArgs<T>&);           \
  template int64_t soft_coverage_cuda_scratch_bytes<T>(const SoftCoverageBackwardArgs<T>&);   \
  template int soft_coverage_cuda<T>(const SoftCoverageArgs<T>&, uint8_t*, int32_t, void*);   \
  template int soft_coverage_cuda<T>(const SoftCoverageBackwardArgs<T>&, uint8_t*, int32_t, void*);
INSTANTIATE(float)
INSTANTIATE(double)

}  // namespace lrast
