// csrc/kernels/antialias_cpu.cpp: drives the stages over views and threads.  Compiled per ISA level.
#include "antialias_view.h"

#include "antialias_backward.h"
#include "antialias_row.h"
#include "antialias_pairs.h"
#include "antialias_plain.h"

LRAST_BEGIN
namespace {

/// Everything a thread needs for a view; kept between calls because fresh pages are slow.
template <typename T> struct AntialiasSpace {
  ViewOutline outline;
  FrontScratch<1> scratch;
  RowBins bins;
  Buffer<RowChunk<T>*> chunks;
  Buffer<RowStart> start;       // (H + 1,)
  Buffer<int32_t> chunk_of;     // (H,)
  Buffer<uint64_t> plain;       // (H, plain_words), see AntialiasPicture
  Buffer<Buffer<Crossing>*> merged;  // per chunk
  Buffer<int32_t> tape_number;  // of each contour edge that the tape names

  ~AntialiasSpace() {
    for (int64_t i = 0; i < chunks.size(); ++i) delete chunks[i];
    for (int64_t i = 0; i < merged.size(); ++i) delete merged[i];
  }
  void reset(int num_chunks, int height) {
    while (chunks.size() < num_chunks) chunks.push(new RowChunk<T>());
    while (merged.size() < num_chunks) merged.push(new Buffer<Crossing>());
    for (int i = 0; i < num_chunks; ++i) {
      RowChunk<T>& chunk = *chunks[i];
      chunk.pieces.clear();
      chunk.visible.clear();
      chunk.pixels.clear();
      chunk.crossings.clear();
      chunk.below.clear();
      chunk.blended.clear();
      chunk.spans.clear();
      chunk.border_pieces.clear();
      chunk.faces.clear();
    }
    start.resize(height);
    chunk_of.resize(height);
  }
  /// What begins in a row and ends with it.
  template <typename Item>
  const Item* slice(int row, const Buffer<Item>& all, int64_t RowStart::*member, int64_t& count) {
    const bool last = row + 1 >= start.size() || chunk_of[row + 1] != chunk_of[row];
    const int64_t begin = start[row].*member;
    count = (last ? all.size() : start[row + 1].*member) - begin;
    return all.data() + begin;
  }
  RowPixels pixels_of(int row) {
    RowChunk<T>& chunk = *chunks[chunk_of[row]];
    int64_t count;
    const PixelPieces* begin = slice(row, chunk.pixels, &RowStart::pixels, count);
    return {begin, begin + count};
  }
};

template <typename T>
AntialiasStatus check_faces(const AntialiasArgs<T>& args, int64_t view) {
  const int64_t pixels = int64_t(args.height) * args.width;
  const int32_t* const face_idx = args.face_idx + view * pixels;
  int32_t least = -1, most = -1;
  for (int64_t i = 0; i < pixels; ++i) {
    least = smaller(least, face_idx[i]);
    most = larger(most, face_idx[i]);
  }
  if (least >= -1 && most < args.topology.num_faces) return {AntialiasStatus::kOk, 0, 0};
  int64_t bad = 0;
  while (face_idx[bad] >= -1 && face_idx[bad] < args.topology.num_faces) ++bad;
  return {AntialiasStatus::kBadFace, view, bad};
}

/// The contour edges of a view.
template <typename T>
ContourStatus find_outline(const AntialiasArgs<T>& args, int64_t view, int threads,
                           AntialiasSpace<T>& space) {
  const ContourArgs<T> contour{args.topology, args.verts_clip, nullptr,     args.num_views,
                               args.height,   args.width,      threads,     nullptr,
                               args.cull,     args.face_ranges};
  const ViewBlock<T, 1> block{contour, view, 1, {&space.outline}};
  outline_views(block, threads, space.scratch, [](ContourStage) {});
  return space.outline.status;
}

template <typename T>
AntialiasStatus forward_view(const AntialiasArgs<T>& args, int64_t index, int threads,
                             Buffer<uint8_t>* tape) {
  static thread_local AntialiasSpace<T> own_space;
  AntialiasSpace<T>& space = own_space;  // other threads must not resolve it themselves
  AntialiasStatus bad = check_faces(args, index);
  if (bad.code != AntialiasStatus::kOk) return bad;
  const ContourStatus status = find_outline(args, index, threads, space);
  if (status.code != ContourStatus::kOk) return {status.code, status.view, status.vert};
  bin_edges(space.outline.edges, args.height, args.width, space.bins);

  const int64_t rows = args.height, pixels = rows * args.width;
  const int chunks = threads <= 1 ? 1 : int(smaller<int64_t>(rows, 8 * int64_t(threads)));
  space.reset(chunks, args.height);
  const T* const verts = args.verts_clip + 4 * args.topology.num_verts * index;
  AntialiasView<T> view{};
  view.faces = args.topology.faces;
  view.neighbors = args.face_neighbors;
  view.verts = verts;
  view.image = args.image + index * pixels * args.num_channels;
  view.face_idx = args.face_idx + index * pixels;
  view.out = args.out + index * pixels * args.num_channels;
  view.num_verts = args.topology.num_verts;
  view.height = args.height;
  view.width = args.width;
  view.channels = args.num_channels;
  view.image_grad = args.image_grad != 0;
  view.record = tape != nullptr;
  view.premultiplied = args.premultiplied != 0;
  view.cull = args.cull;
  view.face_range = args.face_ranges ? args.face_ranges + 2 * index : nullptr;
  view.flat = is_flat_view(args.topology.faces, view.face_range ? view.face_range[0] : 0,
                           view.face_range ? view.face_range[1] : args.topology.num_faces, verts);
  view.edges = space.outline.edges.data();
  view.cuts = space.outline.cuts.data();
  view.bins = &space.bins;
  if (!view.image_grad) {
    view.plain_words = (args.width + 63) / 64;
    space.plain.resize(rows * view.plain_words);
    view.plain = space.plain.data();
  }

  parallel_chunks(rows, chunks, threads, [&](int i, int64_t begin, int64_t end) {
    RowChunk<T>& chunk = *space.chunks[i];
    for (int64_t row = begin; row < end; ++row) {
      space.chunk_of[row] = i;
      space.start[row].pixels = chunk.pixels.size();
      sweep_pieces(view, int(row), chunk);
      if (view.plain)
        mark_plain(view, int(row), &space.plain[row * view.plain_words], chunk.same);
      copy_row(view, int(row));
    }
  });
  parallel_chunks(rows, chunks, threads, [&](int i, int64_t begin, int64_t end) {
    RowChunk<T>& chunk = *space.chunks[i];
    for (int64_t row = begin; row < end; ++row) {
      space.start[row].crossings = chunk.crossings.size();
      space.start[row].below = chunk.below.size();
      find_crossings(view, int(row), chunk);
    }
  });
  parallel_chunks(rows, chunks, threads, [&](int i, int64_t begin, int64_t end) {
    RowChunk<T>& chunk = *space.chunks[i];
    for (int64_t row = begin; row < end; ++row) {
      int64_t num_crossings, num_above = 0;
      const Crossing* crossings =
          space.slice(int(row), chunk.crossings, &RowStart::crossings, num_crossings);
      const Crossing* above = nullptr;
      if (row > 0)
        above = space.slice(int(row) - 1, space.chunks[space.chunk_of[row - 1]]->below,
                            &RowStart::below, num_above);
      blend_row(view, int(row), space.pixels_of(int(row)), crossings, num_crossings, above,
                num_above, chunk, *space.merged[i]);
    }
  });
  if (tape)
    write_antialias_tape(space.chunks, chunks, space.outline, view.flat, space.tape_number, *tape);
  return {AntialiasStatus::kOk, 0, 0};
}

/// Calls body(view, threads inside the view) for every view: threads over the views where there
/// are enough of them, else inside each. False if memory ran out.
template <typename Body> bool for_views(int64_t num_views, int threads, Body&& body) {
  try {
    if (threads > 1 && num_views >= threads && num_views <= INT32_MAX) {
      parallel_chunks(num_views, int(num_views), threads,
                      [&](int view, int64_t, int64_t) { body(int64_t(view), 1); });
    } else {
      for (int64_t view = 0; view < num_views; ++view) body(view, threads);
    }
  } catch (const std::bad_alloc&) {
    return false;
  }
  return true;
}

struct ViewOutcome {
  Buffer<uint8_t> tape;
  AntialiasStatus status{AntialiasStatus::kOk, 0, 0};
};

template <typename T>
AntialiasStatus forward(const AntialiasArgs<T>& args, int64_t** tape, int64_t* tape_words) {
  const AntialiasStatus no_memory{AntialiasStatus::kNoMemory, 0, 0};
  if (tape) *tape = nullptr;
  const size_t num_views = size_t(args.num_views);
  ViewOutcome* const outcomes = new (std::nothrow) ViewOutcome[num_views];
  const Buffer<uint8_t>** const tapes = new (std::nothrow) const Buffer<uint8_t>*[num_views];
  AntialiasStatus status = no_memory;
  if (outcomes && tapes &&
      for_views(args.num_views, larger(args.num_threads, 1), [&](int64_t view, int threads) {
        tapes[view] = &outcomes[view].tape;
        outcomes[view].status =
            forward_view(args, view, threads, tape ? &outcomes[view].tape : nullptr);
      })) {
    status = {AntialiasStatus::kOk, 0, 0};
    for (int64_t view = args.num_views - 1; view >= 0; --view)
      if (outcomes[view].status.code != AntialiasStatus::kOk) status = outcomes[view].status;
    if (status.code == AntialiasStatus::kOk && tape &&
        !join_antialias_tapes(tapes, args.num_views, tape, tape_words))
      status = no_memory;
  }
  delete[] tapes;
  delete[] outcomes;
  return status;
}

template <typename T> AntialiasStatus::Code backward(const AntialiasBackwardArgs<T>& args) {
  if (args.tape_words < 2 || args.tape[0] != args.tape_words ||
      args.tape[args.tape_words - 1] != kTapeMark)
    return AntialiasStatus::kTapeLost;
  const bool done = for_views(args.num_views, larger(args.num_threads, 1),
                              [&](int64_t view, int threads) { backward_view(args, view, threads); });
  return done ? AntialiasStatus::kOk : AntialiasStatus::kNoMemory;
}

}  // namespace
LRAST_END

namespace lrast {
const AntialiasKernels LRAST_JOIN(antialias_kernels, LRAST_ISA){forward<float>, forward<double>,
                                                                backward<float>, backward<double>};
}
