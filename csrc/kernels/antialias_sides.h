// csrc/kernels/antialias_sides.h: which pixels show what lies on the sides of a border (CPU, CUDA).
#pragma once
#include "../core/pixel_union.h"
#include "antialias_crossing.h"

LRAST_BEGIN

LRAST_HD int row_of(int neighbor) { return neighbor / 3 - 1; }
LRAST_HD int column_of(int neighbor) { return neighbor % 3 - 1; }

/// A pixel and its neighbours: the faces that they show, and the planes of those.
template <typename View> struct PixelWindow {
  using T = typename View::Number;
  static constexpr int32_t kOutside = -2;
  const View& view;
  int row, column;
  int32_t face[9];
  FaceKey key[9];
  bool known[9];

  LRAST_HD PixelWindow(const View& view, int row, int column)
      : view(view), row(row), column(column) {
    for (int j = 0; j < 9; ++j) {
      const int r = row + row_of(j), c = column + column_of(j);
      const bool inside = r >= 0 && r < view.height && c >= 0 && c < view.width;
      face[j] = inside ? view.face_at(r, c) : kOutside;
      known[j] = false;
    }
  }
  /// Plane of the face that neighbour j shows, around the centre of this pixel.
  LRAST_HD const FaceKey& key_of(int j) {
    if (!known[j]) {
      key[j] = view.key_of(face[j], row, column);
      known[j] = true;
    }
    return key[j];
  }
  LRAST_HD const T* colour(int j) const {
    const int64_t pixel = int64_t(row + row_of(j)) * view.width + column + column_of(j);
    return view.image + pixel * view.channels;
  }
};

/// The middle of a piece, its key, and the normal towards the surface that ends there.
struct PieceMiddle {
  double x, y, key, normal_x, normal_y;  // in the pixel's own frame
};

template <typename View>
LRAST_HD_LONG PieceMiddle middle_of(const PixelWindow<View>& window, const Piece& piece) {
  const ContourEdge& e = window.view.edges[piece.edge];
  const double x = 0.5 * (piece.x0 + piece.x1), y = 0.5 * (piece.y0 + piece.y1);
  const double to_right = piece.weight > 0 ? 1.0 : -1.0;
  return {x, y, key_on_edge(window.view, piece.edge, window.column + x, window.row + y),
          to_right * (e.y1 - e.y0), -to_right * (e.x1 - e.x0)};
}

/// Neighbours that show the surface at an edge and what lies beyond it, or -1.
struct PieceSides { int near, beyond; };

/// Whether neighbour j shows the same surface as neighbour i. It bends away from the planes of its
/// faces, so that those meet in between.
template <typename View>
LRAST_HD_LONG bool is_same_surface(PixelWindow<View>& window, int i, int j) {
  constexpr double kSlack = 0.125;  // px, by which a surface may be off
  const int32_t* const faces = window.view.faces;
  if (share_vertex(faces + 3 * int64_t(window.face[i]), faces + 3 * int64_t(window.face[j])))
    return true;
  const FaceKey& key = window.key_of(i);
  const FaceKey& other = window.key_of(j);
  const auto lead_at = [&](int at) {
    return key_at(other, column_of(at), row_of(at)) - key_at(key, column_of(at), row_of(at));
  };
  const double slope =
      sqrt(key.x * key.x + key.y * key.y) + sqrt(other.x * other.x + other.y * other.y);
  const double slack = kSlack * slope + 0x1p-40 * fabs(key.center);
  return lead_at(i) >= -slack && lead_at(j) <= slack;
}

struct Direction { double x, y; };  // of any length

/// How far a neighbour leads in a direction, for its distance: the next in its row or column most.
LRAST_HD double lead_along(int neighbor, Direction direction) {
  const double dx = column_of(neighbor), dy = row_of(neighbor);
  return (direction.x * dx + direction.y * dy) / (dx * dx + dy * dy);
}

/// From a piece towards the surface that ends there, or away from it.
template <typename View>
LRAST_HD Direction across(const PixelWindow<View>& window, const Piece& piece, bool to_right) {
  const ContourEdge& e = window.view.edges[piece.edge];
  if (to_right) return {e.y1 - e.y0, e.x0 - e.x1};
  return {e.y0 - e.y1, e.x1 - e.x0};
}

/// A piece is visible if a pixel beyond it shows something farther away. Both colours come from
/// pixels near the middle of the piece, among those whose surface, extended to there by its plane,
/// lies at its depth, or behind it: that beyond from the nearest, the other from the pixel itself, or
/// else from that most nearly in the direction of `inwards` or its opposite, which is one for all
/// pieces of a pixel, so that one neighbour stands for one surface. A surface bends away at a fold, by
/// as much as its plane falls on the way; of those in front by more, one will do if there is no better.
template <typename View>
LRAST_HD_LONG PieceSides find_sides(PixelWindow<View>& window, const PieceMiddle& middle,
                                    Direction inwards) {
  constexpr double kReach = 1.3;  // px, to the centre of a pixel that stands for a side
  constexpr double kSlack = 0.25; // px, by which a surface may be off
  // Keys of a face parallel to the picture are equal but for rounding.
  const double rounding = 0x1p-40 * fabs(middle.key);
  PieceSides sides{-1, -1};
  const double agrees = inwards.x * middle.normal_x + inwards.y * middle.normal_y;
  if (agrees < 0.0) inwards = {-inwards.x, -inwards.y};
  double near_lead = 0.0, beyond_distance = kReach;
  bool at_depth = false;
  for (int j = 0; j < 9; ++j) {
    if (window.face[j] < 0) continue;
    const double dx = column_of(j) + 0.5 - middle.x, dy = row_of(j) + 0.5 - middle.y;
    const double distance = sqrt(dx * dx + dy * dy);
    if (distance >= kReach) continue;
    const bool is_near = dx * middle.normal_x + dy * middle.normal_y > 0.0;
    const FaceKey& key = window.key_of(j);
    const double lead = key_at(key, middle.x - 0.5, middle.y - 0.5) - middle.key;
    if (!is_near) {
      if (!(lead < -rounding) || distance >= beyond_distance) continue;
      beyond_distance = distance;
      sides.beyond = j;
      continue;
    }
    const double slope = sqrt(key.x * key.x + key.y * key.y);
    const bool here = lead <= (distance + kSlack) * slope + rounding;
    if (!(lead >= -kSlack * slope - rounding) || here < at_depth) continue;
    const double along = j == kOwn ? HUGE_VAL : lead_along(j, inwards);
    if (here == at_depth && sides.near >= 0 && !(along > near_lead)) continue;
    at_depth = here;
    near_lead = along;
    sides.near = j;
  }
  // Planes of faces seen at a grazing angle say little about depth; that they go on says more.
  const double own_x = 0.5 - middle.x, own_y = 0.5 - middle.y;
  if (sides.near >= 0 && sides.near != kOwn && window.face[kOwn] >= 0 &&
      own_x * middle.normal_x + own_y * middle.normal_y > 0.0 &&
      is_same_surface(window, kOwn, sides.near))
    sides.near = kOwn;
  return sides;
}

