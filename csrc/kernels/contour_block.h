// csrc/kernels/contour_block.h: a block of views, and what is found of each (CPU).
#pragma once
#include "../core/near_plane.h"
#include "buffer.h"
#include "contour.h"

LRAST_BEGIN

/// What the front finds of one view.
struct ViewOutline {
  Buffer<ContourEdge> edges;
  Buffer<TapeCut> cuts;
  bool any_hidden = false;
  ContourStatus status{ContourStatus::kOk, 0, 0};
};

/// Consecutive views that go through the topology together; L is 1 or kViewLanes, and lanes beyond
/// `count` repeat the first view.
template <typename T, int L> struct ViewBlock {
  const ContourArgs<T>& args;
  int64_t first;
  int count;
  ViewOutline* outlines[L];

  int lanes() const { return (1 << count) - 1; }
  /// First and one past the last of the faces that a view draws, or null.
  const int64_t* face_range(int lane) const {
    return args.face_ranges ? args.face_ranges + 2 * (lane < count ? first + lane : first) : nullptr;
  }
  const T* verts(int lane) const {
    return args.verts_clip + 4 * args.topology.num_verts * (lane < count ? first + lane : first);
  }
  ClipPoint clip(int lane, int64_t vert) const { return load_clip(verts(lane) + 4 * vert); }
  /// Screen position of a visible vertex.
  ScreenPoint screen(int lane, int64_t vert) const {
    return screen_from_clip(clip(lane, vert), args.width, args.height);
  }
};

LRAST_END
