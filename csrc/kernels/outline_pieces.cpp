// csrc/kernels/outline_pieces.cpp
#include "outline_pieces.h"

#include <math.h>

#include "contour.h"
#include "parallel.h"

LRAST_BEGIN
namespace {

/// A view's part of the tape.
template <typename T> struct TapeReader {
  TapeView head;
  const TapeEdge* edges;
  const TapePiece<T>* pieces;

  TapeReader(const OutlinePiecesArgs<T>& args, int64_t view) {
    const uint8_t* bytes = reinterpret_cast<const uint8_t*>(args.tape) + args.tape[1 + view];
    head = *reinterpret_cast<const TapeView*>(bytes);
    edges = reinterpret_cast<const TapeEdge*>(bytes + sizeof(TapeView));
    const TapeCut* cuts = reinterpret_cast<const TapeCut*>(edges + head.edges);
    pieces = reinterpret_cast<const TapePiece<T>*>(cuts + head.cuts);
  }
  /// Edges with an end on the near plane are left out: what moves that end is no single vertex.
  bool is_kept(const TapePiece<T>& piece, int64_t num_verts) const {
    const TapeEdge& edge = edges[piece.edge];
    return edge.top < num_verts && edge.bottom < num_verts && weight(piece) != 0.0;
  }
  static double weight(const TapePiece<T>& piece) {
    return double(piece.top) + double(piece.bottom);
  }
};

template <typename T> ScreenPoint on_screen(const OutlinePiecesArgs<T>& args, int64_t view,
                                            int32_t vert) {
  const ClipPoint p = load_clip(args.verts_clip + 4 * (args.num_verts * view + vert));
  return viewport_from_clip(p, args.width, args.height);
}

template <typename T>
void fill_piece(const OutlinePiecesArgs<T>& args, int64_t view, const TapeEdge& edge,
                const TapePiece<T>& piece, int64_t row) {
  const double weight = TapeReader<T>::weight(piece);
  const ScreenPoint top = on_screen(args, view, edge.top);
  const ScreenPoint bottom = on_screen(args, view, edge.bottom);
  const double dx = bottom.x - top.x, dy = bottom.y - top.y, edge_length = hypot(dx, dy);
  const double t = clamped(piece.bottom / weight, 0.0, 1.0);
  // Covered lies to the right of the edge where the weight is positive: see end_gradient().
  const double outward = (weight > 0.0 ? 1.0 : -1.0) / larger(edge_length, 1e-300);
  args.view[row] = int32_t(view);
  args.verts[2 * row] = edge.top;
  args.verts[2 * row + 1] = edge.bottom;
  args.t[row] = T(t);
  args.point[2 * row] = T(top.x + t * dx);
  args.point[2 * row + 1] = T(top.y + t * dy);
  args.normal[2 * row] = T(-dy * outward);
  args.normal[2 * row + 1] = T(dx * outward);
  args.length[row] = T(fabs(weight) * edge_length);
}

/// The pieces of a view, edge by edge; those of an edge in the order of the tape, row by row.
template <typename T> void fill_view(const OutlinePiecesArgs<T>& args, int64_t view) {
  static thread_local Buffer<int64_t> places;
  const TapeReader<T> tape(args, view);
  places.zero(tape.head.edges + 1);
  for (int64_t i = 0; i < tape.head.pieces; ++i)
    if (tape.is_kept(tape.pieces[i], args.num_verts)) places[tape.pieces[i].edge + 1] += 1;
  places[0] = args.starts[view];
  for (int64_t e = 0; e < tape.head.edges; ++e) places[e + 1] += places[e];
  for (int64_t i = 0; i < tape.head.pieces; ++i) {
    const TapePiece<T>& piece = tape.pieces[i];
    if (tape.is_kept(piece, args.num_verts))
      fill_piece(args, view, tape.edges[piece.edge], piece, places[piece.edge]++);
  }
}

}  // namespace
LRAST_END

namespace lrast {

template <typename T> int count_outline_pieces(const OutlinePiecesArgs<T>& args) {
  if (!is_whole_tape(args.tape, args.tape_words)) return ContourStatus::kTapeLost;
  args.starts[0] = 0;
  for (int64_t view = 0; view < args.num_views; ++view) {
    const TapeReader<T> tape(args, view);
    int64_t count = 0;
    for (int64_t i = 0; i < tape.head.pieces; ++i)
      count += tape.is_kept(tape.pieces[i], args.num_verts);
    args.starts[view + 1] = args.starts[view] + count;
  }
  return ContourStatus::kOk;
}

template <typename T> int fill_outline_pieces(const OutlinePiecesArgs<T>& args) {
  if (!is_whole_tape(args.tape, args.tape_words)) return ContourStatus::kTapeLost;
  try {
    parallel_tasks(args.num_views, args.num_threads,
                   [&](int64_t view) { fill_view(args, view); });
  } catch (const std::bad_alloc&) {
    return ContourStatus::kNoMemory;
  }
  return ContourStatus::kOk;
}

template int count_outline_pieces(const OutlinePiecesArgs<float>&);
template int count_outline_pieces(const OutlinePiecesArgs<double>&);
template int fill_outline_pieces(const OutlinePiecesArgs<float>&);
template int fill_outline_pieces(const OutlinePiecesArgs<double>&);

}  // namespace lrast
