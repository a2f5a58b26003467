// csrc/kernels/antialias_cuda_work.cuh: what the kernels share: tape, views, a pixel's lists.
#pragma once
#include "antialias_blend.h"
#include "antialias_crossing.h"
#include "antialias_cuda.h"
#include "contour_cuda_work.cuh"

LRAST_BEGIN

// What a pixel's mark says: surfaces intersect between it and the next one; all around it has one
// colour. Above these bits: its number among the pixels with pieces, plus one; 0 if it has none.
constexpr uint32_t kMeetsRight = 1, kMeetsBelow = 2, kPlain = 4;
constexpr int kMarkBits = 3;
static_assert(kMaxCapacity < int64_t(1) << (32 - kMarkBits), "numbers of pixels fit a mark");

/// What the backward pass needs; it blends again what the forward pass has blended.
struct AntialiasCudaTape : OutlinePieces {
  CudaTotals* totals;
  CudaTapeEdge* ends;  // (capacity,)
  double* coverage;    // (capacity,), as `touched`
  uint32_t* marks;     // (N, H, W)
  int32_t* is_deep;    // (N,): clip w is not the same everywhere

  AntialiasCudaTape(Arena& arena, int64_t num_views, int64_t num_pixels, int64_t capacity)
      : OutlinePieces(arena, capacity),
        totals(arena.take<CudaTotals>(1)),
        ends(arena.take<CudaTapeEdge>(capacity)),
        coverage(arena.take<double>(capacity)),
        marks(arena.take<uint32_t>(num_views * num_pixels)),
        is_deep(arena.take<int32_t>(num_views)) {}
};

template <typename T> struct AntialiasCudaView : AntialiasPicture<T> {
  const CudaTapeEdge* ends;
  const uint32_t* marks;  // (H, W)
  int64_t num_faces;

  LRAST_HD int32_t face_at(int row, int column) const {
    const int32_t face = this->face_idx[int64_t(row) * this->width + column];
    return face < num_faces ? larger(face, -1) : -1;
  }
  /// Not inlined: there would be a hundred copies, and compiling takes a minute.
  __noinline__ __device__ FaceKey key_of(int32_t face, int row, int column) const {
    return AntialiasPicture<T>::key_of(face, row, column);
  }
  __noinline__ __device__ ClipPoint end_of(int32_t edge, bool bottom) const {
    const int32_t hidden = ends[edge].hidden[bottom];
    const ClipPoint visible = load_clip(this->verts + 4 * int64_t(ends[edge].visible[bottom]));
    if (hidden < 0) return visible;
    return clip_at_near(visible, load_clip(this->verts + 4 * int64_t(hidden)));
  }
  LRAST_HD uint32_t mark_at(int row, int column) const {
    return marks[int64_t(row) * this->width + column];
  }
};

/// Pictures of a call and where its pixels are.
template <typename T> struct AntialiasScene {
  AntialiasCudaView<T> first;  // view 0
  AntialiasCudaTape tape;
  int64_t num_views, num_pixels, capacity;  // num_pixels of one view

  /// `drawing` has face_ranges, cull and premultiplied.
  template <typename Args, typename Drawing>
  AntialiasScene(const Args& args, const Drawing& drawing, const AntialiasCudaTape& t,
                 const int32_t* faces, const int32_t* neighbors, const int32_t* face_idx,
                 int64_t num_verts, int64_t num_faces, int64_t c)
      : first{},
        tape(t),
        num_views(args.num_views),
        num_pixels(int64_t(args.height) * args.width),
        capacity(c) {
    first.faces = faces;
    first.neighbors = neighbors;
    first.verts = args.verts_clip;
    first.image = args.image;
    first.face_idx = face_idx;
    first.num_verts = num_verts;
    first.height = args.height;
    first.width = args.width;
    first.channels = args.num_channels;
    first.premultiplied = drawing.premultiplied != 0;
    first.cull = drawing.cull;
    first.face_range = drawing.face_ranges;
    first.edges = tape.edges;
    first.ends = tape.ends;
    first.marks = tape.marks;
    first.num_faces = num_faces;
  }
  __device__ AntialiasCudaView<T> view(int64_t index) const {
    AntialiasCudaView<T> view = first;
    view.verts += 4 * view.num_verts * index;
    view.image += num_pixels * view.channels * index;
    if (view.out) view.out += num_pixels * view.channels * index;
    view.face_idx += num_pixels * index;
    view.marks += num_pixels * index;
    if (view.face_range) view.face_range += 2 * index;
    view.flat = !tape.is_deep[index];
    return view;
  }
  /// View, row and column of a pixel of the call.
  __device__ void place_of(int64_t pixel, int64_t& index, int& row, int& column) const {
    index = pixel / num_pixels;
    const int in_view = int(pixel - index * num_pixels);
    row = in_view / first.width;
    column = in_view - row * first.width;
  }
  __device__ bool is_tape_lost() const { return tape.totals->mark != kTapeMark + capacity; }
  __device__ int64_t num_touched() const { return int64_t(tape.totals->row_total >> 32); }
};

