// csrc/kernels/soft_front.h: faces of one view, set up and sorted into tiles (CPU).
#pragma once
#include "../core/soft_depth.h"
#include "buffer.h"
#include "pack.h"
#include "parallel.h"
#include "soft_coverage.h"

LRAST_BEGIN

constexpr int kTile = 32;  // pixels; its 64 blocks of 4 x 4 fit the bits of a word
constexpr int kTilePixels = kTile * kTile;

/// Tiles within reach of a face, inclusive; last_x < first_x where there are none.
struct TileBox { int32_t first_x, first_y, last_x, last_y; };

/// Faces of one view; kept between calls because fresh pages are slow.
struct SoftFront {
  Buffer<ScreenPoint> screen;   // (V,)
  Buffer<double> keys;          // (V,): depth keys, NaN of hidden vertices; if only some faces count
  Buffer<SoftFace> faces;       // (F,)
  Buffer<TileBox> boxes;        // (F,): what sorting reads
  Buffer<int64_t> tile_begin;   // (tiles + 1,): sums of the numbers of faces
  int64_t first_place = 0;      // where the band of tiles begins that is listed in:
  Buffer<int32_t> tile_faces;   // ascending in each tile
  Buffer<int64_t> face_begin;   // (F + 1,) into:
  Buffer<int64_t> face_places;  // places in tile_faces, in the order of tiles
  Buffer<int64_t> cursor, bad;
  bool perspective = true;

  /// Where a tile of the band begins in tile_faces.
  int64_t place_of(int64_t tile) const { return tile_begin[tile] - first_place; }
};

/// The view that a call works on.
template <typename T> struct SoftView {
  const T* verts;        // (V, 4)
  const int32_t* faces;  // (F, 3)
  SoftModel model;
  int64_t index, num_verts, num_faces;
  int32_t height, width;
  int threads;

  int tiles_x() const { return (width + kTile - 1) / kTile; }
  int tiles_y() const { return (height + kTile - 1) / kTile; }
  int64_t num_tiles() const { return int64_t(tiles_x()) * tiles_y(); }
};

/// The visible part of a face.
template <typename T>
int polygon_of_face(const SoftView<T>& view, const ScreenPoint* screen, const int32_t* face,
                    ClipPoint* clip, ScreenPoint* polygon, PolygonCorner* corners,
                    int& unplaced) {
  ScreenPoint at[3];
  for (int i = 0; i < 3; ++i) {
    clip[i] = load_clip(view.verts + 4 * int64_t(face[i]));
    at[i] = screen[face[i]];
  }
  return visible_polygon(clip, at, view.width, view.height, polygon, corners, unplaced);
}

template <typename T> SoftStatus refused_vertex(const SoftView<T>& view, int64_t vert) {
  const ClipPoint p = load_clip(view.verts + 4 * vert);
  const bool finite = is_finite(p.x) && is_finite(p.y) && is_finite(p.z) && is_finite(p.w);
  return {finite && p.w <= 0.0 ? SoftStatus::kNotInFront : SoftStatus::kNotFinite, view.index,
          vert};
}

template <typename T> SoftStatus place_vertices(const SoftView<T>& view, SoftFront& front) {
  front.screen.resize(view.num_verts);
  const int chunks = num_chunks(view.num_verts, view.threads);
  front.bad.resize(chunks);
  const auto w_of = [&](int64_t v) { return view.verts[4 * v + 3]; };
  front.cursor.zero(chunks);
  parallel_chunks(view.num_verts, chunks, view.threads, [&](int chunk, int64_t begin, int64_t end) {
    int64_t bad = -1, other_w = 0;
    for (int64_t v = end - 1; v >= begin; --v) {
      const ScreenPoint s = place_vertex(load_clip(view.verts + 4 * v), view.width, view.height);
      front.screen[v] = s;
      other_w += w_of(v) != w_of(0);
      if (!is_hidden(s) && !is_finite(s.x)) bad = v;
    }
    front.bad[chunk] = bad;
    front.cursor[chunk] = other_w;
  });
  front.perspective = false;
  for (int i = 0; i < chunks; ++i) {
    if (front.bad[i] >= 0) return refused_vertex(view, front.bad[i]);
    front.perspective |= front.cursor[i] > 0;
  }
  return {SoftStatus::kOk, 0, 0};
}

