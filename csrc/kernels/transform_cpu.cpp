// csrc/kernels/transform_cpu.cpp: loops over blocks of points and views.  Compiled per ISA level.
#include "transform.h"

#include <string.h>

#include "parallel.h"

LRAST_BEGIN
namespace {

constexpr int64_t kBlock = kTransformBlock;

// Vectors of the compiler: four components at once at every ISA level. Left to itself it takes the
// sums apart across points, at three times the cost. Functions take them by reference, because how
// they are passed by value depends on the level.
typedef double Double4 __attribute__((vector_size(32)));
typedef float Float4 __attribute__((vector_size(16)));

inline void load(const double* from, Double4& to) { memcpy(&to, from, sizeof(to)); }
inline void store(const Double4& from, double* to) { memcpy(to, &from, sizeof(from)); }
inline void store(const Double4& from, float* to) {
  const Float4 narrow = __builtin_convertvector(from, Float4);
  memcpy(to, &narrow, sizeof(narrow));
}

inline void load_rows(const double* matrix, Double4* rows) {
  for (int r = 0; r < 4; ++r) load(matrix + 4 * r, rows[r]);
}
inline void transpose(Double4* matrix) {
  const Double4 m[4] = {matrix[0], matrix[1], matrix[2], matrix[3]};
  for (int r = 0; r < 4; ++r)
    for (int c = 0; c < 4; ++c) matrix[c][r] = m[r][c];
}

int64_t num_blocks(int64_t num_verts) { return (num_verts + kBlock - 1) / kBlock; }

/// Calls body(block, begin, end) for each block of points.
template <typename Body>
void over_blocks(int64_t num_views, int64_t num_verts, int threads, Body&& body) {
  const int64_t blocks = num_blocks(num_verts);
  const int chunks = int(smaller<int64_t>(num_chunks(num_views * num_verts, threads), blocks));
  parallel_chunks(blocks, chunks, threads, [&](int, int64_t first, int64_t last) {
    for (int64_t block = first; block < last; ++block)
      body(block, block * kBlock, smaller((block + 1) * kBlock, num_verts));
  });
}

/// `count` numbers as doubles, in `buffer` unless they are that already. Widening a block ahead of
/// its use takes whole registers, and later loads repeat a number across one for free.
inline const double* as_double(const double* numbers, int64_t, double*) { return numbers; }
inline const double* as_double(const float* numbers, int64_t count, double* buffer) {
  for (int64_t i = 0; i < count; ++i) buffer[i] = numbers[i];
  return buffer;
}

template <typename T> void points(const TransformArgs<T>& args) {
  over_blocks(args.num_views, args.num_verts, args.num_threads,
              [&args](int64_t, int64_t begin, int64_t end) {
    double buffer[3 * kBlock];
    const double* block = nullptr;
    const int64_t count = end - begin;
    for (int64_t view = 0; view < args.num_views; ++view) {
      const int64_t first = view * args.num_verts + begin;
      if (view == 0 || !args.shared)
        block = as_double(args.points + 3 * (args.shared ? begin : first), 3 * count, buffer);
      Double4 columns[4];
      load_rows(args.matrices + 16 * view, columns);
      transpose(columns);
      T* out = args.out + 4 * first;
      for (int64_t i = 0; i < count; ++i) {
        Double4 result;
        transform_point(columns, block + 3 * i, result);
        store(result, out + 4 * i);
      }
    }
  });
}

template <typename T> void points_vjp(const TransformPointsVjpArgs<T>& args) {
  const int64_t num_sums = args.shared ? 1 : args.num_views;
  const int64_t num_summed = args.shared ? args.num_views : 1;
  over_blocks(args.num_views, args.num_verts, args.num_threads,
              [&](int64_t, int64_t begin, int64_t end) {
    Double4 sums[kBlock];
    double buffer[4 * kBlock];
    const int64_t count = end - begin;
    for (int64_t i = 0; i < num_sums; ++i) {
      memset(sums, 0, size_t(count) * sizeof(Double4));
      for (int64_t view = i; view < i + num_summed; ++view) {
        Double4 rows[4];
        load_rows(args.matrices + 16 * view, rows);
        const int64_t first = view * args.num_verts + begin;
        const double* grad = as_double(args.grad + 4 * first, 4 * count, buffer);
        for (int64_t k = 0; k < count; ++k) transform_point_vjp(rows, grad + 4 * k, sums[k]);
      }
      T* out = args.grad_points + 3 * (i * args.num_verts + begin);
      for (int64_t k = 0; k < count; ++k)
        for (int c = 0; c < 3; ++c) out[3 * k + c] = T(sums[k][c]);
    }
  });
}

template <typename T> void matrices_vjp(const TransformMatricesVjpArgs<T>& args) {
  over_blocks(args.num_views, args.num_verts, args.num_threads,
              [&args](int64_t number, int64_t begin, int64_t end) {
    double point_buffer[3 * kBlock], grad_buffer[4 * kBlock];
    const double* block = nullptr;
    const int64_t count = end - begin;
    for (int64_t view = 0; view < args.num_views; ++view) {
      const int64_t first = view * args.num_verts + begin;
      if (view == 0 || !args.shared)
        block = as_double(args.points + 3 * (args.shared ? begin : first), 3 * count, point_buffer);
      const double* grad = as_double(args.grad + 4 * first, 4 * count, grad_buffer);
      Double4 sums[4] = {};
      for (int64_t i = 0; i < count; ++i) {
        Double4 lanes;
        load(grad + 4 * i, lanes);
        transform_matrix_vjp(block + 3 * i, lanes, sums);
      }
      transpose(sums);
      double* partial = args.partial + 16 * (number * args.num_views + view);
      for (int r = 0; r < 4; ++r) store(sums[r], partial + 4 * r);
    }
  });
  const int64_t size = 16 * args.num_views;
  memset(args.grad_matrices, 0, size_t(size) * sizeof(double));
  for (int64_t block = 0; block < num_blocks(args.num_verts); ++block)
    for (int64_t i = 0; i < size; ++i) args.grad_matrices[i] += args.partial[block * size + i];
}

}  // namespace
LRAST_END

namespace lrast {
const TransformKernels LRAST_JOIN(transform_kernels, LRAST_ISA){
    points<float>,      points<double>,      points_vjp<float>,
    points_vjp<double>, matrices_vjp<float>, matrices_vjp<double>};
}
