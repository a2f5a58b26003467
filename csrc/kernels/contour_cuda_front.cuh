// csrc/kernels/contour_cuda_front.cuh: from vertices to the contour edges of all views (CUDA).
#pragma once
#include "contour_cuda_work.cuh"

LRAST_BEGIN

template <typename T>
__global__ void __launch_bounds__(kBlock) project_vertices(const ForwardWork<T> work) {
  const int64_t i = thread_number();
  if (i >= work.args.num_views * work.args.topology.num_verts) return;
  const ClipPoint clip = load_clip(work.args.verts_clip + 4 * i);
  const ScreenPoint placed = place_vertex(clip, work.args.width, work.args.height);
  work.screen[i] = placed;
}

/// Stores a warp's 32 candidates as one word.
template <typename T>
__device__ void mark_candidates(const ForwardWork<T>& work, int64_t word, bool is_candidate) {
  const uint32_t bits = __ballot_sync(kWholeWarp, is_candidate);
  if (lane_number() != 0) return;
  work.bits[word] = bits;
  if (bits) atomicAdd(&work.bit_tiles[word / kBlock], Count(__popc(bits)));
}

template <typename T>
__device__ FaceCut cut_face_of(const ForwardWork<T>& work, int64_t view, int64_t face) {
  const int32_t* verts = work.args.topology.faces + 3 * face;
  ClipPoint corners[3];
  ScreenPoint screen[3];
  for (int i = 0; i < 3; ++i) {
    corners[i] = work.clip(view, verts[i]);
    screen[i] = work.on_screen(view, verts[i]);
  }
  return cut_face(corners, screen, work.args.width, work.args.height);
}

/// Signs of all faces. One that the near plane cuts is a candidate for the edge along the cut.
template <typename T>
__global__ void __launch_bounds__(kBlock) sign_faces(const ForwardWork<T> work) {
  const ContourTopology& topology = work.args.topology;
  const int64_t warp = thread_number() / 32;
  if (warp >= work.args.num_views * work.face_words) return;
  const int64_t view = warp / work.face_words, word = warp % work.face_words;
  const int64_t face = 32 * word + lane_number();
  bool is_cut = false;
  if (face < topology.num_faces) {
    const int32_t* verts = topology.faces + 3 * face;
    ScreenPoint screen[3];
    int num_hidden = 0;
    for (int i = 0; i < 3; ++i) {
      screen[i] = work.on_screen(view, verts[i]);
      num_hidden += is_hidden(screen[i]);
    }
    int sign = face_sign(screen[0], screen[1], screen[2]);
    if (num_hidden == 1 || num_hidden == 2) {
      const FaceCut cut = cut_face_of(work, view, face);
      sign = cut.unplaced < 0 ? cut.sign : 0;
    }
    const int64_t* const ranges = work.args.face_ranges;
    sign = drawn_sign(sign, face, work.args.cull, ranges ? ranges + 2 * view : nullptr);
    is_cut = sign != 0 && (num_hidden == 1 || num_hidden == 2);
    work.signs[view * topology.num_faces + face] = int8_t(sign);
  }
  mark_candidates(work, view * work.words_per_view + word, is_cut);
}

/// Whether an edge can matter to the image. Left of it, its winding still does.
template <typename T>
__device__ bool reaches_image(const ForwardWork<T>& work, int64_t view, int64_t edge) {
  const int32_t* ends = work.args.topology.edge_verts + 2 * edge;
  const ScreenPoint a = work.on_screen(view, ends[0]), b = work.on_screen(view, ends[1]);
  const bool a_hidden = is_hidden(a), b_hidden = is_hidden(b);
  if (a_hidden || b_hidden) return !(a_hidden && b_hidden);
  const int height = work.args.height;
  if (a.x >= work.args.width && b.x >= work.args.width) return false;
  return row_begin(smaller(a.y, b.y), height) < row_end(larger(a.y, b.y), height);
}

/// Candidates among the edges: those whose faces do not cancel.
template <typename T>
__global__ void __launch_bounds__(kBlock) weigh_edges(const ForwardWork<T> work) {
  const ContourTopology& topology = work.args.topology;
  const int64_t edge_words = work.words_per_view - work.face_words;
  const int64_t warp = thread_number() / 32;
  if (warp >= work.args.num_views * edge_words) return;
  const int64_t view = warp / edge_words, word = warp % edge_words;
  const int64_t edge = 32 * word + lane_number();
  const bool is_candidate =
      edge < topology.num_edges &&
      edge_weight(topology, work.signs + view * topology.num_faces, edge) != 0 &&
      reaches_image(work, view, edge);
  mark_candidates(work, view * work.words_per_view + work.face_words + word, is_candidate);
}

template <typename T>
__global__ void __launch_bounds__(kScanBlock) scan_candidates(const ForwardWork<T> work) {
  scan_in_block(work.bit_tiles, work.num_tiles, &work.tape.totals->edges);
}