/// Depth keys of all vertices.
template <typename T> void place_keys(const SoftView<T>& view, SoftFront& front) {
  front.keys.resize(view.num_verts);
  const int chunks = num_chunks(view.num_verts, view.threads);
  parallel_chunks(view.num_verts, chunks, view.threads, [&](int, int64_t begin, int64_t end) {
    for (int64_t v = begin; v < end; ++v)
      front.keys[v] = is_hidden(front.screen[v])
                          ? double(NAN)
                          : depth_key(load_clip(view.verts + 4 * v), front.perspective);
  });
}

inline int32_t farthest_corner(const ScreenPoint* screen, const int32_t* face) {
  int32_t worst = face[0];
  double distance = -1.0;
  for (int i = 0; i < 3; ++i) {
    const ScreenPoint p = screen[face[i]];
    if (is_hidden(p) || fabs(p.x) + fabs(p.y) <= distance) continue;
    distance = fabs(p.x) + fabs(p.y);
    worst = face[i];
  }
  return worst;
}

template <typename T>
SoftStatus set_up_face(const SoftView<T>& view, double min_area, SoftMargin margin,
                       SoftFront& front, int64_t number) {
  const int32_t* face = view.faces + 3 * number;
  SoftFace& out = front.faces[number];
  out.sides = 0;
  for (int i = 0; i < 3; ++i)
    if (face[i] < 0 || face[i] >= view.num_verts)
      return {SoftStatus::kNoSuchVertex, view.index, number};
  ClipPoint clip[3];
  ScreenPoint polygon[kMaxSides];
  PolygonCorner corners[kMaxSides];
  int unplaced;
  const int sides =
      polygon_of_face(view, front.screen.data(), face, clip, polygon, corners, unplaced);
  if (unplaced >= 0) return {SoftStatus::kNotFinite, view.index, face[unplaced]};
  if (sides > 0 && !make_soft_face(polygon, sides, min_area, margin, view.width, view.height, out))
    return {SoftStatus::kNotFinite, view.index, farthest_corner(front.screen.data(), face)};
  front.boxes[number] = out.sides == 0 ? TileBox{0, 0, -1, -1}
                                       : TileBox{out.first_x / kTile, out.first_y / kTile,
                                                 out.last_x / kTile, out.last_y / kTile};
  return {SoftStatus::kOk, 0, 0};
}

#if defined(__AVX2__)
/// set_up_face() of faces as most are, with the bounds of all coordinates side by side: false, and
/// nothing set, if a corner is no vertex or has no place, or the face has no area.
class PlainFaces {
 public:
  template <typename T>
  PlainFaces(const SoftView<T>& view, double min_area, SoftMargin margin)
      : margin_(_mm256_setr_pd(-margin.x, -margin.y, margin.x, margin.y)),
        size_(_mm256_setr_pd(view.width, view.height, view.width, view.height)),
        first_(_mm_setr_epi32(0, 0, INT32_MIN, INT32_MIN)),
        last_(_mm_setr_epi32(INT32_MAX, INT32_MAX, view.width - 1, view.height - 1)),
        min_area_(min_area),
        num_verts_(uint64_t(view.num_verts)) {}

