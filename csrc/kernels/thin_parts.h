// csrc/kernels/thin_parts.h: faces for pixels that the mesh covers in part, while no centre nearby
// hits it.  See ops/thin_parts.py.
#pragma once
#include "contour.h"
#include "../core/antialias.h"
#include "../core/near_plane.h"

namespace lrast {

template <typename T> struct ThinPartsArgs {
  ContourTopology topology;
  const int32_t* face_idx;     // (N, H, W), -1 = background
  const T* coverage;           // (N, H, W)
  const T* verts_clip;         // (N, V, 4)
  const int64_t* face_ranges;  // (N, 2), or null: every view has all faces
  uint64_t* nearest;           // (N, H, W), scratch
  int32_t* face;               // (N, H, W), -1 in all other pixels
  T* bary;                     // (N, H, W, 3), 0 in all other pixels
  int64_t num_views;
  int32_t height, width;
  int32_t cull;                // RasterCull
  int32_t num_threads;
};

int thin_parts_f32(const ThinPartsArgs<float>&);
int thin_parts_f64(const ThinPartsArgs<double>&);

}  // namespace lrast

LRAST_BEGIN

// A pixel's word: that it is not thin; or the nearest edge so far, 0 for none.
constexpr uint64_t kNotThin = ~uint64_t(0);

/// Whether the mesh covers part of a pixel, and shows at no centre of it and of those around it.
template <typename T> LRAST_HD bool is_thin(const ThinPartsArgs<T>& args, int64_t pixel) {
  if (!(args.coverage[pixel] > T(0)) || args.face_idx[pixel] >= 0) return false;
  const int column = int(pixel % args.width);
  const int64_t row = pixel / args.width % args.height;
  for (int r = row > 0 ? -1 : 0; r <= (row + 1 < args.height ? 1 : 0); ++r)
    for (int c = column > 0 ? -1 : 0; c <= (column + 1 < args.width ? 1 : 0); ++c)
      if (args.face_idx[pixel + r * int64_t(args.width) + c] >= 0) return false;
  return true;
}

/// One view's mesh.
template <typename T> struct ThinView {
  const ThinPartsArgs<T>& args;
  int64_t view;

  LRAST_HD ClipPoint clip(int32_t vert) const {
    return load_clip(args.verts_clip + 4 * (args.topology.num_verts * view + vert));
  }
  /// Sign of a face as the outline has it; 0 if it is left out.
  LRAST_HD int operator[](int64_t face) const {
    const int32_t* const vert = args.topology.faces + 3 * face;
    ClipPoint corners[3];
    ScreenPoint screen[3];
    int num_hidden = 0;
    for (int j = 0; j < 3; ++j) {
      corners[j] = clip(vert[j]);
      screen[j] = place_vertex(corners[j], args.width, args.height);
      num_hidden += is_hidden(screen[j]);
    }
    if (num_hidden == 3) return 0;
    const int sign = num_hidden == 0 ? face_sign(screen[0], screen[1], screen[2])
                                     : cut_face(corners, screen, args.width, args.height).sign;
    return drawn_sign(sign, face, args.cull, args.face_ranges ? args.face_ranges + 2 * view : nullptr);
  }
  /// How steeply a face comes nearer from its side `from` -> `to` inwards, seen at a screen point.
  LRAST_HD double rise_from(int64_t face, int sign, int32_t from, int32_t to, double x,
                            double y) const {
    ClipPoint corners[3];
    for (int j = 0; j < 3; ++j) corners[j] = clip(args.topology.faces[3 * face + j]);
    const HomogeneousPoint a = around_pixel(clip(from), args.width, args.height, x, y);
    const HomogeneousPoint b = around_pixel(clip(to), args.width, args.height, x, y);
    // -z / w is linear on any screen.
    const FaceKey key = face_key(corners, args.width, args.height, x, y, true);
    const double dx = b.x * a.w - a.x * b.w, dy = b.y * a.w - a.y * b.w;  // up to a factor w w > 0
    const double rise = sign * (key.y * dx - key.x * dy);
    return rise == rise ? rise : -INFINITY;
  }
  /// The face that is seen at an edge of the outline: where two meet in a fold, the nearer one; -1 if
  /// none is drawn.
  LRAST_HD int32_t face_at(int64_t edge, double x, double y) const {
    const ContourTopology& topology = args.topology;
    const int32_t* const ends = topology.edge_verts + 2 * edge;
    int32_t found = -1;
    double best = 0.0;
    const auto look = [&](int32_t face, int reversed) {
      const int sign = (*this)[face];
      if (sign == 0) return;
      const double rise = rise_from(face, sign, ends[reversed], ends[1 - reversed], x, y);
      if (found >= 0 && !(rise > best)) return;
      best = rise;
      found = face;
    };
    if (edge < topology.num_regular) {
      look(topology.edge_faces[2 * edge], 0);
      look(topology.edge_faces[2 * edge + 1], 1);
      return found;
    }
    const int64_t row = edge - topology.num_regular;
    for (int32_t i = topology.irregular_offsets[row]; i < topology.irregular_offsets[row + 1]; ++i)
      look(topology.irregular_codes[i] >> 1, topology.irregular_codes[i] & 1);
    return found;
  }
  /// What an edge shows of itself; false if that is nothing, or has no place on the screen.
  LRAST_HD bool place(const int32_t* ends, ClipPoint* at, ContourEdge& edge) const {
    ScreenPoint point[2];
    for (int i = 0; i < 2; ++i) {
      at[i] = clip(ends[i]);
      point[i] = place_vertex(at[i], args.width, args.height);
    }
    const bool hidden[2] = {is_hidden(point[0]), is_hidden(point[1])};
    if (hidden[0] && hidden[1]) return false;
    for (int i = 0; i < 2; ++i) {
      if (!hidden[i]) continue;
      at[i] = clip_at_near(at[1 - i], at[i]);
      point[i] = screen_from_clip(at[i], args.width, args.height);
    }
    if (!is_finite(point[0].x) || !is_finite(point[1].x)) return false;
    edge = make_contour_edge(point[0], point[1], 0, 1, 1);
    return true;
  }
};

