// csrc/kernels/antialias_blend.h: colours of pixels that outlines and intersections pass (CPU, CUDA).
#pragma once
#include "antialias_gradient.h"
#include "antialias_sides.h"

LRAST_BEGIN

/// Borders of what is visible in a pixel, with the neighbours that show the two sides. Pieces with a
/// side that shows nowhere are left out.
template <typename View, typename Chunk>
LRAST_HD void find_borders(PixelWindow<View>& window, const PixelPieces& pixel, bool outline,
                           Chunk& chunk) {
  const Piece& longest = outline ? longest_of_outline(pixel, chunk) : longest_of(pixel, chunk);
  const Direction inwards = across(window, longest, longest.weight > 0);
  for (int64_t i = pixel.begin; i < pixel.begin + pixel.count; ++i) {
    const Piece& piece = chunk.pieces[i];
    const double height = piece.y1 - piece.y0;
    if (height <= 0.0) continue;
    // A piece of the outline, at least for its larger part, has the background beyond it.
    const bool on_outline = fabs(chunk.visible[i].dy) >= 0.5 * height;
    PieceSides sides{kOwn, kSky};
    if (on_outline) {
      if (!outline) continue;
      if (pixel.count > 1 || window.face[kOwn] < 0)
        sides.near = find_rim(window, middle_of(window, piece), inwards);
    } else {
      sides = find_sides(window, middle_of(window, piece), inwards);
      // Where chains of contour edges cross at an outline, there are folds of much less than a pixel.
      const bool is_fold = !outline || sides.near != kOwn || sides.beyond < 0 ||
                           !is_same_surface(window, kOwn, sides.beyond);
      if (!is_fold) continue;
    }
    if (sides.near < 0 || sides.beyond < 0) continue;
    const bool near_is_right = piece.weight > 0;
    chunk.borders.push({i, near_is_right ? sides.beyond : sides.near,
                        near_is_right ? sides.near : sides.beyond});
  }
}

/// Adds the surface on the other side of an intersection.
template <typename View, typename Chunk>
LRAST_HD void add_crossing(const PixelWindow<View>& window, const Crossing& crossing, Chunk& chunk,
                           double* weight) {
  using T = typename View::Number;
  const FaceKey own = window.view.key_of(crossing.face, window.row, window.column);
  const FaceKey other = window.view.key_of(crossing.other_face, window.row, window.column);
  FaceKey slope;
  const double area =
      negative_area({own.x - other.x, own.y - other.y, own.center - other.center}, slope);
  weight[crossing.across] += area;
  weight[kOwn] -= area;
  if (window.view.record)
    chunk.faces.push({crossing.face, crossing.other_face, T(slope.x), T(slope.y),
                      T(slope.center), T(0)});
}

/// Makes weights non-negative, which they are unless borders contradict each other, and their sum
/// `total`. Returns by what they were multiplied; 0 if too little is left of them.
LRAST_HD double scale_weights(double* weight, double total) {
  double sum = 0.0;
  for (int j = 0; j < 9; ++j) sum += larger(weight[j], 0.0);
  if (!(sum >= 0.25 * total)) return 0.0;
  const double scale = total / sum;
  for (int j = 0; j < 9; ++j) weight[j] = larger(weight[j], 0.0) * scale;
  return scale;
}

