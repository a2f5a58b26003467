// csrc/kernels/antialias_crossing.h: where surfaces of neighbouring pixels intersect (CPU).
#pragma once
#include "antialias_view.h"

LRAST_BEGIN

inline bool share_vertex(const int32_t* a, const int32_t* b) {
  bool shared = false;
  for (int i = 0; i < 3; ++i) shared |= (a[i] == b[0]) | (a[i] == b[1]) | (a[i] == b[2]);
  return shared;
}

/// Whether the surface leads from the face at a pixel to one that touches `goal`, along the line to
/// the next pixel: right if `across` is the neighbour to the right, else down. Follows the slice of
/// the mesh by the plane through that line and the eye, in homogeneous coordinates, so that faces
/// reaching behind the camera are no special case.
template <typename T>
bool is_connected(const AntialiasView<T>& view, int32_t face, int32_t goal, int row, int column,
                  bool rightwards) {
  // Finer meshes than this many faces between two pixels count as connected.
  constexpr int kMostSteps = 64;
  constexpr double kSlack = 1e-6;
  double position = -1e300;
  int came_from = -1;
  for (int step = 0; step < kMostSteps; ++step) {
    const int32_t* corner = view.faces + 3 * int64_t(face);
    if (share_vertex(corner, view.faces + 3 * int64_t(goal))) return true;
    HomogeneousPoint p[3];
    for (int j = 0; j < 3; ++j)
      p[j] = around_pixel(load_clip(view.verts + 4 * int64_t(corner[j])), view.width, view.height,
                          column + 0.5, row + 0.5);
    int exit = -1;
    double farthest = position - kSlack;
    for (int j = 0; j < 3; ++j) {
      if (j == came_from) continue;
      const HomogeneousPoint a = p[j], b = p[j == 2 ? 0 : j + 1];
      const double side_a = rightwards ? a.y : a.x, side_b = rightwards ? b.y : b.x;
      if ((side_a > 0.0) == (side_b > 0.0)) continue;
      const double t = side_a / (side_a - side_b);
      const double w = a.w + t * (b.w - a.w);
      const double along = rightwards ? a.x + t * (b.x - a.x) : a.y + t * (b.y - a.y);
      if (w > 0.0 && along / w > farthest) {
        farthest = along / w;
        exit = j;
      }
    }
    if (exit < 0 || farthest > 1.0 + kSlack) return false;
    const int32_t next = view.neighbors[3 * int64_t(face) + exit];
    if (next < 0) return false;
    const int32_t begin = corner[exit], end = corner[exit == 2 ? 0 : exit + 1];
    const int32_t* entered = view.faces + 3 * int64_t(next);
    came_from = -1;
    for (int j = 0; j < 3; ++j) {
      const int32_t a = entered[j], b = entered[j == 2 ? 0 : j + 1];
      if ((a == begin && b == end) || (a == end && b == begin)) came_from = j;
    }
    position = farthest;
    face = next;
  }
  return true;
}

/// Whether a piece of this pixel crosses the half of a centre line that starts at the pixel's
/// centre, in front of `key`.
template <typename T>
bool is_cut_off(const AntialiasView<T>& view, const PixelPieces* pixel, const Piece* pieces,
                int row, bool horizontal, bool positive, double key) {
  if (!pixel) return false;
  for (int i = 0; i < pixel->count; ++i) {
    const Piece& p = pieces[pixel->begin + i];
    double x = 0.5, y = 0.5;
    if (horizontal) {
      if (!(p.y0 <= 0.5 && 0.5 < p.y1)) continue;
      x = piece_x_at(p, 0.5);
      if ((x >= 0.5) != positive) continue;
    } else {
      if ((p.x0 >= 0.5) == (p.x1 >= 0.5)) continue;
      y = p.y0 + (p.y1 - p.y0) * ((0.5 - p.x0) / (p.x1 - p.x0));
      if ((y >= 0.5) != positive) continue;
    }
    if (view.key_on_edge(view.edges[p.edge], pixel->column + x, row + y) > key) return true;
  }
  return false;
}


