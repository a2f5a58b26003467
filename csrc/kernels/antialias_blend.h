// csrc/kernels/antialias_blend.h: colours of the pixels that outlines and intersections pass (CPU).
#pragma once
#include "antialias_view.h"

LRAST_BEGIN

inline int row_of(int neighbor) { return neighbor / 3 - 1; }
inline int column_of(int neighbor) { return neighbor % 3 - 1; }

/// A pixel and its neighbours: the faces that they show, and the planes of those.
template <typename T> struct PixelWindow {
  static constexpr int32_t kOutside = -2;
  const AntialiasView<T>& view;
  int row, column;
  int32_t face[9];
  FaceKey key[9];
  bool known[9];

  PixelWindow(const AntialiasView<T>& view, int row, int column)
      : view(view), row(row), column(column) {
    for (int j = 0; j < 9; ++j) {
      const int r = row + row_of(j), c = column + column_of(j);
      const bool inside = r >= 0 && r < view.height && c >= 0 && c < view.width;
      face[j] = inside ? view.face_at(r, c) : kOutside;
      known[j] = false;
    }
  }
  /// Plane of the face that neighbour j shows, around the centre of this pixel.
  const FaceKey& key_of(int j) {
    if (!known[j]) {
      key[j] = view.key_of(face[j], row, column);
      known[j] = true;
    }
    return key[j];
  }
  const T* colour(int j) const {
    const int64_t pixel = int64_t(row + row_of(j)) * view.width + column + column_of(j);
    return view.image + pixel * view.channels;
  }
};

/// The middle of a piece, its key, and the normal towards the surface that ends there.
struct PieceMiddle {
  double x, y, key, normal_x, normal_y;  // in the pixel's own frame
};

template <typename T> PieceMiddle middle_of(const PixelWindow<T>& window, const Piece& piece) {
  const ContourEdge& e = window.view.edges[piece.edge];
  const double x = 0.5 * (piece.x0 + piece.x1), y = 0.5 * (piece.y0 + piece.y1);
  const double to_right = piece.weight > 0 ? 1.0 : -1.0;
  return {x, y, window.view.key_on_edge(e, window.column + x, window.row + y),
          to_right * (e.y1 - e.y0), -to_right * (e.x1 - e.x0)};
}

/// Neighbours that show the surface at an edge and what lies beyond it, or -1.
struct PieceSides { int near, beyond; };

/// A piece is visible if a pixel beyond it shows something farther away. Both colours come from the
/// pixel that is nearest to the middle of the piece, among those whose surface, extended to there by
/// its plane, lies at its depth, or behind it. A surface bends away at a fold, by as much as its
/// plane falls on the way; of those in front by more, the nearest will do if there is no better.
template <typename T>
PieceSides find_sides(PixelWindow<T>& window, const PieceMiddle& middle) {
  constexpr double kReach = 1.3;  // px, to the centre of a pixel that stands for a side
  constexpr double kSlack = 0.25; // px, by which a surface may be off
  PieceSides sides{-1, -1};
  double near_distance = kReach, beyond_distance = kReach;
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
      if (!(lead < 0.0) || distance >= beyond_distance) continue;
      beyond_distance = distance;
      sides.beyond = j;
      continue;
    }
    const double slope = sqrt(key.x * key.x + key.y * key.y);
    const bool here = lead <= (distance + kSlack) * slope;
    if (!(lead >= -kSlack * slope) || here < at_depth) continue;
    if (here == at_depth && distance >= near_distance) continue;
    at_depth = here;
    near_distance = distance;
    sides.near = j;
  }
  return sides;
}

/// Weights of d (something) / d edge at its two ends, as the tape keeps them.
template <typename T>
void piece_weights(const ContourEdge& e, int row, VisibleSpan span, T& top, T& bottom) {
  double at_top, at_bottom;
  end_weights(e, row, span, at_top, at_bottom);
  top = T(at_top);
  bottom = T(at_bottom);
}

/// Adds the surfaces that visible edges inside the object separate. Returns how many edges did.
template <typename T>
int add_jumps(PixelWindow<T>& window, const PixelPieces& pixel, RowChunk<T>& chunk, double* weight,
              uint32_t& used) {
  int count = 0;
  for (int64_t i = pixel.begin; i < pixel.begin + pixel.count; ++i) {
    const Piece& piece = chunk.pieces[i];
    const double height = piece.y1 - piece.y0;
    // A piece of the outline, at least for its larger part, has the background beyond it.
    if (height <= 0.0 || fabs(chunk.visible[i].dy) >= 0.5 * height) continue;
    const PieceSides sides = find_sides(window, middle_of(window, piece));
    if (sides.near < 0 || sides.beyond < 0) continue;
    const int right = piece.weight > 0 ? sides.near : sides.beyond;
    const int left = piece.weight > 0 ? sides.beyond : sides.near;
    const double area = area_beyond(piece);
    weight[right] += area;
    weight[left] -= area;
    used |= 1u << left | 1u << right;
    ++count;
    if (!window.view.record) continue;
    const ContourEdge& e = window.view.edges[piece.edge];
    InnerJump<T> jump{};
    jump.edge = piece.edge;
    jump.left = int8_t(left);
    jump.right = int8_t(right);
    VisibleSpan span{0.0, 0.0};
    see(span, 1, piece.y0, piece.y1);
    piece_weights(e, window.row, span, jump.top, jump.bottom);
    if (piece.y0 == e.y0 - window.row) jump.sweep_top = T(-width_beyond(piece.x0));
    if (piece.y1 == e.y1 - window.row) jump.sweep_bottom = T(width_beyond(piece.x1));
    chunk.jumps.push(jump);
  }
  return count;
}

