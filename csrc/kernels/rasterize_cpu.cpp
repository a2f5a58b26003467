// csrc/kernels/rasterize_cpu.cpp: drives the rasterizer over views.  Compiled per ISA level.
#include "rasterize.h"

#include "../core/fragment.h"
#include "../core/raster.h"
#include "buffer.h"
#include "parallel.h"

LRAST_BEGIN
namespace {

struct Workspace {
  Buffer<RasterPoint> points;
  Buffer<int64_t> nearest;  // (H, W, L), sorted
};

template <typename T> ClipPoint clip_point(const T* verts, int64_t vert) {
  return load_clip(verts + 4 * vert);
}

template <typename T>
RasterizeStatus forward_view(const RasterizeArgs<T>& args, int64_t view) {
  static thread_local Workspace space;
  const double width = args.width, height = args.height;
  const T* verts = args.verts_clip + (args.shared ? 0 : 4 * args.num_verts * view);
  const int64_t begin = args.face_ranges ? args.face_ranges[2 * view] : 0;
  const int64_t end = args.face_ranges ? args.face_ranges[2 * view + 1] : args.num_faces;
  for (int64_t f = begin; f < end; ++f)
    for (int i = 0; i < 3; ++i)
      if (uint32_t(args.faces[3 * f + i]) >= uint64_t(args.num_verts))
        return {RasterizeStatus::kBadFace, view, f};
  bool flat = true;
  for (int64_t f = begin; f < end && flat; ++f)
    for (int i = 0; i < 3; ++i)
      flat &= verts[4 * int64_t(args.faces[3 * f + i]) + 3] ==
              verts[4 * int64_t(args.faces[3 * begin]) + 3];
  space.points.resize(args.num_verts);
  RasterPoint* points = space.points.data();
  for (int64_t v = 0; v < args.num_verts; ++v) {
    const ClipPoint p = clip_point(verts, v);
    points[v] = place_raster_vertex(p, width, height, flat);
    if (points[v].x != points[v].x && !is_hidden(points[v])) {
      const bool finite = is_finite(p.x) && is_finite(p.y) && is_finite(p.z) && is_finite(p.w);
      return {finite && p.w <= 0.0 ? RasterizeStatus::kNotInFront : RasterizeStatus::kNotFinite,
              view, v};
    }
  }
  const int64_t num_pixels = int64_t(args.height) * args.width;
  const int layers = args.num_layers;
  space.nearest.resize(num_pixels * layers);
  int64_t* nearest = space.nearest.data();
  for (int64_t i = 0; i < num_pixels * layers; ++i) nearest[i] = kNoFragment;
  for (int64_t f = begin; f < end; ++f) {
    const int32_t* corner = args.faces + 3 * f;
    ClipPoint corners[3];
    RasterPoint placed[3];
    for (int i = 0; i < 3; ++i) {
      corners[i] = clip_point(verts, corner[i]);
      placed[i] = points[corner[i]];
    }
    const RasterFace face = make_raster_face(corners, placed, width, height, flat, args.cull);
    if (face.unplaced >= 0)
      return {RasterizeStatus::kNotInFront, view, corner[face.unplaced]};
    if (face.count == 0) continue;
    double x0 = INFINITY, y0 = INFINITY, x1 = -INFINITY, y1 = -INFINITY;
    for (int i = 0; i < face.count; ++i)
      for (const ScreenPoint& p : face.triangle[i].corner) {
        x0 = smaller(x0, p.x);
        x1 = larger(x1, p.x);
        y0 = smaller(y0, p.y);
        y1 = larger(y1, p.y);
      }
    for (int row = pixel_begin(y0, args.height); row < pixel_end(y1, args.height); ++row)
      for (int column = pixel_begin(x0, args.width); column < pixel_end(x1, args.width); ++column) {
        const ScreenPoint centre{column + 0.5, row + 0.5};
        int which = 0;
        if (!covers(face, centre, which)) continue;
        double key;
        key_at(face.triangle[which].plane, centre.x, centre.y, key);
        int64_t fragment = visibility(float(key), int32_t(f));
        int64_t* at = nearest + (int64_t(row) * args.width + column) * layers;
        for (int layer = 0; layer < layers; ++layer)
          if (fragment > at[layer]) {
            const int64_t behind = at[layer];
            at[layer] = fragment;
            fragment = behind;
          }
      }
  }
  for (int layer = 0; layer < layers; ++layer)
    for (int64_t pixel = 0; pixel < num_pixels; ++pixel) {
      const int64_t at = (view * layers + layer) * num_pixels + pixel;
      const int32_t f = face_of(nearest[pixel * layers + layer]);
      args.face_idx[at] = f;
      Fragment out{};
      if (f >= 0) {
        ClipPoint corners[3];
        for (int i = 0; i < 3; ++i)
          corners[i] = clip_point(verts, args.faces[3 * int64_t(f) + i]);
        out = fragment_at(fragment_corners(corners), ndc_of_column(int(pixel % args.width), width),
                          ndc_of_row(int(pixel / args.width), height));
      }
      for (int i = 0; i < 3; ++i) args.bary[3 * at + i] = T(out.bary[i]);
      args.depth[at] = T(out.depth);
    }
  return {RasterizeStatus::kOk, 0, 0};
}

template <typename T> RasterizeStatus forward(const RasterizeArgs<T>& args) {
  for (int64_t view = 0; args.face_ranges && view < args.num_views; ++view) {
    const int64_t* range = args.face_ranges + 2 * view;
    if (range[0] < 0 || range[1] < range[0] || range[1] > args.num_faces)
      return {RasterizeStatus::kBadRange, view, 0};
  }
  try {
    for (int64_t view = 0; view < args.num_views; ++view) {
      const RasterizeStatus status = forward_view(args, view);
      if (status.code != RasterizeStatus::kOk) return status;
    }
  } catch (const std::bad_alloc&) {
    return {RasterizeStatus::kNoMemory, 0, 0};
  }
  return {RasterizeStatus::kOk, 0, 0};
}

template <typename T> RasterizeStatus::Code backward(const RasterizeBackwardArgs<T>& args) {
  const int64_t num_pixels = int64_t(args.height) * args.width;
  for (int64_t at = 0; at < args.num_views * args.num_layers * num_pixels; ++at) {
    const int64_t f = args.face_idx[at];
    if (f < 0) continue;
    const int64_t view = at / (num_pixels * args.num_layers), pixel = at % num_pixels;
    const int64_t offset = args.shared ? 0 : 4 * args.num_verts * view;
    ClipPoint corners[3];
    for (int i = 0; i < 3; ++i)
      corners[i] = clip_point(args.verts_clip + offset, args.faces[3 * f + i]);
    double grad_bary[3] = {};
    for (int i = 0; args.grad_bary && i < 3; ++i) grad_bary[i] = args.grad_bary[3 * at + i];
    FragmentCorners<double> grad{};
    fragment_vjp(fragment_corners(corners), ndc_of_column(int(pixel % args.width), args.width),
                 ndc_of_row(int(pixel / args.width), args.height), grad_bary,
                 args.grad_depth ? double(args.grad_depth[at]) : 0.0, grad);
    for (int i = 0; i < 3; ++i) {
      T* out = args.grad_verts_clip + offset + 4 * int64_t(args.faces[3 * f + i]);
      out[0] += T(grad.x[i]);
      out[1] += T(grad.y[i]);
      out[3] += T(grad.w[i]);
    }
  }
  return RasterizeStatus::kOk;
}

}  // namespace
LRAST_END

namespace lrast {
const RasterizeKernels LRAST_JOIN(rasterize_kernels, LRAST_ISA){
    forward<float>, forward<double>, backward<float>, backward<double>};
}