/// Looks for an intersection between a pixel and its neighbour to the right or below. Of two
/// surfaces, each in front at its own pixel, the planes of the faces cut at `t` on the way. On
/// curved surfaces they may do so a little beyond one of the centres.
template <typename T>
bool find_crossing_of_pair(const AntialiasView<T>& view, int row, int column, bool rightwards,
                           const RowPixels& here, const RowPixels& next, double& t) {
  constexpr double kBeyond = 0.25;
  const int next_row = row + !rightwards, next_column = column + rightwards;
  const int32_t face = view.face_at(row, column), other = view.face_at(next_row, next_column);
  if (share_vertex(view.faces + 3 * int64_t(face), view.faces + 3 * int64_t(other))) return false;
  const FaceKey a = view.key_of(face, row, column), b = view.key_of(other, row, column);
  const double at_other_a = a.center + (rightwards ? a.x : a.y);
  const double at_other_b = b.center + (rightwards ? b.x : b.y);
  const double lead = a.center - b.center, lead_there = at_other_a - at_other_b;
  const double change = lead - lead_there;
  if (!(change > 0.0 && lead > -kBeyond * change && lead_there < kBeyond * change)) return false;
  const double key = smaller(a.center, at_other_b);
  if (is_cut_off(view, find_pixel(here.begin, here.end, column), here.pieces, row, rightwards, true,
                 key) ||
      is_cut_off(view, find_pixel(next.begin, next.end, next_column), next.pieces, next_row,
                 rightwards, false, key) ||
      is_connected(view, face, other, row, column, rightwards))
    return false;
  t = lead / change;
  return true;
}

/// Pairs of a pixel and the next one that show two different faces, as a byte each; those where
/// nothing could change are left out.
template <typename T>
void mask_pairs(const AntialiasView<T>& view, int row, bool rightwards, uint8_t* mask) {
  const int count = view.width - rightwards;
  const int32_t* const face = view.face_idx + int64_t(row) * view.width;
  const int32_t* const other = face + (rightwards ? 1 : view.width);
  for (int i = 0; i < count; ++i)
    mask[i] = uint8_t((face[i] != other[i]) & (face[i] >= 0) & (other[i] >= 0));
  if (!view.plain) return;
  const uint8_t* const plain = view.plain + int64_t(row) * view.width;
  const uint8_t* const other_plain = plain + (rightwards ? 1 : view.width);
  for (int i = 0; i < count; ++i) mask[i] &= uint8_t(1 - (plain[i] & other_plain[i]));
}

/// Intersections between pixels of a row, and between them and those of the next row.
template <typename T>
void find_crossings(const AntialiasView<T>& view, int row, const RowPixels& here,
                    const RowPixels& next, RowChunk<T>& chunk) {
  chunk.mask.resize(view.width + 8);
  uint8_t* const mask = chunk.mask.data();
  for (int pass = 0; pass < 2; ++pass) {
    const bool rightwards = pass == 0;
    if (!rightwards && row + 1 == view.height) break;
    const int count = view.width - rightwards;
    mask_pairs(view, row, rightwards, mask);
    for (int i = 0; i < 8; ++i) mask[count + i] = 0;
    for (int column = 0; column < count; ++column) {
      uint64_t eight;
      memcpy(&eight, mask + column, 8);
      if (eight == 0) {
        column += 7;
        continue;
      }
      double t;
      if (!mask[column] || !find_crossing_of_pair(view, row, column, rightwards, here,
                                                  rightwards ? here : next, t))
        continue;
      const int next_row = row + !rightwards, next_column = column + rightwards;
      const Crossing near{row, column, rightwards ? 5 : 7, view.face_at(next_row, next_column), t};
      const Crossing far{next_row, next_column, rightwards ? 3 : 1, view.face_at(row, column),
                         1.0 - t};
      chunk.crossings.push(near);
      (rightwards ? chunk.crossings : chunk.below).push(far);
    }
  }
}

LRAST_END
