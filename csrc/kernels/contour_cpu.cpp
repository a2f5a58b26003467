// csrc/kernels/contour_cpu.cpp: drives the stages over views and threads.  Compiled per ISA level.
#include "contour_front.h"
#include "contour_sweep.h"

#include <chrono>

LRAST_BEGIN
namespace {

class StageClock {
 public:
  explicit StageClock(double* stage_ms) : stage_ms_(stage_ms), last_(Clock::now()) {}
  void end(ContourStage stage) {
    if (!stage_ms_) return;
    const Clock::time_point now = Clock::now();
    stage_ms_[stage] += std::chrono::duration<double, std::milli>(now - last_).count();
    last_ = now;
  }

 private:
  using Clock = std::chrono::steady_clock;
  double* stage_ms_;
  Clock::time_point last_;
};

/// What a call finds in one view. Kept between calls, as all buffers are: fresh pages are slow.
template <typename T> struct ViewSpace {
  ViewOutline outline;
  RowBins bins;
  Pool<Buffer<TapePiece<T>>> records;  // per chunk of rows

  int64_t num_pieces() const {
    int64_t count = 0;
    for (int64_t i = 0; i < records.size(); ++i) count += records[i].size();
    return count;
  }
  int64_t tape_bytes() const {
    return int64_t(sizeof(TapeView)) + outline.edges.size() * int64_t(sizeof(TapeEdge)) +
           outline.cuts.bytes() + num_pieces() * int64_t(sizeof(TapePiece<T>));
  }
};

/// The views of the calling thread's last call, and the words of the tape that waits in them.
template <typename T> struct CallSpace {
  Pool<ViewSpace<T>> views;
  int64_t pending_words = 0;
};
template <typename T> CallSpace<T>& call_space() {
  static thread_local CallSpace<T> space;
  return space;
}

template <typename Item> uint8_t* append(uint8_t* out, const Item* items, int64_t count) {
  if (count > 0) memcpy(out, items, size_t(count) * sizeof(Item));
  return out + count * int64_t(sizeof(Item));
}

/// A view's tape: counts, edges, cuts, pieces in row order.
template <typename T> uint8_t* write_view(const ViewSpace<T>& view, uint8_t* out) {
  const Buffer<ContourEdge>& edges = view.outline.edges;
  const TapeView head{edges.size(), view.outline.cuts.size(), view.num_pieces()};
  out = append(out, &head, 1);
  for (int64_t i = 0; i < edges.size(); ++i) {
    const ContourEdge& e = edges[i];
    const TapeEdge record{e.x1 - e.x0, e.y1 - e.y0, e.top, e.bottom};
    out = append(out, &record, 1);
  }
  out = append(out, view.outline.cuts.data(), head.cuts);
  for (int64_t i = 0; i < view.records.size(); ++i)
    out = append(out, view.records[i].data(), view.records[i].size());
  return out;
}

/// The mark, the size and the views' places; the views follow from write_views().
template <typename T>
void write_frame(const Pool<ViewSpace<T>>& views, int64_t* tape, int64_t words) {
  int64_t place = 8 * (1 + views.size());
  for (int64_t view = 0; view < views.size(); ++view) {
    tape[1 + view] = place;
    place += views[view].tape_bytes();
  }
  tape[0] = words;
  tape[words - 1] = kTapeMark;
}
/// Those views that no other thread has taken.
template <typename T>
void write_views(const Pool<ViewSpace<T>>& views, int64_t* tape, int64_t& next) {
  for (int64_t view; (view = take_next(next)) < views.size();)
    write_view(views[view], reinterpret_cast<uint8_t*>(tape) + tape[1 + view]);
}

/// One forward call: blocks of views, and for each as many tasks as there are chunks of rows.
template <typename T> struct ForwardCall {
  const ContourArgs<T>& args;
  Pool<ViewSpace<T>>& views;
  ContourTapeRoom* tape;  // or null: nothing is recorded
  int threads;
  int64_t views_per_block, num_blocks;
  int chunks;  // of rows, per view
  ContourStatus status{ContourStatus::kOk, 0, 0};
  bool writes = false;             // the tape has room
  int64_t next_written = 0;        // view
  int begun = 0, ended = 0;        // threads
  bool joined = false, is_framed = false;

  int64_t block_end(int64_t block) const {
    return smaller((block + 1) * views_per_block, args.num_views);
  }
  int64_t num_tasks(int64_t block) const {
    return (block_end(block) - block * views_per_block) * chunks;
  }
};

template <typename T, int L>
void outline_and_bin(ForwardCall<T>& call, int64_t begin, int64_t end, int threads) {
  static thread_local FrontScratch<L> own;
  FrontScratch<L>& front = own;  // thread_local: other threads must not resolve it themselves
  const ContourArgs<T>& args = call.args;
  StageClock clock(args.stage_ms);
  ViewBlock<T, L> block{args, begin, int(end - begin), {}};
  for (int lane = 0; lane < block.count; ++lane)
    block.outlines[lane] = &call.views[begin + lane].outline;
  outline_views(block, threads, front, [&](ContourStage stage) { clock.end(stage); });
  for (int64_t view = begin; view < end; ++view)
    bin_edges(call.views[view].outline.edges, args.height, args.width, call.views[view].bins);
  clock.end(kBin);
}

template <typename T> void outline_block(ForwardCall<T>& call, int64_t block, int threads) {
  const int64_t begin = block * call.views_per_block, end = call.block_end(block);
  if (end - begin == 1)
    outline_and_bin<T, 1>(call, begin, end, threads);
  else
    outline_and_bin<T, kViewLanes>(call, begin, end, threads);
}

// Not inlined: the address of a thread_local would be looked up at every use, by a call.
template <typename T> __attribute__((noinline)) RowScratch<T>& own_scratch() {
  static thread_local RowScratch<T> scratch;
  return scratch;
}

/// One chunk of rows of a view.
template <typename T> void sweep_task(ForwardCall<T>& call, int64_t block, int64_t task) {
  RowScratch<T>& scratch = own_scratch<T>();
  const ContourArgs<T>& args = call.args;
  const int64_t number = block * call.views_per_block + task / call.chunks;
  const int64_t chunk = task % call.chunks;
  ViewSpace<T>& view = call.views[number];
  if (view.outline.status.code != ContourStatus::kOk) return;
  StageClock clock(args.stage_ms);
  T* coverage = args.coverage + number * args.height * args.width;
  Buffer<TapePiece<T>>& record = view.records[chunk];
  record.clear();
  scratch.record.swap(record);
  const int64_t end = args.height * (chunk + 1) / call.chunks;
  for (int64_t row = args.height * chunk / call.chunks; row < end; ++row)
    sweep_row(view.outline.edges, view.bins, int(row), args.width, call.tape != nullptr,
              coverage + row * args.width, scratch);
  scratch.record.swap(record);
  clock.end(kSweep);
}

/// What the views have found, as a whole.
template <typename T> void frame_tape(ForwardCall<T>& call) {
  const int64_t num_views = call.args.num_views;
  int64_t bytes = 8 * (2 + num_views);
  for (int64_t view = num_views - 1; view >= 0; --view) {
    const ViewSpace<T>& found = call.views[view];
    if (found.outline.status.code != ContourStatus::kOk) call.status = found.outline.status;
    bytes += found.tape_bytes();
  }
  if (!call.tape || call.status.code != ContourStatus::kOk) return;
  call.tape->words = bytes / 8;  // every record is made of whole words
  call.writes = call.tape->words <= call.tape->room;
  if (call.writes) write_frame(call.views, call.tape->memory, call.tape->words);
}

/// For each thread that has no more to sweep: the last one frames the tape, then all fill it.
template <typename T> void join_views(ForwardCall<T>& call) {
  const int ended = __atomic_add_fetch(&call.ended, 1, __ATOMIC_SEQ_CST);
  const bool last = ended == __atomic_load_n(&call.begun, __ATOMIC_SEQ_CST);
  if (last && !__atomic_exchange_n(&call.joined, true, __ATOMIC_ACQ_REL)) {
    frame_tape(call);
    __atomic_store_n(&call.is_framed, true, __ATOMIC_RELEASE);
  }
  StageClock clock(call.args.stage_ms);
  // Going to sleep takes longer than the others' last tasks.
  for (int turn = 0; turn < kMostTurns; ++turn) {
    if (__atomic_load_n(&call.is_framed, __ATOMIC_ACQUIRE)) {
      if (call.writes) write_views(call.views, call.tape->memory, call.next_written);
      clock.end(kRecord);
      return;
    }
    pause_briefly();
  }
}

/// Every view's outline, then its sweep. One thread per block; whoever is done helps the others.
template <typename T> void forward_views(ForwardCall<T>& call) {
  if (call.num_blocks < call.threads) {
    for (int64_t block = 0; block < call.num_blocks; ++block) {
      outline_block(call, block, call.threads);
      parallel_tasks(call.num_tasks(block), call.threads,
                     [&](int64_t task) { sweep_task(call, block, task); });
    }
    frame_tape(call);
    return;
  }
  TaskBlocks blocks(call.num_blocks);
  on_threads(call.threads, [&] {
    __atomic_add_fetch(&call.begun, 1, __ATOMIC_SEQ_CST);
    blocks.work(
        [&](int64_t block) {
          outline_block(call, block, 1);
          return call.num_tasks(block);
        },
        [&](int64_t block, int64_t task) { sweep_task(call, block, task); });
    join_views(call);
  });
}

template <typename T>
ContourStatus forward(const ContourArgs<T>& args, ContourTapeRoom* tape) {
  // Stage times of threads running side by side would not add up.
  const int threads = args.stage_ms ? 1 : larger(args.num_threads, 1);
  // With fewer views than threads, the threads share each block.
  const int64_t share = args.num_views < threads ? args.num_views
                                                 : (args.num_views + threads - 1) / threads;
  const int64_t views_per_block = clamped<int64_t>(share, 1, kViewLanes);
  const int64_t num_blocks = (args.num_views + views_per_block - 1) / views_per_block;
  constexpr int kRowsPerTask = 16;  // enough work to be worth taking
  const int chunks = threads == 1 ? 1 : clamped(args.height / kRowsPerTask, 1, 8 * threads);
  CallSpace<T>& space = call_space<T>();
  space.pending_words = 0;
  try {
    space.views.resize(args.num_views);
    for (int64_t view = 0; view < args.num_views; ++view) space.views[view].records.resize(chunks);
    ForwardCall<T> call{args, space.views, tape, threads, views_per_block, num_blocks, chunks};
    forward_views(call);
    if (call.writes)
      write_views(call.views, tape->memory, call.next_written);
    else if (tape)
      space.pending_words = tape->words;
    return call.status;
  } catch (const std::bad_alloc&) {
    return {ContourStatus::kNoMemory, 0, 0};
  }
}

template <typename T>
ContourStatus::Code take_tape(int64_t* tape, int64_t tape_words, double* stage_ms) {
  CallSpace<T>& space = call_space<T>();
  if (space.pending_words == 0 || space.pending_words != tape_words)
    return ContourStatus::kTapeLost;
  StageClock clock(stage_ms);
  space.pending_words = 0;
  int64_t next = 0;
  write_frame(space.views, tape, tape_words);
  write_views(space.views, tape, next);
  clock.end(kRecord);
  return ContourStatus::kOk;
}

template <typename T> void add_to_vertex(T* grad, ClipPoint p) {
  grad[0] += T(p.x);
  grad[1] += T(p.y);
  grad[2] += T(p.z);
  grad[3] += T(p.w);
}

/// Adds a screen gradient at a contour edge's end to the vertex, or vertices, it comes from.
template <typename T>
void add_end_gradient(const ContourBackwardArgs<T>& args, int64_t view, const TapeCut* cuts,
                      int32_t end, ScreenPoint grad) {
  const T* verts = args.verts_clip + 4 * args.num_verts * view;
  T* grad_verts = args.grad_verts_clip + 4 * args.num_verts * view;
  if (end < args.num_verts) {
    const ClipPoint p = load_clip(verts + 4 * int64_t(end));
    add_to_vertex(grad_verts + 4 * int64_t(end),
                  screen_from_clip_vjp(p, args.width, args.height, grad));
    return;
  }
  const TapeCut cut = cuts[end - args.num_verts];
  const ClipPoint a = load_clip(verts + 4 * int64_t(cut.visible));
  const ClipPoint b = load_clip(verts + 4 * int64_t(cut.hidden));
  ClipPoint grad_a, grad_b;
  clip_at_near_vjp(a, b, screen_from_clip_vjp(clip_at_near(a, b), args.width, args.height, grad),
                   grad_a, grad_b);
  add_to_vertex(grad_verts + 4 * int64_t(cut.visible), grad_a);
  add_to_vertex(grad_verts + 4 * int64_t(cut.hidden), grad_b);
}

template <typename T> void backward_view(const ContourBackwardArgs<T>& args, int64_t view) {
  static thread_local Buffer<ScreenPoint> weighted;  // per edge: sums for the top and bottom end
  const uint8_t* bytes = reinterpret_cast<const uint8_t*>(args.tape) + args.tape[1 + view];
  const TapeView head = *reinterpret_cast<const TapeView*>(bytes);
  const TapeEdge* edges = reinterpret_cast<const TapeEdge*>(bytes + sizeof(TapeView));
  const TapeCut* cuts = reinterpret_cast<const TapeCut*>(edges + head.edges);
  const TapePiece<T>* pieces = reinterpret_cast<const TapePiece<T>*>(cuts + head.cuts);
  const T* grad_coverage = args.grad_coverage + view * int64_t(args.height) * args.width;
  weighted.zero(head.edges);
  const int64_t num_values = 4 * args.num_verts;
  memset(args.grad_verts_clip + view * num_values, 0, size_t(num_values) * sizeof(T));
  for (int64_t i = 0; i < head.pieces; ++i) {
    // The picture that the forward pass wrote has pushed this one out of the cache.
    constexpr int64_t kAhead = 16;
    __builtin_prefetch(&grad_coverage[pieces[smaller(i + kAhead, head.pieces - 1)].pixel]);
    const TapePiece<T> piece = pieces[i];
    const double grad = grad_coverage[piece.pixel];
    weighted[piece.edge].x += grad * piece.top;
    weighted[piece.edge].y += grad * piece.bottom;
  }
  for (int64_t i = 0; i < head.edges; ++i) {
    const ScreenPoint sums = weighted[i];
    if (sums.x == 0.0 && sums.y == 0.0) continue;
    const TapeEdge e = edges[i];
    add_end_gradient(args, view, cuts, e.top, end_gradient(e.dx, e.dy, sums.x));
    add_end_gradient(args, view, cuts, e.bottom, end_gradient(e.dx, e.dy, sums.y));
  }
}

template <typename T> ContourStatus::Code backward(const ContourBackwardArgs<T>& args) {
  if (!is_whole_tape(args.tape, args.tape_words)) return ContourStatus::kTapeLost;
  // Waking a thread takes longer than the gradient of an ordinary outline.
  constexpr int64_t kWorthThreads = 1 << 20;
  const int64_t bytes =
      8 * args.tape[0] + 4 * args.num_views * args.num_verts * int64_t(sizeof(T));
  const int threads = bytes < kWorthThreads ? 1 : larger(args.num_threads, 1);
  try {
    parallel_tasks(args.num_views, threads, [&](int64_t view) { backward_view(args, view); });
  } catch (const std::bad_alloc&) {
    return ContourStatus::kNoMemory;
  }
  return ContourStatus::kOk;
}

}  // namespace
LRAST_END

namespace lrast {
const ContourKernels LRAST_JOIN(contour_kernels, LRAST_ISA){
    forward<float>,    forward<double>, take_tape<float>,
    take_tape<double>, backward<float>, backward<double>};
}