/// A list with room for all that can come, with the interface of Buffer.
template <typename Item> struct ItemList {
  Item* items;
  int64_t count = 0;

  LRAST_HD explicit ItemList(Item* i) : items(i) {}
  LRAST_HD void push(const Item& item) { items[count++] = item; }
  LRAST_HD int64_t size() const { return count; }
  LRAST_HD void resize(int64_t size) { count = size; }
  LRAST_HD void clear() { count = 0; }
  LRAST_HD const Item& operator[](int64_t i) const { return items[i]; }
};

/// What blend_pixel() reads of one pixel, and what it records.
template <typename T> struct PixelChunk {
  const Piece* pieces;
  const VisibleSpan* visible;
  ItemList<Border> borders;
  ItemList<OutlineSpan<T>> spans;
  ItemList<BorderPiece<T>> border_pieces;
  ItemList<FaceCrossing<T>> faces;
  ItemList<BlendedPixel<T>> blended;
  FaceCrossing<T> crossing;
  BlendedPixel<T> pixel;

  /// Lists in memory: one item per piece.
  __device__ PixelChunk(const OutlinePieces& outline, Border* b, OutlineSpan<T>* s,
                        BorderPiece<T>* p)
      : pieces(outline.sorted),
        visible(outline.visible),
        borders(b),
        spans(s),
        border_pieces(p),
        faces(&crossing),
        blended(&pixel) {}
};

/// Of the intersections at a pixel the one nearest to its centre, and of equally near ones the first
/// in the CPU's order. False if there is none.
template <typename T>
__device__ bool find_nearest_crossing(const AntialiasCudaView<T>& view, int row, int column,
                                      Crossing& nearest) {
  bool found = false;
  for (int k = 0; k < 4; ++k) {  // above, left, right, below
    const int r = row - (k == 0), c = column - (k == 1);
    const bool rightwards = k == 1 || k == 2;
    if (r < 0 || c < 0) continue;
    if (!(view.mark_at(r, c) & (rightwards ? kMeetsRight : kMeetsBelow))) continue;
    Crossing near, far;
    if (!find_crossing_of_pair(view, r, c, rightwards, near, far)) continue;
    const Crossing& own = k < 2 ? far : near;
    if (found && !(own.distance < nearest.distance)) continue;
    nearest = own;
    found = true;
  }
  return found;
}

/// A pixel that a thread looks after: those with pieces come first, then all pixels of the call, of
/// which the ones without pieces are meant. A kernel for both, because it takes long to compile.
struct BlendPlace {
  int64_t entry, pixel, index;  // number among those with pieces or -1, pixel of all views, view
  int row, column;
  uint32_t mark;

  /// False if there is nothing to do.
  template <typename T> __device__ bool find(const AntialiasScene<T>& scene, int64_t thread) {
    const bool is_touched = thread < scene.capacity;
    entry = is_touched ? thread : -1;
    if (is_touched ? entry >= scene.num_touched()
                   : thread - scene.capacity >= scene.num_views * scene.num_pixels)
      return false;
    pixel = is_touched ? scene.tape.touched[entry].pixel : thread - scene.capacity;
    mark = scene.tape.marks[pixel];
    scene.place_of(pixel, index, row, column);
    return is_touched || !(mark >> kMarkBits);
  }
};

/// Blends a pixel.
template <typename T>
__device__ void blend(const AntialiasScene<T>& scene, const AntialiasCudaView<T>& view,
                      const BlendPlace& place, PixelChunk<T>& chunk) {
  const bool is_touched = place.entry >= 0;
  // Nothing can change here; see blend_pixel().
  if (place.mark & kPlain && !(view.premultiplied && is_touched)) return;
  Crossing crossing;
  const bool meets = find_nearest_crossing(view, place.row, place.column, crossing);
  if (!is_touched && !meets) return;
  PixelPieces pieces{place.column, 0, 0, 1.0};
  if (is_touched) {
    const TouchedPixel touched = scene.tape.touched[place.entry];
    pieces = {place.column, touched.count, touched.first, scene.tape.coverage[place.entry]};
  }
  blend_pixel(view, place.row, place.column, is_touched ? &pieces : nullptr,
              meets ? &crossing : nullptr, chunk);
}

LRAST_END
