// csrc/kernels/rasterize_bin.h: from the vertices of a view to lists of faces per tile (CPU).
#pragma once
#include <math.h>

#include "../core/raster.h"
#include "buffer.h"
#include "lanes.h"
#include "parallel.h"
#include "rasterize.h"

LRAST_BEGIN

constexpr int kRasterTile = 64;  // px; the visibility of a tile fits the fastest cache

/// What the near plane leaves of a face: a triangle, one of two, or both where rounding has folded
/// them over each other (see RasterFace).
struct CutTriangle {
  RasterPoint corner[3];
  int32_t face;
  int32_t folded;  // its number in TileLists::folded, or -1
};

/// What a range of faces sends to the tiles: for each tile a list of entries in the order of the
/// faces, in linked blocks. An entry is a face number, or ~i for the i-th cut triangle.
class TileLists {
 public:
  Buffer<CutTriangle> cut;
  Buffer<RasterFace> folded;
  RasterizeStatus status;

  void reset(int64_t num_tiles) {
    cut.clear();
    folded.clear();
    status = {RasterizeStatus::kOk, 0, 0};
    entries_.clear();
    next_.clear();
    lists_.zero(num_tiles);
  }
  void push(int64_t tile, int32_t entry) {
    List& list = lists_[tile];
    const int place = list.count % kBlock;
    if (place == 0) {
      const int64_t block = next_.size();
      (list.count == 0 ? list.first : next_[list.last]) = block;
      list.last = block;
      next_.push(0);
      entries_.reserve(kBlock);
      entries_.resize((block + 1) * kBlock);
    }
    entries_[list.last * kBlock + place] = entry;
    ++list.count;
  }
  int32_t count(int64_t tile) const { return lists_[tile].count; }
  /// Calls body(entries, count) for the blocks of a tile.
  template <typename Body> void for_each_block(int64_t tile, Body&& body) const {
    const List& list = lists_[tile];
    int64_t block = list.first;
    for (int32_t left = list.count; left > 0; left -= kBlock, block = next_[block])
      body(&entries_[block * kBlock], int(smaller<int32_t>(left, kBlock)));
  }

 private:
  static constexpr int kBlock = 64;
  struct List {
    int64_t first, last;  // blocks
    int32_t count;
  };
  Buffer<int32_t> entries_;
  Buffer<int64_t> next_;  // per block
  Buffer<List> lists_;    // per tile
};

/// One view on its way to the tiles; kept from call to call because fresh pages are slow.
struct RasterizeFront {
  Buffer<RasterPoint> points;  // of vertex first_vert and those after it
  Buffer<TileLists*> lists;    // per chunk of faces
  Buffer<uint8_t> flags;       // scratch of place_vertices()
  int32_t first_vert = 0;
  int tiles_x = 0, tiles_y = 0, num_lists = 0;
  bool flat = false, any_hidden = false;

  ~RasterizeFront() {
    for (int64_t i = 0; i < lists.size(); ++i) delete lists[i];
  }
  TileLists& list(int chunk) {
    while (lists.size() <= chunk) lists.push(new TileLists());
    return *lists[chunk];
  }
  const RasterPoint& point(int32_t vert) const { return points[vert - first_vert]; }
};

/// The faces that a view draws and the vertices that they may name.
struct FaceRange { int64_t begin, end; int32_t first_vert, last_vert; };

template <typename T> const T* view_verts(const RasterizeArgs<T>& args, int64_t view) {
  return args.verts_clip + (args.shared ? 0 : 4 * args.num_verts * view);
}
template <typename T> ClipPoint clip_point(const T* verts, int32_t vert) {
  return load_clip(verts + 4 * int64_t(vert));
}

/// Whether all faces of the view have the same clip w at all corners.
template <typename T>
bool is_flat(const RasterizeArgs<T>& args, const FaceRange& range, const T* verts) {
  if (range.begin == range.end) return true;
  const int32_t* corners = args.faces;
  const T w = verts[4 * int64_t(corners[3 * range.begin]) + 3];
  for (int64_t i = 3 * range.begin; i < 3 * range.end; ++i)
    if (verts[4 * int64_t(corners[i]) + 3] != w) return false;
  return true;
}

