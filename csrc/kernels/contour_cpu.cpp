// csrc/kernels/contour_cpu.cpp: drives the stages over views and threads.  Compiled per ISA level.
#include "contour_front.h"
#include "contour_sweep.h"

#include <chrono>

LRAST_BEGIN
namespace {

/// Everything a thread needs for a view; kept between calls because fresh pages are slow.
template <typename T> struct Workspace {
  ContourFront front;
  RowBins bins;
  Buffer<RowScratch<T>*> rows;  // per chunk of rows
  Buffer<int32_t> tape_number;  // of each contour edge that is seen

  ~Workspace() {
    for (int64_t i = 0; i < rows.size(); ++i) delete rows[i];
  }
  RowScratch<T>& row_scratch(int chunk) {
    while (rows.size() <= chunk) rows.push(new RowScratch<T>());
    return *rows[chunk];
  }
};

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

template <typename Item> uint8_t* append(uint8_t* out, const Item* items, int64_t count) {
  if (count > 0) memcpy(out, items, size_t(count) * sizeof(Item));
  return out + count * int64_t(sizeof(Item));
}

/// The view's tape: counts, the edges that are seen, cuts, pieces in row order.
template <typename T> void write_tape(Workspace<T>& space, int chunks, Buffer<uint8_t>& tape) {
  const Buffer<ContourEdge>& edges = space.front.edges;
  TapeView head{0, space.front.cuts.size(), 0};
  Buffer<int32_t>& number = space.tape_number;
  number.zero(edges.size());
  for (int i = 0; i < chunks; ++i) {
    const Buffer<TapePiece<T>>& pieces = space.rows[i]->record;
    head.pieces += pieces.size();
    for (int64_t k = 0; k < pieces.size(); ++k) number[pieces[k].edge] = 1;
  }
  for (int64_t i = 0; i < edges.size(); ++i) head.edges += number[i];
  tape.resize(int64_t(sizeof(TapeView)) + head.edges * int64_t(sizeof(TapeEdge)) +
              head.cuts * int64_t(sizeof(TapeCut)) + head.pieces * int64_t(sizeof(TapePiece<T>)));
  uint8_t* out = append(tape.data(), &head, 1);
  int32_t next = 0;
  for (int64_t i = 0; i < edges.size(); ++i) {
    if (!number[i]) continue;
    const ContourEdge& e = edges[i];
    const TapeEdge record{e.x1 - e.x0, e.y1 - e.y0, e.top, e.bottom};
    out = append(out, &record, 1);
    number[i] = next++;
  }
  out = append(out, space.front.cuts.data(), head.cuts);
  for (int i = 0; i < chunks; ++i) {
    Buffer<TapePiece<T>>& pieces = space.rows[i]->record;
    for (int64_t k = 0; k < pieces.size(); ++k) pieces[k].edge = number[pieces[k].edge];
    out = append(out, pieces.data(), pieces.size());
  }
}

template <typename T>
ContourStatus forward_view(const ContourArgs<T>& args, int64_t view, int threads,
                           Buffer<uint8_t>* tape) {
  static thread_local Workspace<T> space;
  ContourFront& front = space.front;
  StageClock clock(args.stage_ms);
  front.edges.clear();
  front.cuts.clear();
  if (!project_vertices(args, view, threads, front)) return find_refused(args, view);
  clock.end(kProject);
  sign_faces(args, view, threads, front);
  ContourStatus status{ContourStatus::kOk, 0, 0};
  if (front.any_hidden) status = cut_faces(args, view, front);
  if (status.code != ContourStatus::kOk) return status;
  clock.end(kSign);
  status = weigh_edges(args, view, threads, front);
  if (status.code != ContourStatus::kOk) return status;
  clock.end(kWeight);
  bin_edges(front.edges, args.height, args.width, space.bins);
  clock.end(kBin);

  const int64_t rows = args.height;
  const int chunks = threads <= 1 ? 1 : int(smaller<int64_t>(rows, 8 * int64_t(threads)));
  for (int i = 0; i < chunks; ++i) space.row_scratch(i).record.clear();
  T* coverage = args.coverage + view * rows * args.width;
  Workspace<T>& shared = space;  // thread_local: other threads must not resolve it themselves
  parallel_chunks(rows, chunks, threads, [&](int chunk, int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row)
      sweep_row(shared.front.edges, shared.bins, int(row), args.width, tape != nullptr,
                coverage + row * args.width, *shared.rows[chunk]);
  });
  clock.end(kSweep);
  if (tape) write_tape(space, chunks, *tape);
  clock.end(kRecord);
  return status;
}

struct ViewResult {
  Buffer<uint8_t> tape;
  ContourStatus status{ContourStatus::kOk, 0, 0};
};

bool join_tapes(const ViewResult* results, int64_t num_views, int64_t** tape, int64_t* tape_words) {
  int64_t words = 2 + num_views;  // every record is made of whole words
  for (int64_t view = 0; view < num_views; ++view) words += results[view].tape.size() / 8;
  int64_t* out = static_cast<int64_t*>(malloc(size_t(words) * sizeof(int64_t)));
  if (!out) return false;
  uint8_t* end = reinterpret_cast<uint8_t*>(out + 1 + num_views);
  for (int64_t view = 0; view < num_views; ++view) {
    out[1 + view] = end - reinterpret_cast<uint8_t*>(out);
    end = append(end, results[view].tape.data(), results[view].tape.size());
  }
  out[0] = words;
  out[words - 1] = kTapeMark;
  *tape = out;
  *tape_words = words;
  return true;
}

template <typename T>
ContourStatus forward(const ContourArgs<T>& args, int64_t** tape, int64_t* tape_words) {
  const ContourStatus no_memory{ContourStatus::kNoMemory, 0, 0};
  if (tape) *tape = nullptr;
  ViewResult* results = new (std::nothrow) ViewResult[size_t(args.num_views)];
  if (!results) return no_memory;
  // Stage times of threads running side by side would not add up.
  const int threads = args.stage_ms ? 1 : larger(args.num_threads, 1);
  const int failed = over_views(args.num_views, threads, [&](int64_t view, int inner) {
    results[view].status =
        forward_view(args, view, inner, tape ? &results[view].tape : nullptr);
  });
  ContourStatus status{ContourStatus::kOk, 0, 0};
  for (int64_t view = args.num_views - 1; view >= 0; --view)
    if (results[view].status.code != ContourStatus::kOk) status = results[view].status;
  if (failed) status = no_memory;
  if (status.code == ContourStatus::kOk && tape &&
      !join_tapes(results, args.num_views, tape, tape_words))
    status = no_memory;
  delete[] results;
  return status;
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
  for (int64_t i = 0; i < head.pieces; ++i) {
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
  if (args.tape_words < 2 || args.tape[0] != args.tape_words ||
      args.tape[args.tape_words - 1] != kTapeMark)
    return ContourStatus::kTapeLost;
  // Waking a thread takes longer than the gradient of an ordinary outline.
  constexpr int64_t kWorthThreads = 1 << 17;
  const int threads = args.tape_words < kWorthThreads ? 1 : larger(args.num_threads, 1);
  const int failed = over_views(args.num_views, threads,
                                [&](int64_t view, int) { backward_view(args, view); });
  return failed ? ContourStatus::kNoMemory : ContourStatus::kOk;
}

}  // namespace
LRAST_END

namespace lrast {
const ContourKernels LRAST_JOIN(contour_kernels, LRAST_ISA){forward<float>, forward<double>,
                                                            backward<float>, backward<double>};
}