/// The longest visible piece of the outline in a pixel.
template <typename Chunk>
LRAST_HD const Piece& longest_of_outline(const PixelPieces& pixel, const Chunk& chunk) {
  double longest = -1.0;
  int64_t found = pixel.begin;
  for (int64_t i = pixel.begin; i < pixel.begin + pixel.count; ++i) {
    const double dy = chunk.visible[i].dy, dx = dy * chunk.pieces[i].dx_dy;
    if (!(dx * dx + dy * dy > longest)) continue;
    longest = dx * dx + dy * dy;
    found = i;
  }
  return chunk.pieces[found];
}

/// The longest piece in a pixel.
template <typename Chunk>
LRAST_HD const Piece& longest_of(const PixelPieces& pixel, const Chunk& chunk) {
  double longest = -1.0;
  int64_t found = pixel.begin;
  for (int64_t i = pixel.begin; i < pixel.begin + pixel.count; ++i) {
    const Piece& piece = chunk.pieces[i];
    const double dx = piece.x1 - piece.x0, dy = piece.y1 - piece.y0;
    if (!(dx * dx + dy * dy > longest)) continue;
    longest = dx * dx + dy * dy;
    found = i;
  }
  return chunk.pieces[found];
}

/// The neighbour most nearly in direction (x, y) that shows the object, or the background; -1 if
/// there is none.
template <typename View>
LRAST_HD_LONG int find_towards(const PixelWindow<View>& window, double x, double y, bool object) {
  int found = -1;
  double best = 0.0;
  for (int j = 0; j < 9; ++j) {
    if (window.face[j] == PixelWindow<View>::kOutside || (window.face[j] >= 0) != object) continue;
    const double dx = column_of(j), dy = row_of(j);
    const double along = (x * dx + y * dy) / sqrt(dx * dx + dy * dy);
    if (found >= 0 && !(along > best)) continue;
    found = j;
    best = along;
  }
  return found;
}

/// The neighbour that shows the object at a piece of the outline, or -1.
template <typename View>
LRAST_HD int find_rim(PixelWindow<View>& window, const PieceMiddle& middle, Direction inwards) {
  const int near = find_sides(window, middle, inwards).near;
  if (near >= 0) return near;
  return window.face[kOwn] >= 0 ? kOwn : find_towards(window, middle.normal_x, middle.normal_y, true);
}

/// The longest border of the surface at the pixel's centre, and whether that surface is to the right
/// of it; where the outline passes, the longest piece of that. Null if there is none.
template <typename Chunk>
LRAST_HD const Piece* longest_of_own(const PixelPieces* pixel, bool outline, const Chunk& chunk,
                                     bool& right) {
  const Piece* found = nullptr;
  if (outline) {
    found = &longest_of_outline(*pixel, chunk);
    right = found->weight > 0;
    return found;
  }
  double longest = 0.0;
  for (int64_t i = 0; i < chunk.borders.size(); ++i) {
    const Border border = chunk.borders[i];
    if (border.left != kOwn && border.right != kOwn) continue;
    const Piece& piece = chunk.pieces[border.piece];
    const double dx = piece.x1 - piece.x0, dy = piece.y1 - piece.y0;
    if (!(dx * dx + dy * dy > longest)) continue;
    longest = dx * dx + dy * dy;
    found = &piece;
    right = border.right == kOwn;
  }
  return found;
}

/// The neighbour that shows more of the surface at the pixel's centre, away from its border; -1 if
/// none does.
template <typename View, typename Chunk>
LRAST_HD_LONG int find_inner(PixelWindow<View>& window, const PixelPieces* pixel, bool outline,
                             const Chunk& chunk) {
  bool right = false;
  const Piece* const piece = longest_of_own(pixel, outline, chunk, right);
  if (!piece) return -1;
  const Direction inwards = across(window, *piece, right);
  bool other[9] = {};  // known to show another surface
  for (;;) {
    int found = -1;
    double best = 0.0;
    for (int j = 0; j < 9; ++j) {
      if (j == kOwn || window.face[j] < 0 || other[j]) continue;
      const double along = lead_along(j, inwards);
      if (!(along > best)) continue;
      found = j;
      best = along;
    }
    // To compare surfaces takes longest: mostly the first will do.
    if (found < 0 || is_same_surface(window, kOwn, found)) return found;
    other[found] = true;
  }
}

LRAST_END
