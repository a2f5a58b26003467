// csrc/kernels/soft_gather.h: from gradients of faces in tiles to gradients of vertices (CPU).
#pragma once
#include "soft_backward.h"

LRAST_BEGIN

/// Gradients of the corners of a face's visible part, screen.
struct FaceSums { ScreenPoint at[kMaxSides]; };

/// Scratch of a view.
template <typename T> struct GatherSpace {
  Buffer<CornerGradients<T>> gradients;  // as front.tile_faces
  Buffer<FaceSums> faces;                // (F,), over the bands so far
  Buffer<ScreenPoint> screen;            // per vertex
  Buffer<ClipPoint> clip;                // per vertex, of faces cut at the near plane
};

inline void add_point(ClipPoint& sum, ClipPoint p) {
  sum = {sum.x + p.x, sum.y + p.y, sum.z + p.z, sum.w + p.w};
}

/// Adds the gradients of a face that is cut at the near plane to those of its vertices.
template <typename T>
void add_cut_face(const SoftView<T>& view, const SoftFront& front, const int32_t* face,
                  const ScreenPoint* grads, Buffer<ClipPoint>& sums) {
  ClipPoint clip[3];
  ScreenPoint polygon[kMaxSides];
  PolygonCorner corners[kMaxSides];
  int unplaced;
  const int sides = polygon_of_face(view, front.screen.data(), face, clip, polygon, corners,
                                    unplaced);
  for (int k = 0; k < sides; ++k) {
    const PolygonCorner c = corners[k];
    const ClipPoint from = clip[c.from];
    if (c.to < 0) {
      add_point(sums[face[c.from]],
                screen_from_clip_vjp(from, view.width, view.height, grads[k]));
      continue;
    }
    ClipPoint grad_from, grad_to;
    clip_at_near_vjp(from, clip[c.to],
                     screen_from_clip_vjp(clip_at_near(from, clip[c.to]), view.width, view.height,
                                          grads[k]),
                     grad_from, grad_to);
    add_point(sums[face[c.from]], grad_from);
    add_point(sums[face[c.to]], grad_to);
  }
}

/// Sums over a band's tiles, in order, so that the bits do not depend on threads.
template <typename T>
void add_band(const SoftView<T>& view, const SoftFront& front, GatherSpace<T>& space) {
  for (int64_t i = 0; i < view.num_faces; ++i) {
    const int sides = front.faces[i].sides;
    ScreenPoint* const sums = space.faces[i].at;
    for (int64_t j = front.face_begin[i]; j < front.face_begin[i + 1]; ++j) {
      const CornerGradients<T>& grads = space.gradients[front.face_places[j]];
      for (int k = 0; k < sides; ++k) {
        sums[k].x += grads.at[2 * k];
        sums[k].y += grads.at[2 * k + 1];
      }
    }
  }
}

/// Sums over faces, in order.
template <typename T>
void gather_gradients(const SoftView<T>& view, const SoftFront& front, GatherSpace<T>& space,
                      T* grad_verts_clip) {
  space.screen.zero(view.num_verts);
  space.clip.zero(view.num_verts);
  for (int64_t i = 0; i < view.num_faces; ++i) {
    const int sides = front.faces[i].sides;
    if (sides == 0) continue;
    const ScreenPoint* const sums = space.faces[i].at;
    const int32_t* face = view.faces + 3 * i;
    bool whole = true;
    for (int k = 0; k < 3; ++k) whole = whole && !is_hidden(front.screen[face[k]]);
    if (!whole) {
      add_cut_face(view, front, face, sums, space.clip);
      continue;
    }
    for (int k = 0; k < 3; ++k) {
      space.screen[face[k]].x += sums[k].x;
      space.screen[face[k]].y += sums[k].y;
    }
  }
  for (int64_t v = 0; v < view.num_verts; ++v) {
    ClipPoint grad = space.clip[v];
    const ScreenPoint screen = space.screen[v];
    if (screen.x != 0.0 || screen.y != 0.0)
      add_point(grad, screen_from_clip_vjp(load_clip(view.verts + 4 * v), view.width, view.height,
                                           screen));
    T* out = grad_verts_clip + 4 * v;
    out[0] = T(grad.x);
    out[1] = T(grad.y);
    out[2] = T(grad.z);
    out[3] = T(grad.w);
  }
}

LRAST_END