/// The first vertex that has no finite place on the screen, and why.
template <typename T>
RasterizeStatus find_refused(const RasterizeArgs<T>& args, int64_t view, int32_t first_vert,
                             int64_t count) {
  const T* verts = view_verts(args, view);
  for (int64_t v = first_vert; v < first_vert + count; ++v) {
    const ClipPoint p = load_clip(verts + 4 * v);
    const RasterPoint s = place_raster_vertex(p, args.width, args.height, false);
    if (is_hidden(s) || is_finite(s.x)) continue;
    const bool finite = is_finite(p.x) && is_finite(p.y) && is_finite(p.z) && is_finite(p.w);
    return {finite && p.w <= 0.0 ? RasterizeStatus::kNotInFront : RasterizeStatus::kNotFinite,
            view, v};
  }
  return {RasterizeStatus::kOk, 0, 0};
}

/// Places the vertices. False if one has no finite place on the screen.
template <typename T>
bool place_vertices(const RasterizeArgs<T>& args, const T* verts, int64_t count, int threads,
                    RasterizeFront& front) {
  front.points.resize(count);
  RasterPoint* points = front.points.data();
  const double width = args.width, height = args.height;
  const bool flat = front.flat;
  const int chunks = num_chunks(count, threads);
  front.flags.zero(2 * chunks);
  parallel_chunks(count, chunks, threads, [&](int chunk, int64_t begin, int64_t end) {
    bool marked = false, good = true;
    for (int64_t v = begin; v < end; ++v) {
      const RasterPoint p = place_raster_vertex(load_clip(verts + 4 * v), width, height, flat);
      points[v] = p;
      if (p.x == p.x) continue;
      marked = true;
      good &= is_hidden(p);
    }
    front.flags[2 * chunk] = marked;
    front.flags[2 * chunk + 1] = !good;
  });
  bool bad = false;
  front.any_hidden = false;
  for (int i = 0; i < chunks; ++i) {
    front.any_hidden |= front.flags[2 * i] != 0;
    bad |= front.flags[2 * i + 1] != 0;
  }
  return !bad;
}

/// Pixels whose centres a face may cover, at most one too many on the left and on top.
struct alignas(16) PixelBox { int32_t left, top, right, bottom; };
struct BoxLimits {
  double width, height;
  // A centre on the left or upper border of the box must stay inside of it.
  static constexpr double kLowRound = 0.5 - 0x1p-20, kHighRound = 0.5;
};

/// True if the box holds a pixel.
inline bool pixel_box(const RasterPoint& a, const RasterPoint& b, const RasterPoint& c,
                      const BoxLimits& limits, PixelBox& box) {
#ifdef __SSE2__
  const __m128d p = _mm_loadu_pd(&a.x), q = _mm_loadu_pd(&b.x), r = _mm_loadu_pd(&c.x);
  const __m128d zero = _mm_setzero_pd(), size = _mm_loadu_pd(&limits.width);
  const __m128d low = _mm_add_pd(_mm_min_pd(_mm_min_pd(p, q), r), _mm_set1_pd(limits.kLowRound));
  const __m128d high = _mm_add_pd(_mm_max_pd(_mm_max_pd(p, q), r), _mm_set1_pd(limits.kHighRound));
  const __m128i begin = _mm_cvttpd_epi32(_mm_min_pd(_mm_max_pd(low, zero), size));
  const __m128i end = _mm_cvttpd_epi32(_mm_min_pd(_mm_max_pd(high, zero), size));
  _mm_store_si128(reinterpret_cast<__m128i*>(&box), _mm_unpacklo_epi64(begin, end));
  return (_mm_movemask_ps(_mm_castsi128_ps(_mm_cmpgt_epi32(end, begin))) & 3) == 3;
#else
  const double left = smaller(smaller(a.x, b.x), c.x), right = larger(larger(a.x, b.x), c.x);
  const double top = smaller(smaller(a.y, b.y), c.y), bottom = larger(larger(a.y, b.y), c.y);
  box.left = int32_t(clamped(left + limits.kLowRound, 0.0, limits.width));
  box.top = int32_t(clamped(top + limits.kLowRound, 0.0, limits.height));
  box.right = int32_t(clamped(right + limits.kHighRound, 0.0, limits.width));
  box.bottom = int32_t(clamped(bottom + limits.kHighRound, 0.0, limits.height));
  return box.left < box.right && box.top < box.bottom;
#endif
}

