// csrc/kernels/outline_rows.cpp
#include "outline_rows.h"

#include <math.h>

#include "parallel.h"

LRAST_BEGIN
namespace {

struct Point3 { double x, y, z; };

Point3 load_point(const double* p) { return {p[0], p[1], p[2]}; }
double row_times(const double* row, Point3 p) {
  return row[0] * p.x + row[1] * p.y + row[2] * p.z + row[3];
}

/// The distance at a point of the image, bilinear between pixel centres, held beyond the outermost.
/// NaN next to pixels that know none, and -infinity where there is nothing to be near to.
double sampled(const float* image, int height, int width, double x, double y) {
  const double u = clamped(x - 0.5, 0.0, width - 1.0), v = clamped(y - 0.5, 0.0, height - 1.0);
  const int column = int(smaller(floor(u), larger(width - 2.0, 0.0)));
  const int row = int(smaller(floor(v), larger(height - 2.0, 0.0)));
  const int right = width > 1 ? 1 : 0, below = height > 1 ? width : 0;
  const float* at = image + int64_t(row) * width + column;
  const double corners[4] = {at[0], at[right], at[below], at[below + right]};
  for (const double corner : corners)
    if (!(corner < INFINITY)) return NAN;
  for (const double corner : corners)
    if (corner == -INFINITY) return corner;
  const double fx = u - column, fy = v - row;
  return (1.0 - fy) * ((1.0 - fx) * corners[0] + fx * corners[1]) +
         fy * ((1.0 - fx) * corners[2] + fx * corners[3]);
}

/// A vertex in a view: its depth w, and how the position along a screen direction follows it.
struct Seen { double w; Point3 gradient; };

Seen see_vertex(const double* clip, Point3 p, double nx, double ny, double width, double height) {
  const double w = row_times(clip + 12, p), inv = 1.0 / w;
  const double x = row_times(clip, p) * inv, y = row_times(clip + 4, p) * inv;
  const double to_x = 0.5 * width * nx * inv, to_y = -0.5 * height * ny * inv;
  const auto along = [&](int i) {
    return to_x * (clip[i] - x * clip[12 + i]) + to_y * (clip[4 + i] - y * clip[12 + i]);
  };
  return {w, {along(0), along(1), along(2)}};
}

void fill_row(const OutlineRowsArgs& args, int64_t i) {
  const int64_t view = args.view[i];
  const double distance = sampled(args.distances + view * args.height * args.width, args.height,
                                  args.width, args.point[2 * i], args.point[2 * i + 1]);
  const double residual = isnan(distance) ? distance : clamped(distance, -args.clip_px, args.clip_px);
  const double size = fabs(residual);
  args.residual[i] = residual;
  args.weight[i] = args.length[i] * args.view_weights[view] *
                   (size > args.huber_px ? args.huber_px / size : 1.0);
  const double* clip = args.clip_from_world + 16 * view;
  const double t = args.t[i], nx = args.normal[2 * i], ny = args.normal[2 * i + 1];
  const Point3 a = load_point(args.verts + 3 * int64_t(args.piece_verts[2 * i]));
  const Point3 b = load_point(args.verts + 3 * int64_t(args.piece_verts[2 * i + 1]));
  const Seen seen_a = see_vertex(clip, a, nx, ny, args.width, args.height);
  const Seen seen_b = see_vertex(clip, b, nx, ny, args.width, args.height);
  double* out = args.jacobian + 6 * i;
  out[0] = (1.0 - t) * seen_a.gradient.x;
  out[1] = (1.0 - t) * seen_a.gradient.y;
  out[2] = (1.0 - t) * seen_a.gradient.z;
  out[3] = t * seen_b.gradient.x;
  out[4] = t * seen_b.gradient.y;
  out[5] = t * seen_b.gradient.z;
  // t runs evenly over the screen; on the edge itself the nearer end gets less of it.
  const double of_a = (1.0 - t) * seen_b.w, of_b = t * seen_a.w, share = of_b / (of_a + of_b);
  args.point_world[3 * i] = a.x + share * (b.x - a.x);
  args.point_world[3 * i + 1] = a.y + share * (b.y - a.y);
  args.point_world[3 * i + 2] = a.z + share * (b.z - a.z);
}

}  // namespace
LRAST_END

namespace lrast {

int fill_outline_rows(const OutlineRowsArgs& args) {
  constexpr int kNoMemory = 3;
  try {
    parallel_chunks(args.num_pieces, num_chunks(args.num_pieces, args.num_threads),
                    args.num_threads, [&](int, int64_t begin, int64_t end) {
                      for (int64_t i = begin; i < end; ++i) fill_row(args, i);
                    });
  } catch (const std::bad_alloc&) {
    return kNoMemory;
  }
  return 0;
}

}  // namespace lrast