  LRAST_INLINE bool set_up(const int32_t* verts, const ScreenPoint* screen, SoftFace& out,
                           TileBox& box) const {
    const uint32_t i = uint32_t(verts[0]), j = uint32_t(verts[1]), k = uint32_t(verts[2]);
    if (i >= num_verts_ || j >= num_verts_ || k >= num_verts_) return false;
    const __m128d a = _mm_loadu_pd(&screen[i].x), b = _mm_loadu_pd(&screen[j].x),
                  c = _mm_loadu_pd(&screen[k].x);
    const __m128d to_b = b - a, to_c = c - a;
    const __m128d products = to_b * _mm_shuffle_pd(to_c, to_c, 1);
    const double area = products[0] - products[1];
    // False for NaN, too.
    if (!(fabs(area) > min_area_ && fabs(area) < kFarthest)) return false;
    const __m128d low = _mm_min_pd(_mm_min_pd(a, b), c), high = _mm_max_pd(_mm_max_pd(a, b), c);
    const __m256d bounds = _mm256_insertf128_pd(_mm256_castpd128_pd256(low), high, 1);
    const __m256d far = _mm256_set1_pd(kFarthest), size = _mm256_andnot_pd(_mm256_set1_pd(-0.0), bounds);
    if (_mm256_movemask_pd(_mm256_cmp_pd(size, far, _CMP_NLT_UQ))) return false;
    const __m256d reached = bounds + margin_;
    const __m256d up = _mm256_ceil_pd(reached);
    const __m256d down = _mm256_floor_pd(reached - _mm256_set1_pd(1.0));
    const __m256d rounded = _mm256_blend_pd(up, down, 0xc);
    const __m256d within = _mm256_min_pd(_mm256_max_pd(rounded, _mm256_set1_pd(-1.0)), size_);
    const __m128i pixels =
        _mm_min_epi32(_mm_max_epi32(_mm256_cvttpd_epi32(within), first_), last_);
    // Of each: whether its first pixel comes after its last.
    const __m128i after = _mm_cmpgt_epi32(pixels, _mm_shuffle_epi32(pixels, _MM_SHUFFLE(1, 0, 3, 2)));
    const bool none = _mm_movemask_ps(_mm_castsi128_ps(after)) & 3;
    _mm_storeu_pd(&out.corner[0].x, a);
    _mm_storeu_pd(&out.corner[1].x, b);
    _mm_storeu_pd(&out.corner[2].x, c);
    _mm_storeu_pd(&out.corner[3].x, a);
    out.turn = area > 0.0 ? 1.0 : -1.0;
    out.sides = none ? 0 : 3;
    _mm_storeu_si128(reinterpret_cast<__m128i*>(&out.first_x), pixels);
    static_assert(kTile == 32, "a shift by 5");
    const __m128i tiles = _mm_srai_epi32(pixels, 5), empty = _mm_setr_epi32(0, 0, -1, -1);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(&box), none ? empty : tiles);
    return true;
  }

 private:
  __m256d margin_, size_;
  __m128i first_, last_;
  double min_area_;
  uint64_t num_verts_;
};
#else
struct PlainFaces {
  template <typename T> PlainFaces(const SoftView<T>&, double, SoftMargin) {}
  bool set_up(const int32_t*, const ScreenPoint*, SoftFace&, TileBox&) const { return false; }
};
#endif

template <typename T> SoftStatus set_up_faces(const SoftView<T>& view, SoftFront& front) {
  front.faces.resize(view.num_faces);
  front.boxes.resize(view.num_faces);
  const SoftMargin margin = soft_margin(view.model);
  const double min_area = view.model.min_area;
  const int chunks = num_chunks(view.num_faces, view.threads);
  Buffer<SoftStatus> found;
  found.resize(chunks);
  parallel_chunks(view.num_faces, chunks, view.threads,
                  [&](int chunk, int64_t begin, int64_t end) {
    SoftStatus& status = found[chunk];
    status = {SoftStatus::kOk, 0, 0};
    const PlainFaces plain(view, min_area, margin);
    const ScreenPoint* const screen = front.screen.data();
    for (int64_t i = begin; i < end && status.code == SoftStatus::kOk; ++i)
      if (!plain.set_up(view.faces + 3 * i, screen, front.faces[i], front.boxes[i]))
        status = set_up_face(view, min_area, margin, front, i);
  });
  for (int i = 0; i < chunks; ++i)
    if (found[i].code != SoftStatus::kOk) return found[i];
  return {SoftStatus::kOk, 0, 0};
}

/// Consecutive tiles whose faces are listed at once, so that memory has a bound.
struct TileBand { int64_t begin, end; };

/// Calls body(tile) for each tile of a band within reach of a face, row by row.
template <typename Body>
void over_tiles(const TileBox& face, int tiles_x, TileBand band, Body&& body) {
  const int top = larger(face.first_y, int(band.begin / tiles_x));
  const int bottom = smaller(face.last_y, int((band.end - 1) / tiles_x));
  for (int y = top; y <= bottom; ++y)
    for (int x = face.first_x; x <= face.last_x; ++x) {
      const int64_t tile = int64_t(y) * tiles_x + x;
      if (tile >= band.begin && tile < band.end) body(tile);
    }
}

/// The same over all tiles of a view of this many in a row; `here` is 1, or 0 for a tile that the face
/// does not reach. Most faces reach up to 2 x 2 tiles: all four are called for, because a processor
/// cannot guess which it will be.
template <typename Body> LRAST_INLINE void over_all_tiles(const TileBox& face, int tiles_x, Body&& body) {
  const int32_t more_x = face.last_x - face.first_x, more_y = face.last_y - face.first_y;
  const int64_t tile = int64_t(face.first_y) * tiles_x + face.first_x;
  if (uint32_t(more_x) <= 1 && uint32_t(more_y) <= 1) {
    body(tile, int64_t(1));
    body(tile + 1, int64_t(more_x));
    body(tile + tiles_x, int64_t(more_y));
    body(tile + tiles_x + 1, int64_t(more_x & more_y));
    return;
  }
  for (int y = 0; y <= more_y; ++y)
    for (int x = 0; x <= more_x; ++x) body(tile + int64_t(y) * tiles_x + x, int64_t(1));
}
/// Tiles beyond the last that this may call for.
inline int64_t tiles_beyond(int tiles_x) { return tiles_x + 1; }

