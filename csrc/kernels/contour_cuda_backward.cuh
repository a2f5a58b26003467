// csrc/kernels/contour_cuda_backward.cuh: gradients of vertices, without floating-point atomics.
#pragma once
#include "contour_cuda_work.cuh"

LRAST_BEGIN

/// Stores a contribution and links it to its vertex's list, whose order is whatever comes.
template <typename T>
__device__ void contribute(const BackwardWork<T>& work, int64_t view, int32_t vert, int32_t number,
                           ClipPoint grad) {
  T* value = work.values + 4 * int64_t(number);
  value[0] = T(grad.x);
  value[1] = T(grad.y);
  value[2] = T(grad.z);
  value[3] = T(grad.w);
  work.earlier[number] = atomicExch(&work.latest[view * work.args.num_verts + vert], number);
}

/// What a screen gradient at one end means for the vertex, or vertices, that it comes from.
template <typename T>
__device__ void contribute_end(const BackwardWork<T>& work, const CudaTapeEdge& edge, int end,
                               int32_t number, ScreenPoint grad) {
  const double width = work.args.width, height = work.args.height;
  const int32_t visible = edge.visible[end], hidden = edge.hidden[end];
  const ClipPoint a = work.clip(edge.view, visible);
  if (hidden < 0) {
    contribute(work, edge.view, visible, number, screen_from_clip_vjp(a, width, height, grad));
    return;
  }
  const ClipPoint b = work.clip(edge.view, hidden);
  ClipPoint grad_a, grad_b;
  clip_at_near_vjp(a, b, screen_from_clip_vjp(clip_at_near(a, b), width, height, grad), grad_a,
                   grad_b);
  contribute(work, edge.view, visible, number, grad_a);
  contribute(work, edge.view, hidden, number + 1, grad_b);
}

/// A thread per contour edge: sums over its pieces in the order of the CPU's tape. NaN if the tape is
/// none of ours.
template <typename T>
__global__ void __launch_bounds__(kBlock) sum_edges(const BackwardWork<T> work) {
  const int64_t slot = thread_number();
  if (work.is_tape_lost()) {
    // The host cannot know without waiting, and must not go on with a zero gradient.
    const int64_t count = 4 * work.args.num_views * work.args.num_verts;
    for (int64_t i = slot; i < count; i += int64_t(gridDim.x) * blockDim.x)
      work.args.grad_verts_clip[i] = T(NAN);
    return;
  }
  if (slot >= work.num_edges()) return;
  const CudaTapeEdge edge = work.tape.edges[slot];
  double top = 0.0, bottom = 0.0;
  for (int32_t i = edge.first_piece; i < edge.first_piece + edge.num_pieces; ++i) {
    const CudaTapePiece<T> piece = work.tape.pieces[i];
    if (piece.pixel < 0) continue;
    const double grad = work.args.grad_coverage[piece.pixel];
    top += grad * piece.top;
    bottom += grad * piece.bottom;
  }
  if (top == 0.0 && bottom == 0.0) return;
  const int32_t number = int32_t(4 * slot);
  contribute_end(work, edge, 0, number, end_gradient(edge.dx, edge.dy, top));
  contribute_end(work, edge, 1, number + 2, end_gradient(edge.dx, edge.dy, bottom));
}

/// A thread per contribution. The one that heads its vertex's list adds up the list, sorted: in the
/// order in which the CPU adds.
template <typename T>
__global__ void __launch_bounds__(kBlock) gather_vertices(const BackwardWork<T> work) {
  constexpr int kShort = 8;
  const int64_t number = thread_number(), slot = number / 4;
  if (slot >= work.num_edges()) return;
  const CudaTapeEdge& edge = work.tape.edges[slot];
  const int end = int(number / 2 % 2);
  const int32_t vert = number % 2 ? edge.hidden[end] : edge.visible[end];
  if (vert < 0) return;
  const int64_t target = int64_t(edge.view) * work.args.num_verts + vert;
  if (work.latest[target] != number) return;

  int count = 0;
  for (int32_t i = int32_t(number); i >= 0; i = work.earlier[i]) ++count;
  int32_t few[kShort];
  int32_t* list = few;
  // Lists take their place in any order; the sums don't depend on it.
  if (count > kShort) list = work.list + atomicAdd(work.list_end, Count(count));
  count = 0;
  for (int32_t i = int32_t(number); i >= 0; i = work.earlier[i]) list[count++] = i;
  sort_numbers(list, count, Ascending());

  T sum[4] = {T(0), T(0), T(0), T(0)};
  for (int i = 0; i < count; ++i)
    for (int k = 0; k < 4; ++k) sum[k] += work.values[4 * int64_t(list[i]) + k];
  for (int k = 0; k < 4; ++k) work.args.grad_verts_clip[4 * target + k] = sum[k];
}

LRAST_END