/// How much of the object's part of a pixel each neighbour's colour makes up. The colour is known at
/// the pixel's centre; beyond each border it changes.
template <typename View, typename Chunk>
LRAST_HD double weigh_neighbors(PixelWindow<View>& window, const PixelPieces* pixel,
                                const Crossing* crossing, double coverage, Chunk& chunk,
                                double* weight) {
  const bool object = window.face[kOwn] >= 0;
  if (object) weight[kOwn] = 1.0;
  bool one_rim = coverage < 1.0 && !crossing;  // then it has all of the object's part
  for (int64_t i = 0; i < chunk.borders.size(); ++i) {
    const Border border = chunk.borders[i];
    const double area = area_beyond(chunk.pieces[border.piece]);
    weight[border.right] += area;
    weight[border.left] -= area;
    const Border first = object ? Border{0, kOwn, kSky} : chunk.borders[0];
    const int rim = smaller(border.left, border.right);
    one_rim &= larger(border.left, border.right) == kSky && rim == smaller(first.left, first.right);
  }
  if (crossing) add_crossing(window, *crossing, chunk, weight);
  double scale = one_rim ? 0.0 : scale_weights(weight, coverage);
  if (scale > 0.0) return scale;
  int rim = kOwn;
  if (!object && one_rim && chunk.borders.size() > 0) {
    rim = smaller(chunk.borders[0].left, chunk.borders[0].right);
  } else if (!object) {
    const Piece& piece = longest_of_outline(*pixel, chunk);
    rim = find_rim(window, middle_of(window, piece), across(window, piece, piece.weight > 0));
  }
  for (int j = 0; j < 9; ++j) weight[j] = 0.0;
  if (rim >= 0) weight[rim] = coverage;
  chunk.borders.clear();
  return rim >= 0 ? 1.0 : 0.0;
}

/// Of the weights, how much of each neighbour's colour shows.
LRAST_HD void share_out(const double* weight, int inner, double* share) {
  for (int j = 0; j < 9; ++j) share[j] = weight[j];
  if (inner < 0) return;
  const Fade of_own = fade(weight[kOwn]);
  share[kOwn] = of_own.own;
  share[inner] += of_own.inner;
}