/// Adds the surface on the other side of an intersection.
template <typename T>
void add_crossing(PixelWindow<T>& window, const Crossing& crossing, RowChunk<T>& chunk,
                  double* weight, uint32_t& used) {
  const FaceKey own = window.view.key_of(crossing.face, window.row, window.column);
  const FaceKey other = window.view.key_of(crossing.other_face, window.row, window.column);
  FaceKey slope;
  const double area =
      negative_area({own.x - other.x, own.y - other.y, own.center - other.center}, slope);
  weight[crossing.across] += area;
  weight[kOwn] -= area;
  used |= 1u << crossing.across;
  if (window.view.record)
    chunk.faces.push({crossing.face, crossing.other_face, T(slope.x), T(slope.y),
                      T(slope.center), T(0)});
}

/// Makes weights of sum `total` non-negative where pieces contradict each other. Returns their scale.
inline double clamp_weights(double* weight, double total, bool& clamped) {
  clamped = false;
  double sum = 0.0;
  for (int j = 0; j < 9; ++j) {
    clamped |= weight[j] < 0.0;
    sum += larger(weight[j], 0.0);
  }
  if (!clamped) return 1.0;
  const double scale = total / sum;
  for (int j = 0; j < 9; ++j) weight[j] = larger(weight[j], 0.0) * scale;
  return scale;
}

/// The longest visible piece of the outline in a pixel; -1 if there is none. The two sides of a wire
/// have no direction in common, so a mean over the pieces would not do.
template <typename T> int64_t longest_of_outline(const PixelPieces& pixel, const RowChunk<T>& chunk) {
  double longest = 0.0;
  int64_t found = -1;
  for (int64_t i = pixel.begin; i < pixel.begin + pixel.count; ++i) {
    const double dy = chunk.visible[i].dy, dx = dy * chunk.pieces[i].dx_dy;
    if (!(dx * dx + dy * dy > longest)) continue;
    longest = dx * dx + dy * dy;
    found = i;
  }
  return found;
}

/// The neighbour most nearly in direction (x, y) that shows the object, or the background; -1 if
/// there is none.
template <typename T>
int find_towards(const PixelWindow<T>& window, double x, double y, bool object) {
  int found = -1;
  double best = 0.0;
  for (int j = 0; j < 9; ++j) {
    if (window.face[j] == PixelWindow<T>::kOutside || (window.face[j] >= 0) != object) continue;
    const double dx = column_of(j), dy = row_of(j);
    const double along = (x * dx + y * dy) / sqrt(dx * dx + dy * dy);
    if (found >= 0 && !(along > best)) continue;
    found = j;
    best = along;
  }
  return found;
}

/// Which neighbours show the two sides of the outline in a pixel: false if one shows nowhere.
template <typename T>
bool find_outline(PixelWindow<T>& window, const PixelPieces& pixel, const RowChunk<T>& chunk,
                  int& sky, int& rim) {
  const int64_t longest = longest_of_outline(pixel, chunk);
  if (longest < 0) return false;
  const Piece& piece = chunk.pieces[longest];
  const PieceMiddle middle = middle_of(window, piece);
  const bool object = window.face[kOwn] >= 0;
  sky = object ? find_towards(window, -middle.normal_x, -middle.normal_y, false) : kOwn;
  rim = object && pixel.count == 1 ? kOwn : find_sides(window, middle).near;
  if (rim < 0) rim = object ? kOwn : find_towards(window, middle.normal_x, middle.normal_y, true);
  return sky >= 0 && rim >= 0;
}

template <typename T>
void write_colour(const PixelWindow<T>& window, const double* share, T* out) {
  for (int c = 0; c < window.view.channels; ++c) {
    double sum = 0.0, least = 0.0, most = 0.0;
    bool first = true;
    for (int j = 0; j < 9; ++j) {
      if (share[j] == 0.0) continue;
      const double value = window.colour(j)[c];
      sum += share[j] * value;
      least = first ? value : smaller(least, value);
      most = first ? value : larger(most, value);
      first = false;
    }
    out[c] = T(clamped(sum, least, most));  // against rounding
  }
}