/// Word of an edge in a pixel where it passes at normalised depth z: nearer is larger, and then the
/// smaller number. Never 0, nor kNotThin.
LRAST_HD uint64_t thin_word(double z, int64_t edge) {
  const double near = clamped(0.5 - 0.5 * z, 0.0, 1.0);
  return (uint64_t(near * 4294967040.0) + 1) << 32 | (0xffffffffu - uint32_t(edge));
}

/// Calls offer(pixel of the view, word) for the thin pixels that an edge of the outline passes;
/// is_open(pixel) tells which are thin.
template <typename T, typename IsOpen, typename Offer>
LRAST_HD void offer_edge(const ThinView<T>& view, int64_t number, IsOpen&& is_open,
                         Offer&& offer) {
  const ThinPartsArgs<T>& args = view.args;
  ClipPoint at[2];
  ContourEdge e;
  if (!view.place(args.topology.edge_verts + 2 * number, at, e)) return;
  if ((e.x0 < 0.0 && e.x1 < 0.0) || (e.x0 >= args.width && e.x1 >= args.width)) return;
  const int end = row_end(e.y1, args.height);
  int weight = 0;
  bool weighed = false;
  for (int row = row_begin(e.y0, args.height); row < end; ++row) {
    cut_row(e, 0, row, args.width, [&](int column, const Piece& piece) {
      const int64_t pixel = int64_t(row) * args.width + column;
      if (column < 0 || !is_open(pixel)) return;
      if (!weighed) weight = edge_weight(args.topology, view, number);
      weighed = true;
      if (weight == 0) return;
      const double dx = e.x1 - e.x0, dy = e.y1 - e.y0;
      const double t = fabs(dx) > dy ? (column + 0.5 * (piece.x0 + piece.x1) - e.x0) / dx
                                     : (row + 0.5 * (piece.y0 + piece.y1) - e.y0) / dy;
      const double top = at[e.top].z / at[e.top].w, bottom = at[e.bottom].z / at[e.bottom].w;
      offer(pixel, thin_word(top + (bottom - top) * t, number));
    });
  }
}

/// Face and weights of a thin pixel: those of the middle of its edge's piece there.
template <typename T> LRAST_HD void resolve_thin(const ThinPartsArgs<T>& args, int64_t pixel) {
  args.face[pixel] = -1;
  for (int j = 0; j < 3; ++j) args.bary[3 * pixel + j] = T(0);
  const uint64_t word = args.nearest[pixel];
  if (word == kNotThin || word == 0) return;
  const int64_t size = int64_t(args.height) * args.width;
  const ThinView<T> view{args, pixel / size};
  const int column = int(pixel % args.width), row = int(pixel % size / args.width);
  const int64_t number = int64_t(0xffffffffu - uint32_t(word));
  const int32_t* const ends = args.topology.edge_verts + 2 * number;
  ClipPoint at[2];
  ContourEdge e;
  if (!view.place(ends, at, e)) return;
  double x = 0.5, y = 0.5;
  cut_row(e, 0, row, args.width, [&](int passed, const Piece& piece) {
    if (passed != column) return;
    x = 0.5 * (piece.x0 + piece.x1);
    y = 0.5 * (piece.y0 + piece.y1);
  });
  x += column;
  y += row - kShear * x;
  const HomogeneousPoint a = around_pixel(view.clip(ends[0]), args.width, args.height, x, y);
  const HomogeneousPoint b = around_pixel(view.clip(ends[1]), args.width, args.height, x, y);
  const double dx = a.x - b.x, dy = a.y - b.y;
  double t = clamped(fabs(dx) > fabs(dy) ? a.x / dx : a.y / dy, 0.0, 1.0);
  if (t != t) t = 0.5;  // its ends are one point
  const int32_t face = view.face_at(number, x, y);
  if (face < 0) return;
  args.face[pixel] = face;
  for (int j = 0; j < 3; ++j) {
    const int32_t vert = args.topology.faces[3 * int64_t(face) + j];
    if (vert == ends[0]) args.bary[3 * pixel + j] = T(1.0 - t);
    if (vert == ends[1]) args.bary[3 * pixel + j] = T(t);
  }
}

LRAST_END
