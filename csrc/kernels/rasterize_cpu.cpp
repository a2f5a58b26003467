// csrc/kernels/rasterize_cpu.cpp: drives the rasterizer over views and tiles.  Compiled per ISA
// level.
#include "rasterize_backward.h"
#include "rasterize_resolve.h"

#if defined(__linux__)
#include <sys/mman.h>
#endif

LRAST_BEGIN
namespace {

/// Asks for large pages under a large output. Fresh pages of the usual 4 kB cost more time than
/// everything that is computed for them.
template <typename T> void advise_large_pages(T* memory, int64_t count) {
#if defined(__linux__) && defined(MADV_HUGEPAGE)
  constexpr uintptr_t kPage = uintptr_t(1) << 21;
  const uintptr_t begin = (uintptr_t(memory) + kPage - 1) / kPage * kPage;
  const uintptr_t end = uintptr_t(memory + count) / kPage * kPage;
  if (begin < end) madvise(reinterpret_cast<void*>(begin), end - begin, MADV_HUGEPAGE);
#else
  (void)memory, (void)count;
#endif
}

/// The faces [begin, end) and the vertices that they name, or a face that names a missing one.
template <typename T>
RasterizeStatus look_at_faces(const RasterizeArgs<T>& args, int64_t view, FaceRange& range) {
  const int32_t* verts = args.faces;
  int32_t first = INT32_MAX, last = INT32_MIN;
  for (int64_t i = 3 * range.begin; i < 3 * range.end; ++i) {
    first = smaller(first, verts[i]);
    last = larger(last, verts[i]);
  }
  range.first_vert = first;
  range.last_vert = last;
  if (range.begin == range.end || (first >= 0 && last < args.num_verts))
    return {RasterizeStatus::kOk, 0, 0};
  int64_t i = 3 * range.begin;
  while (verts[i] >= 0 && verts[i] < args.num_verts) ++i;
  return {RasterizeStatus::kBadFace, view, i / 3};
}

/// What a thread needs to draw a tile; reused because fresh pages are slow.
template <typename T> struct TileMemory {
  Buffer<int64_t> nearest;
  Buffer<RasterRecord> records;
  Buffer<TileEntry> later;

  int64_t* aligned_nearest(int num_layers) {
    nearest.resize(int64_t(kRasterTile) * RasterTile<T>::kPitch * num_layers + 8);
    return nearest.data() + (64 - uintptr_t(nearest.data()) % 64) % 64 / sizeof(int64_t);
  }
};

template <typename T>
void draw_and_resolve(const RasterizeArgs<T>& args, int64_t view, const RasterizeFront& front,
                      const double* ndc_x, int64_t number) {
  static thread_local TileMemory<T> memory;
  int64_t num_faces = 0;
  if (args.bary)
    for (int i = 0; i < front.num_lists; ++i) num_faces += front.lists[i]->count(number);
  memory.records.resize(num_faces);
  const int left = int(number % front.tiles_x) * kRasterTile;
  const int top = int(number / front.tiles_x) * kRasterTile;
  const RasterBox box{left, top, smaller(left + kRasterTile, args.width),
                      smaller(top + kRasterTile, args.height)};
  const RasterTile<T> tile{box, args.num_layers, front.flat, memory.aligned_nearest(args.num_layers),
                     memory.records.data()};
  const auto draw = args.num_layers == 1 ? draw_tile<false, T> : draw_tile<true, T>;
  for (int row = 0; row < kRowsAhead; ++row)
    fetch_row(args, view * args.num_layers, box, box.top + row);
  draw(args, front, view_verts(args, view), number, tile, memory.later);
  if (!args.bary) return resolve_faces(args, view, tile);
  resolve_tile(args, view, ndc_x, tile);
}

template <typename T>
RasterizeStatus forward_view(const RasterizeArgs<T>& args, int64_t view, const FaceRange& range,
                             const double* ndc_x, int threads) {
  static thread_local RasterizeFront shared_front;
  RasterizeFront& front = shared_front;  // thread_local: other threads must not resolve it
  const T* verts = view_verts(args, view);
  const int64_t num_faces = range.end - range.begin;
  front.flat = is_flat(args, range, verts);
  front.first_vert = args.shared && num_faces > 0 ? range.first_vert : 0;
  const int64_t num_verts = !args.shared ? args.num_verts
                            : num_faces > 0 ? int64_t(range.last_vert) - range.first_vert + 1 : 0;
  if (!place_vertices(args, verts + 4 * int64_t(front.first_vert), num_verts, threads, front))
    return find_refused(args, view, front.first_vert, num_verts);
  front.tiles_x = (args.width + kRasterTile - 1) / kRasterTile;
  front.tiles_y = (args.height + kRasterTile - 1) / kRasterTile;
  const int64_t num_tiles = int64_t(front.tiles_x) * front.tiles_y;
  front.num_lists = num_chunks(num_faces, threads);
  for (int i = 0; i < front.num_lists; ++i) front.list(i);
  parallel_chunks(num_faces, front.num_lists, threads, [&](int chunk, int64_t begin, int64_t end) {
    TileLists& lists = *front.lists[chunk];
    lists.reset(num_tiles);
    const auto bin = front.any_hidden ? bin_faces<true, T> : bin_faces<false, T>;
    bin(args, verts, front, range.begin + begin, range.begin + end, lists);
  });
  for (int i = 0; i < front.num_lists; ++i)
    if (front.lists[i]->status.code != RasterizeStatus::kOk) {
      RasterizeStatus status = front.lists[i]->status;
      status.view = view;
      return status;
    }
  parallel_chunks(num_tiles, threads <= 1 ? 1 : int(num_tiles), threads,
                  [&](int, int64_t begin, int64_t end) {
    for (int64_t tile = begin; tile < end; ++tile) draw_and_resolve(args, view, front, ndc_x, tile);
  });
  return {RasterizeStatus::kOk, 0, 0};
}

template <typename T> RasterizeStatus forward(const RasterizeArgs<T>& args) {
  const RasterizeStatus no_memory{RasterizeStatus::kNoMemory, 0, 0};
  RasterizeStatus status{RasterizeStatus::kOk, 0, 0};
  const int64_t num_fragments =
      args.num_views * args.num_layers * int64_t(args.height) * args.width;
  advise_large_pages(args.face_idx, num_fragments);
  if (args.bary) {
    advise_large_pages(args.bary, 3 * num_fragments);
    advise_large_pages(args.depth, num_fragments);
  } else {
    advise_large_pages(args.coverage, num_fragments);
  }
  try {
    Buffer<FaceRange> ranges;
    Buffer<RasterizeStatus> results;
    Buffer<double> ndc_x;
    ranges.resize(args.num_views);
    results.resize(args.num_views);
    ndc_x.zero(args.width + kRasterTile);
    for (int column = 0; column < args.width; ++column)
      ndc_x[column] = ndc_of_column(column, args.width);
    for (int64_t view = 0; view < args.num_views; ++view) {
      FaceRange& range = ranges[view];
      if (!args.face_ranges) {
        if (view > 0) {
          range = ranges[0];
          continue;
        }
        range = {0, args.num_faces, 0, 0};
      } else {
        range = {args.face_ranges[2 * view], args.face_ranges[2 * view + 1], 0, 0};
        if (range.begin < 0 || range.end < range.begin || range.end > args.num_faces)
          return {RasterizeStatus::kBadRange, view, 0};
      }
      status = look_at_faces(args, view, range);
      if (status.code != RasterizeStatus::kOk) return status;
    }
    const int failed = over_views(args.num_views, larger(args.num_threads, 1),
                                  [&](int64_t view, int inner) {
      results[view] = forward_view(args, view, ranges[view], ndc_x.data(), inner);
    });
    if (failed) return no_memory;
    for (int64_t view = args.num_views - 1; view >= 0; --view)
      if (results[view].code != RasterizeStatus::kOk) status = results[view];
  } catch (const std::bad_alloc&) {
    return no_memory;
  }
  return status;
}

}  // namespace
LRAST_END

namespace lrast {
const RasterizeKernels LRAST_JOIN(rasterize_kernels, LRAST_ISA){
    forward<float>, forward<double>, backward<float>, backward<double>};
}