/// Counts the faces of all tiles: front.tile_begin.
template <typename T> void count_in_tiles(const SoftView<T>& view, SoftFront& front) {
  const int64_t num_tiles = view.num_tiles();
  const int tiles_x = view.tiles_x();
  front.tile_begin.zero(num_tiles + 1 + tiles_beyond(tiles_x));
  int64_t* const counts = front.tile_begin.data() + 1;
  const TileBox* const boxes = front.boxes.data();
  for (int64_t i = 0, count = view.num_faces; i < count; ++i)
    over_all_tiles(boxes[i], tiles_x, [&](int64_t tile, int64_t here) { counts[tile] += here; });
  for (int64_t tile = 0; tile < num_tiles; ++tile)
    front.tile_begin[tile + 1] += front.tile_begin[tile];
}

/// As many tiles from `begin` on as hold `most` faces, and at least one.
template <typename T>
TileBand find_band(const SoftView<T>& view, const SoftFront& front, int64_t begin, int64_t most) {
  int64_t end = begin + 1;
  while (end < view.num_tiles() && front.tile_begin[end + 1] - front.tile_begin[begin] <= most)
    ++end;
  return {begin, end};
}

/// Sorts the faces into the tiles of a band; `for_gradient` also lists the places of each face.
template <typename T>
void sort_into_tiles(const SoftView<T>& view, SoftFront& front, TileBand band, bool for_gradient) {
  const int tiles_x = view.tiles_x();
  front.first_place = front.tile_begin[band.begin];
  const int64_t total = front.tile_begin[band.end] - front.first_place;
  const int64_t beyond = tiles_beyond(tiles_x);
  // One place more, for the faces of tiles that they do not reach.
  front.tile_faces.resize(total + 1);
  front.cursor.resize(band.end - band.begin + beyond);
  for (int64_t tile = band.begin; tile < band.end; ++tile)
    front.cursor[tile - band.begin] = front.place_of(tile);
  for (int64_t i = 0; i < beyond; ++i) front.cursor[band.end - band.begin + i] = total;
  if (for_gradient) {
    front.face_begin.resize(view.num_faces + 1);
    front.face_places.resize(total + 1);
  }
  int64_t* const cursor = front.cursor.data();
  int32_t* const tile_faces = front.tile_faces.data();
  const TileBox* const boxes = front.boxes.data();
  int64_t next = 0;
  const auto put = [&](int64_t i, int64_t tile, int64_t here) {
    const int64_t place = cursor[tile];
    tile_faces[here ? place : total] = int32_t(i);
    cursor[tile] = place + here;
    if (!for_gradient) return;
    front.face_places[next] = place;
    next += here;
  };
  for (int64_t i = 0; i < view.num_faces; ++i) {
    if (for_gradient) front.face_begin[i] = next;
    if (band.begin == 0 && band.end == view.num_tiles())
      over_all_tiles(boxes[i], tiles_x, [&](int64_t tile, int64_t here) { put(i, tile, here); });
    else
      over_tiles(boxes[i], tiles_x, band, [&](int64_t tile) { put(i, tile - band.begin, 1); });
  }
  if (for_gradient) front.face_begin[view.num_faces] = next;
  front.tile_faces.resize(total);
}

/// Depth of a face that counts.
template <typename T>
SoftDepth depth_of_face(const SoftView<T>& view, const SoftFront& front, int32_t number) {
  ClipPoint clip[3];
  ScreenPoint polygon[kMaxSides];
  PolygonCorner corners[kMaxSides];
  int unplaced;
  polygon_of_face(view, front.screen.data(), view.faces + 3 * int64_t(number), clip, polygon,
                  corners, unplaced);
  return make_soft_depth(front.faces[number], clip, corners, view.model, front.perspective,
                         view.width, view.height);
}

/// From vertices to faces and how many there are in each tile.
template <typename T> SoftStatus prepare_view(const SoftView<T>& view, SoftFront& front) {
  SoftStatus status = place_vertices(view, front);
  if (status.code == SoftStatus::kOk) status = set_up_faces(view, front);
  if (status.code == SoftStatus::kOk) count_in_tiles(view, front);
  if (status.code == SoftStatus::kOk && view.model.faces_per_pixel > 0) place_keys(view, front);
  return status;
}

LRAST_END