inline void push_to_tiles(const RasterizeFront& front, const PixelBox& box, int32_t entry,
                          TileLists& lists) {
  const int first_x = box.left / kRasterTile, last_x = (box.right - 1) / kRasterTile;
  const int last_y = (box.bottom - 1) / kRasterTile;
  for (int y = box.top / kRasterTile; y <= last_y; ++y)
    for (int x = first_x; x <= last_x; ++x) lists.push(int64_t(y) * front.tiles_x + x, entry);
}

/// Entries with their boxes on the way to the tiles.
struct BinnedFaces {
  static constexpr int kFaces = 256;  // of which each may be cut into two triangles
  PixelBox boxes[2 * kFaces + 1];
  int32_t entries[2 * kFaces + 1];
  int count;
};

/// Bins what is seen of a face with a hidden corner.
template <typename T>
void bin_cut_face(const RasterizeArgs<T>& args, const T* verts, const RasterizeFront& front,
                  int64_t face, const BoxLimits& limits, TileLists& lists, BinnedFaces& binned) {
  const int32_t* vert = args.faces + 3 * face;
  ClipPoint corners[3];
  RasterPoint placed[3];
  for (int i = 0; i < 3; ++i) {
    corners[i] = clip_point(verts, vert[i]);
    placed[i] = front.point(vert[i]);
  }
  const RasterFace shape =
      make_raster_face(corners, placed, limits.width, limits.height, front.flat, args.cull);
  if (shape.unplaced >= 0 && lists.status.code == RasterizeStatus::kOk)
    lists.status = {RasterizeStatus::kNotInFront, 0, vert[shape.unplaced]};
  const bool folded = shape.count == 2 && shape.sign[0] != shape.sign[1];
  for (int i = 0; i < shape.count; ++i) {
    if (folded && shape.sign[i] < 0) continue;  // lies over the other half
    const RasterPoint* corner = shape.corner[i];
    PixelBox& box = binned.boxes[binned.count];
    if (!pixel_box(corner[0], corner[1], corner[2], limits, box)) continue;
    binned.entries[binned.count++] = ~int32_t(lists.cut.size());
    lists.cut.push({{corner[0], corner[1], corner[2]}, int32_t(face),
                    folded ? int32_t(lists.folded.size()) : -1});
    if (folded) lists.folded.push(shape);
  }
}

/// Sends the faces of [begin, end) to the tiles that their bounding boxes meet.
template <bool kAnyHidden, typename T>
void bin_faces(const RasterizeArgs<T>& args, const T* verts, const RasterizeFront& front,
               int64_t begin, int64_t end, TileLists& lists) {
  BinnedFaces binned;
  const BoxLimits limits{double(args.width), double(args.height)};
  const RasterPoint* points = front.points.data() - front.first_vert;
  for (int64_t first = begin; first < end; first += BinnedFaces::kFaces) {
    const int64_t last = smaller(first + BinnedFaces::kFaces, end);
    binned.count = 0;
    for (int64_t f = first; f < last; ++f) {
      const int32_t* vert = args.faces + 3 * f;
      const RasterPoint &a = points[vert[0]], &b = points[vert[1]], &c = points[vert[2]];
      if (kAnyHidden && !(a.x == a.x && b.x == b.x && c.x == c.x)) {
        if (a.x == a.x || b.x == b.x || c.x == c.x)
          bin_cut_face(args, verts, front, f, limits, lists, binned);
        continue;
      }
      // Every face is written, the place moves on past those that count: no branch to mispredict.
      binned.entries[binned.count] = int32_t(f);
      binned.count += pixel_box(a, b, c, limits, binned.boxes[binned.count]);
    }
    for (int i = 0; i < binned.count; ++i)
      push_to_tiles(front, binned.boxes[i], binned.entries[i], lists);
  }
}

LRAST_END
