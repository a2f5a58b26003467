// csrc/kernels/antialias_crossing.h: where surfaces of neighbouring pixels intersect (CPU, CUDA).
#pragma once
#include <string.h>

#include "antialias_picture.h"

LRAST_BEGIN

LRAST_HD bool share_vertex(const int32_t* a, const int32_t* b) {
  bool shared = false;
  for (int i = 0; i < 3; ++i) shared |= (a[i] == b[0]) | (a[i] == b[1]) | (a[i] == b[2]);
  return shared;
}

/// The line from a pixel's centre to that of the next one, to the right or down, and the slice of
/// the mesh by the plane through it and the eye. Homogeneous, so that faces that reach behind the
/// camera are no special case.
template <typename View> struct PixelLine {
  const View& view;
  int row, column;
  bool rightwards;

  /// Corners of a face: along the line and off it, times w; w; key times w.
  struct Corner { double along, off, w, key_w; };
  LRAST_HD void corners_of(int32_t face, Corner* out) const {
    ClipPoint p[3];
    view.corners_of(face, p);
    for (int j = 0; j < 3; ++j) {
      const HomogeneousPoint h =
          around_pixel(p[j], view.width, view.height, column + 0.5, row + 0.5);
      out[j] = {rightwards ? h.x : h.y, rightwards ? h.y : h.x, h.w, view.flat ? -p[j].z : 1.0};
    }
  }
};

/// A surface along a line: face i reaches from position[i] to position[i + 1].
struct SurfaceSlice {
  static constexpr int kMost = 64;
  int count = 0;  // of faces
  int32_t face[kMost];
  double position[kMost + 1], key[kMost + 1];
};

enum class Follow { kDone, kMeets, kTooFar };

/// Follows the surface from a face in steps of `direction` (1 or -1) to position `end`, or as far as
/// it goes. kMeets: it leads to a face that touches `goal`.
template <typename View>
LRAST_HD_LONG Follow follow_surface(const PixelLine<View>& line, int32_t face, int32_t goal,
                               double direction, double start, double end, SurfaceSlice& slice) {
  using Corner = typename PixelLine<View>::Corner;
  const int32_t* const faces = line.view.faces;
  int came_from = -1;
  slice.position[0] = start;
  for (;;) {
    const int32_t* const corner = faces + 3 * int64_t(face);
    if (share_vertex(corner, faces + 3 * int64_t(goal))) return Follow::kMeets;
    if (slice.count == SurfaceSlice::kMost) return Follow::kTooFar;
    Corner p[3];
    line.corners_of(face, p);
    int exit = -1;
    double exit_position = direction * slice.position[slice.count], exit_key = 0.0;
    for (int j = 0; j < 3; ++j) {
      const Corner a = p[j], b = p[j == 2 ? 0 : j + 1];
      if (j == came_from || (a.off > 0.0) == (b.off > 0.0)) continue;
      const double t = a.off / (a.off - b.off);
      const double inv_w = 1.0 / (a.w + t * (b.w - a.w));
      const double position = (a.along + t * (b.along - a.along)) * inv_w;
      if (!(inv_w > 0.0) || !(direction * position > exit_position)) continue;
      exit_position = direction * position;
      exit_key = (a.key_w + t * (b.key_w - a.key_w)) * inv_w;
      exit = j;
    }
    if (exit < 0) return Follow::kDone;  // it turns back
    slice.face[slice.count++] = face;
    slice.position[slice.count] = direction * exit_position;
    slice.key[slice.count] = exit_key;
    if (exit_position >= direction * end) return Follow::kDone;
    const int32_t next = line.view.neighbors[3 * int64_t(face) + exit];
    if (next < 0 || line.view.is_left_out(next)) return Follow::kDone;
    const int32_t from = corner[exit], to = corner[exit == 2 ? 0 : exit + 1];
    const int32_t* const entered = faces + 3 * int64_t(next);
    for (int j = 0; j < 3; ++j) {
      const int32_t a = entered[j], b = entered[j == 2 ? 0 : j + 1];
      if ((a == from && b == to) || (a == to && b == from)) came_from = j;
    }
    face = next;
  }
}

/// Key of a slice's face i at a position.
LRAST_HD double key_in_slice(const SurfaceSlice& slice, int i, double position) {
  const double span = slice.position[i + 1] - slice.position[i];
  const double t = span != 0.0 ? (position - slice.position[i]) / span : 0.0;
  return slice.key[i] + t * (slice.key[i + 1] - slice.key[i]);
}

/// Where the surface that is in front at 0 falls behind the one that is in front at 1, and which
/// faces do. False if they do not meet where both are.
LRAST_HD bool find_meeting(const SurfaceSlice& from, const SurfaceSlice& back, int& i, int& j,
                           double& position) {
  if (from.count == 0 || back.count == 0) return false;
  const double end = smaller(from.position[from.count], 1.0);
  position = larger(back.position[back.count], 0.0);
  if (!(position < end)) return false;
  i = 0;
  j = back.count - 1;
  while (from.position[i + 1] <= position && i + 1 < from.count) ++i;
  double lead = key_in_slice(from, i, position) - key_in_slice(back, j, position);
  if (!(lead > 0.0)) return false;
  for (;;) {
    // Both are linear up to the next position at which either goes on to another face.
    const double next = smaller(smaller(from.position[i + 1], back.position[j]), end);
    const double next_lead = key_in_slice(from, i, next) - key_in_slice(back, j, next);
    if (next_lead < 0.0) {
      position += (next - position) * (lead / (lead - next_lead));
      return true;
    }
    if (next >= end) return false;
    if (from.position[i + 1] <= next) ++i;
    if (back.position[j] <= next) --j;
    if (i >= from.count || j < 0) return false;
    position = next;
    lead = next_lead;
  }
}

/// Looks for an intersection between what a pixel and the next one show. A look at the planes of
/// the two faces rules out most pairs; then both surfaces are followed towards each other.
template <typename View>
LRAST_HD bool find_crossing_of_pair(const View& view, int row, int column, bool rightwards,
                                    Crossing& near, Crossing& far) {
  constexpr double kBeyond = 1.0;  // px, by which planes may cut before or after
  const int next_row = row + !rightwards, next_column = column + rightwards;
  const int32_t face = view.face_at(row, column), other = view.face_at(next_row, next_column);
  if (share_vertex(view.faces + 3 * int64_t(face), view.faces + 3 * int64_t(other))) return false;
  const FaceKey a = view.key_of(face, row, column), b = view.key_of(other, row, column);
  const double lead = a.center - b.center;
  const double change = rightwards ? b.x - a.x : b.y - a.y;
  if (!(change > 0.0 && lead > -kBeyond * change && lead < (1.0 + kBeyond) * change)) return false;
  const PixelLine<View> line{view, row, column, rightwards};
  SurfaceSlice from, back;
  from.key[0] = a.center;
  back.key[0] = b.center + (rightwards ? b.x : b.y);
  if (follow_surface(line, face, other, 1.0, 0.0, 1.0, from) != Follow::kDone ||
      follow_surface(line, other, face, -1.0, 1.0, 0.0, back) != Follow::kDone)
    return false;
  int i, j;
  double t;
  if (!find_meeting(from, back, i, j, t)) return false;
  near = {row, column, rightwards ? 5 : 7, from.face[i], back.face[j], t};
  far = {next_row, next_column, rightwards ? 3 : 1, back.face[j], from.face[i], 1.0 - t};
  return true;
}

LRAST_END