/// Lists the candidates in order: by view, and there the cut faces before the edges.
template <typename T>
__global__ void __launch_bounds__(kBlock) list_candidates(const ForwardWork<T> work) {
  const int64_t word = thread_number();
  uint32_t bits = word < work.num_words ? work.bits[word] : 0;
  Count total;
  int64_t slot = int64_t(work.bit_tiles[blockIdx.x] + block_exclusive_sum(__popc(bits), total));
  if (bits == 0) return;
  const int64_t view = word / work.words_per_view, item = word % work.words_per_view;
  for (; bits && slot < work.args.capacity; bits &= bits - 1, ++slot) {
    const int bit = __ffs(int(bits)) - 1;
    work.found[slot] = item < work.face_words
                           ? FoundEdge{int32_t(~view), int32_t(32 * item + bit)}
                           : FoundEdge{int32_t(view), int32_t(32 * (item - work.face_words) + bit)};
  }
}

/// An end of a contour edge before it is known which is on top.
struct EdgeEnd {
  ScreenPoint point;
  int32_t visible, hidden;
};

template <typename T>
__device__ ContourEdge assemble_edge(const ForwardWork<T>& work, FoundEdge found,
                                     CudaTapeEdge& record) {
  const ContourTopology& topology = work.args.topology;
  const int64_t view = found.view < 0 ? ~found.view : found.view, item = found.item;
  const int8_t* signs = work.signs + view * topology.num_faces;
  EdgeEnd ends[2];
  int weight;
  if (found.view < 0) {
    const int32_t* verts = topology.faces + 3 * item;
    const FaceCut cut = cut_face_of(work, view, item);
    weight = signs[item];
    ends[0] = {cut.leaving, verts[cut.leaving_from], verts[cut.leaving_to]};
    ends[1] = {cut.entering, verts[cut.entering_to], verts[cut.entering_from]};
  } else {
    const int32_t* verts = topology.edge_verts + 2 * item;
    weight = edge_weight(topology, signs, item);
    for (int i = 0; i < 2; ++i) ends[i] = {work.on_screen(view, verts[i]), verts[i], -1};
    for (int i = 0; i < 2; ++i) {
      if (!is_hidden(ends[i].point)) continue;
      ends[i].visible = verts[1 - i];
      ends[i].hidden = verts[i];
      // A cut without a place has removed the faces, and so the edge.
      place_cut(work.clip(view, verts[1 - i]), work.clip(view, verts[i]), work.args.width,
                work.args.height, ends[i].point);
    }
  }
  const ContourEdge edge = make_contour_edge(ends[0].point, ends[1].point, 0, 1, weight);
  const EdgeEnd &top = edge.top == 0 ? ends[0] : ends[1], &bottom = edge.top == 0 ? ends[1] : ends[0];
  record = {edge.x1 - edge.x0, edge.y1 - edge.y0, {top.visible, bottom.visible},
            {top.hidden, bottom.hidden}, int32_t(view), 0, 0};
  return edge;
}

/// Counts what cut_row() emits, without the column left of the image.
struct PieceCounter {
  int count = 0;
  LRAST_HD void operator()(int column, const Piece&) { count += column >= 0; }
};

LRAST_HD bool lies_left(const ContourEdge& e) { return e.x0 < 0.0 && e.x1 < 0.0; }

LRAST_HD int count_pieces(const ContourEdge& e, int height, int width) {
  if ((e.x0 >= width && e.x1 >= width) || lies_left(e)) return 0;
  PieceCounter counter;
  const int end = row_end(e.y1, height);
  for (int row = row_begin(e.y0, height); row < end; ++row) cut_row(e, 0, row, width, counter);
  return counter.count;
}

/// The listed contour edges, and how many pieces each will have.
template <typename T>
__global__ void __launch_bounds__(kBlock) assemble_edges(const ForwardWork<T> work) {
  const int64_t slot = thread_number();
  int count = 0;
  if (slot < work.num_edges()) {
    const ContourEdge edge = assemble_edge(work, work.found[slot], work.tape.edges[slot]);
    count = count_pieces(edge, work.args.height, work.args.width);
    work.edges[slot] = edge;
    work.piece_counts[slot] = count;
  }
  Count total;
  block_exclusive_sum(Count(count), total);
  if (threadIdx.x == 0) work.piece_tiles[blockIdx.x] = total;
}

template <typename T>
__global__ void __launch_bounds__(kScanBlock) scan_pieces(const ForwardWork<T> work) {
  const int64_t capacity = work.args.capacity;
  CudaTotals* totals = work.tape.totals;
  scan_in_block(work.piece_tiles, blocks_for(capacity, kBlock), &totals->pieces);
  if (threadIdx.x != 0) return;
  // Edges without room were not cut; they are taken to have as many pieces as the others.
  const double share = larger(1.0, double(totals->edges) / double(capacity));
  totals->needed = larger(totals->edges, Count(double(totals->pieces) * share));
  totals->mark = kTapeMark + capacity;
}

LRAST_END