/// Colour of one pixel. `pixel` or `crossing` is null where there is none.
template <typename T>
void blend_pixel(const AntialiasView<T>& view, int row, int column, const PixelPieces* pixel,
                 const Crossing* crossing, RowChunk<T>& chunk) {
  const int64_t index = int64_t(row) * view.width + column;
  if (view.plain && view.plain[index]) return;
  using Pixel = BlendedPixel<T>;
  PixelWindow<T> window(view, row, column);
  const bool object = window.face[kOwn] >= 0;
  int sky = kOwn, rim = kOwn;
  const bool outline = pixel && pixel->coverage > 0.0 && pixel->coverage < 1.0 &&
                       find_outline(window, *pixel, chunk, sky, rim);
  if (!object && !outline) return;

  // The colour is known at the pixel's centre; beyond each boundary it changes.
  const double coverage = outline ? pixel->coverage : 1.0;
  double weight[9] = {};
  weight[kOwn] = object ? 1.0 : 0.0;
  if (outline) weight[rim] += object ? coverage - 1.0 : coverage;
  Pixel blended{};
  uint32_t used = 1u << sky | 1u << rim | 1u << kOwn;
  if (pixel) blended.num_jumps = add_jumps(window, *pixel, chunk, weight, used);
  if (object && crossing) add_crossing(window, *crossing, chunk, weight, used);
  if (blended.num_jumps == 0 && !(object && crossing) && !outline) return;
  bool clamped;
  const double scale = clamp_weights(weight, coverage, clamped);
  double share[9];
  for (int j = 0; j < 9; ++j) share[j] = weight[j];
  share[sky] += 1.0 - coverage;
  write_colour(window, share, view.out + index * view.channels);
  if (!view.record) return;

  blended.pixel = int32_t(index);
  blended.used = int16_t(used);
  blended.sky = int8_t(sky);
  blended.rim = int8_t(rim);
  blended.across = int8_t(object && crossing ? crossing->across : kOwn);
  blended.flags = uint8_t((clamped ? Pixel::kClamped : 0) | (outline ? Pixel::kOutline : 0) |
                          (object && crossing ? Pixel::kCrossing : 0));
  blended.coverage = T(coverage);
  blended.scale = T(scale);
  for (int j = 0; j < 9; ++j) blended.weight[j] = T(weight[j]);
  if (outline)
    for (int64_t i = pixel->begin; i < pixel->begin + pixel->count; ++i) {
      const VisibleSpan span = chunk.visible[i];
      if (span.dy == 0.0 && span.y_dy == 0.0) continue;
      OutlineSpan<T> item{};
      item.edge = chunk.pieces[i].edge;
      piece_weights(view.edges[item.edge], row, span, item.top, item.bottom);
      chunk.spans.push(item);
      ++blended.num_spans;
    }
  chunk.blended.push(blended);
}

/// Of several intersections of a pixel, the one nearest to its centre.
inline void keep_nearest(int32_t* nearest, const Crossing* all, const Crossing* begin,
                         const Crossing* end) {
  for (const Crossing* it = begin; it < end; ++it) {
    int32_t& kept = nearest[it->column];
    if (kept < 0 || it->distance < all[kept].distance) kept = int32_t(it - all);
  }
}

/// Colours of one row's pixels. `rows` says what lies where; `above` are intersections that the row
/// above found for this one.
template <typename T>
void blend_row(const AntialiasView<T>& view, int row, const RowPixels& here,
               const Crossing* crossings, int64_t num_crossings, const Crossing* above,
               int64_t num_above, RowChunk<T>& chunk, Buffer<Crossing>& merged) {
  const int64_t stride = int64_t(view.width) * view.channels;
  memcpy(view.out + row * stride, view.image + row * stride, size_t(stride) * sizeof(T));
  if (num_crossings + num_above == 0) {
    for (const PixelPieces* it = here.begin; it < here.end; ++it)
      blend_pixel(view, row, it->column, it, nullptr, chunk);
    return;
  }
  merged.clear();
  for (int64_t i = 0; i < num_above; ++i) merged.push(above[i]);
  for (int64_t i = 0; i < num_crossings; ++i) merged.push(crossings[i]);
  chunk.nearest.resize(view.width);
  memset(chunk.nearest.data(), 0xff, size_t(view.width) * sizeof(int32_t));
  const Crossing* const all = merged.data();
  keep_nearest(chunk.nearest.data(), all, all, all + merged.size());
  const PixelPieces* it = here.begin;
  for (int column = 0; column < view.width; ++column) {
    const PixelPieces* pixel = it < here.end && it->column == column ? it++ : nullptr;
    const int32_t kept = chunk.nearest[column];
    if (pixel || kept >= 0)
      blend_pixel(view, row, column, pixel, kept < 0 ? nullptr : all + kept, chunk);
  }
}

LRAST_END