template <typename View>
LRAST_HD_LONG void write_colour(const PixelWindow<View>& window, const double* share,
                           typename View::Number* out) {
  using T = typename View::Number;
  for (int c = 0; c < window.view.channels; ++c) {
    double sum = 0.0, least = 0.0, most = 0.0;  // as it is where the background is 0
    bool first = share[kSky] == 0.0;
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

/// Weights of d area / d edge at its two ends, as the tape keeps them.
template <typename T>
LRAST_HD void piece_weights(const ContourEdge& e, int row, VisibleSpan span, T& top,
                            T& bottom) {
  double at_top, at_bottom;
  end_weights(e, row, span, at_top, at_bottom);
  top = T(at_top);
  bottom = T(at_bottom);
}

template <typename View, typename Chunk>
LRAST_HD void record_borders(const View& view, int row, Chunk& chunk) {
  using T = typename View::Number;
  for (int64_t i = 0; i < chunk.borders.size(); ++i) {
    const Border border = chunk.borders[i];
    const Piece& piece = chunk.pieces[border.piece];
    const ContourEdge& e = view.edges[piece.edge];
    BorderPiece<T> item{};
    item.edge = piece.edge;
    item.left = int8_t(border.left);
    item.right = int8_t(border.right);
    VisibleSpan span{0.0, 0.0};
    see(span, 1, piece.y0, piece.y1);
    piece_weights(e, row, span, item.top, item.bottom);
    if (piece.y0 == e.y0 - row) item.sweep_top = T(-width_beyond(piece.x0));
    if (piece.y1 == e.y1 - row) item.sweep_bottom = T(width_beyond(piece.x1));
    chunk.border_pieces.push(item);
  }
}

template <typename View, typename Chunk>
LRAST_HD int32_t record_outline(const View& view, int row, const PixelPieces& pixel,
                                Chunk& chunk) {
  using T = typename View::Number;
  const int64_t before = chunk.spans.size();
  for (int64_t i = pixel.begin; i < pixel.begin + pixel.count; ++i) {
    const VisibleSpan span = chunk.visible[i];
    if (span.dy == 0.0 && span.y_dy == 0.0) continue;
    OutlineSpan<T> item{};
    item.edge = chunk.pieces[i].edge;
    piece_weights(view.edges[item.edge], row, span, item.top, item.bottom);
    chunk.spans.push(item);
  }
  return int32_t(chunk.spans.size() - before);
}

/// The neighbour with whose colour all of the object shows; -1 if it shows in several, or not at all.
template <typename View> LRAST_HD int find_only_colour(const PixelWindow<View>& window) {
  int found = window.face[kOwn] >= 0 ? kOwn : -1;
  for (int j = 0; j < 9; ++j) {
    if (window.face[j] < 0 || j == found) continue;
    if (found < 0) {
      found = j;
      continue;
    }
    for (int c = 0; c < window.view.channels; ++c)
      if (window.colour(j)[c] != window.colour(found)[c]) return -1;
  }
  return found;
}

/// Colour of one pixel. `pixel` or `crossing` is null where there is none. `chunk` has the pieces, as
/// RowChunk does, and gets what is recorded.
template <typename View, typename Chunk>
LRAST_HD void blend_pixel(const View& view, int row, int column, const PixelPieces* pixel,
                          const Crossing* crossing, Chunk& chunk) {
  using T = typename View::Number;
  const int64_t index = int64_t(row) * view.width + column;
  const bool passed = pixel && pixel->coverage > 0.0 && pixel->coverage < 1.0;
  // Among equal neighbours only a background that is 0, and shows in none of them, makes a change.
  if (view.is_plain(row, column) && !(view.premultiplied && passed)) return;
  PixelWindow<View> window(view, row, column);
  const bool object = window.face[kOwn] >= 0;
  if (!object) crossing = nullptr;
  int sky = -1;
  if (passed && view.premultiplied) {
    sky = kSky;
  } else if (passed) {
    const PieceMiddle middle = middle_of(window, longest_of_outline(*pixel, chunk));
    sky = object ? find_towards(window, -middle.normal_x, -middle.normal_y, false) : kOwn;
  }
  if (!object && sky < 0) return;

  const double coverage = sky >= 0 ? pixel->coverage : 1.0;
  chunk.borders.clear();
  double weight[kSky + 1] = {};
  const int64_t num_crossings = chunk.faces.size();
  // Of equal neighbours it does not matter which has the weight, but to the image's gradient.
  const int only = find_only_colour(window);
  double scale = 1.0;
  if (only >= 0 && !view.image_grad) {
    if (sky < 0) return;
    weight[only] = coverage;
  } else {
    if (pixel) find_borders(window, *pixel, sky >= 0, chunk);
    if (chunk.borders.size() == 0 && !crossing && sky < 0) return;
    scale = weigh_neighbors(window, pixel, crossing, coverage, chunk, weight);
    if (scale == 0.0) return chunk.faces.resize(num_crossings);
  }
  // Intersections are left alone: there, other surfaces look like a continuation. Equal colours
  // fade into each other unseen.
  const bool fades = object && !crossing && weight[kOwn] > 0.0 && weight[kOwn] < 1.0 &&
                     (only < 0 || view.image_grad);
  const int inner = fades ? find_inner(window, pixel, sky >= 0, chunk) : -1;
  double share[kSky + 1] = {};
  if (only >= 0) share[only] = coverage;
  else share_out(weight, inner, share);
  if (sky >= 0) share[sky] += 1.0 - coverage;
  if (view.out) write_colour(window, share, view.out + index * view.channels);
  if (!view.record) return;

  BlendedPixel<T> blended{};
  blended.pixel = int32_t(index);
  blended.sky = int8_t(sky);
  blended.across = int8_t(chunk.faces.size() > num_crossings ? crossing->across : -1);
  blended.inner = int8_t(inner);
  blended.coverage = T(coverage);
  blended.scale = T(scale);
  for (int j = 0; j < 9; ++j) blended.weight[j] = T(weight[j]);
  blended.num_borders = int32_t(chunk.borders.size());
  record_borders(view, row, chunk);
  if (sky >= 0) blended.num_spans = record_outline(view, row, *pixel, chunk);
  chunk.blended.push(blended);
}

LRAST_END
