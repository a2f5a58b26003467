// csrc/kernels/contour_cuda.cu: drives the stages over all views at once (CUDA).  See contour.h.
#define LRAST_ISA cuda
#include "contour_cuda_backward.cuh"
#include "contour_cuda_front.cuh"
#include "contour_cuda_sweep.cuh"

LRAST_BEGIN
namespace {

template <typename T> cudaError_t launch_forward(const ForwardWork<T>& work) {
  const ContourCudaArgs<T>& args = work.args;
  const int64_t capacity = args.capacity;
  if (const cudaError_t error = launch_outline(work)) return error;
  Launcher<ForwardWork<T>> launch(work, args.stream);
  const int64_t most_many = capacity / (kFewPieces + 1);
  launch(cover_pixels<T>, blocks_for(capacity + most_many, kFewBlock), kFewBlock);
  if (args.needed) launch.to_host(args.needed, &work.tape.totals->needed, sizeof(Count));
  return launch.error();
}

template <typename T> cudaError_t launch_backward(const BackwardWork<T>& work) {
  const ContourCudaBackwardArgs<T>& args = work.args;
  const int64_t num_verts = args.num_views * args.num_verts;
  Launcher<BackwardWork<T>> launch(work, args.stream);
  launch.set(args.grad_verts_clip, 0, 4 * num_verts * int64_t(sizeof(T)));
  launch.set(work.latest, 0xff, num_verts * int64_t(sizeof(int32_t)));
  launch.set(work.list_end, 0, sizeof(Count));
  launch(sum_edges<T>, blocks_for(args.capacity, kBlock));
  launch(gather_vertices<T>, blocks_for(4 * args.capacity, kBlock));
  return launch.error();
}

}  // namespace

template <typename T> cudaError_t launch_outline(const ForwardWork<T>& work) {
  const ContourCudaArgs<T>& args = work.args;
  const int64_t views = args.num_views, capacity = args.capacity;
  const int64_t edge_words = work.words_per_view - work.face_words;
  const int64_t capacity_blocks = blocks_for(capacity, kBlock);
  constexpr int kWarps = kBlock / 32;

  Launcher<ForwardWork<T>> launch(work, args.stream);
  launch.set(work.tape.totals, 0, sizeof(CudaTotals));
  launch.set(work.bit_tiles, 0, work.zeroed_bytes);
  launch(project_vertices<T>, blocks_for(views * args.topology.num_verts, kBlock));
  launch(sign_faces<T>, blocks_for(views * work.face_words, kWarps));
  launch(weigh_edges<T>, blocks_for(views * edge_words, kWarps));
  launch(scan_candidates<T>, 1, kScanBlock);
  launch(list_candidates<T>, work.num_tiles);
  launch(assemble_edges<T>, capacity_blocks);
  launch(scan_pieces<T>, 1, kScanBlock);
  launch(cut_edges<T>, capacity_blocks);
  launch(scan_rows<T>, 1, kScanBlock);
  launch(fill_rows<T>, blocks_for(work.num_rows, kWarps));
  launch(hand_out_pieces<T>, capacity_blocks);
  return launch.error();
}
template cudaError_t launch_outline<float>(const ForwardWork<float>&);
template cudaError_t launch_outline<double>(const ForwardWork<double>&);

LRAST_END

namespace lrast {

template <typename T> int64_t contour_cuda_tape_bytes(int64_t capacity) {
  Arena arena(nullptr);
  const CudaTape<T> tape(arena, capacity);
  return arena.bytes();
}

template <typename T> int64_t contour_cuda_scratch_bytes(const ContourCudaArgs<T>& args) {
  Arena arena(nullptr);
  const ForwardWork<T> work(args, arena);
  return arena.bytes();
}

template <typename T>
int64_t contour_cuda_backward_scratch_bytes(const ContourCudaBackwardArgs<T>& args) {
  Arena arena(nullptr);
  const BackwardWork<T> work(args, arena);
  return arena.bytes();
}

template <typename T> int contour_cuda_forward(const ContourCudaArgs<T>& args) {
  const int64_t num_pixels = args.num_views * args.height * args.width;
  if (args.capacity < 1 || args.capacity > kMaxCapacity || num_pixels > 0x7fffffff)
    return cudaErrorInvalidValue;
  if (const cudaError_t error = cudaSetDevice(args.device)) return error;
  Arena scratch(args.scratch), tape(args.tape);
  ForwardWork<T> work(args, scratch);
  work.tape = CudaTape<T>(tape, args.capacity);
  return launch_forward(work);
}

template <typename T> int contour_cuda_backward(const ContourCudaBackwardArgs<T>& args) {
  if (args.capacity < 1 || args.capacity > kMaxCapacity) return cudaErrorInvalidValue;
  if (const cudaError_t error = cudaSetDevice(args.device)) return error;
  // The tape is only read; one set of pointers serves both directions.
  Arena scratch(args.scratch), tape(args.tape);
  BackwardWork<T> work(args, scratch);
  work.tape = CudaTape<T>(tape, args.capacity);
  return launch_backward(work);
}

const char* cuda_error_text(int error) { return cudaGetErrorString(cudaError_t(error)); }

#define INSTANTIATE(T)                                                                       \
  template int64_t contour_cuda_tape_bytes<T>(int64_t);                                      \
  template int64_t contour_cuda_scratch_bytes<T>(const ContourCudaArgs<T>&);                 \
  template int64_t contour_cuda_backward_scratch_bytes<T>(const ContourCudaBackwardArgs<T>&);\
  template int contour_cuda_forward<T>(const ContourCudaArgs<T>&);                           \
  template int contour_cuda_backward<T>(const ContourCudaBackwardArgs<T>&);
INSTANTIATE(float)
INSTANTIATE(double)

}  // namespace lrast
