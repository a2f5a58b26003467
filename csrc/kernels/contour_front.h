// csrc/kernels/contour_front.h: from vertices to contour edges, for a block of views (CPU).
#pragma once
#include <math.h>

#include "contour_block.h"
#include "contour_sign.h"
#include "parallel.h"

LRAST_BEGIN

/// A block's geometry on its way from vertices to contour edges; reused from call to call.
template <int L> struct FrontScratch {
  Buffer<RoughPoint<L>> rough;  // (V,), NaN where the vertex is behind the near plane
  Buffer<SignCode> codes;       // (F,)
  Buffer<uint8_t> flags;        // per chunk of vertices: lanes with hidden ones, with refused ones
  Pool<Buffer<int32_t>> found;  // edges with a weight in some view, per chunk
  Buffer<int32_t> of_lane;      // those of one view

  bool is_hidden(int lane, int32_t vert) const { return isnan(rough[vert].x[lane]); }
};

constexpr double kFar = 1e30;  // px; beyond it, or hidden, or not finite: a closer look

/// Projects one vertex in all views; false if it needs a closer look in one of them.
template <typename T, int L>
bool place_roughly(const T* const* verts, double width, double height, RoughPoint<L>& rough) {
  bool clear = true;
  for (int lane = 0; lane < L; ++lane) {
    const ClipPoint p = load_clip(verts[lane]);
    const ScreenPoint s = screen_from_clip(p, width, height);
    const double distance = near_distance(p);
    clear &= (distance >= 0.0) & (distance <= kFar) & (p.w > 0.0) & (fabs(s.x) <= kFar) &
             (fabs(s.y) <= kFar);
    rough.x[lane] = float(s.x);
    rough.y[lane] = float(s.y);
  }
  return clear;
}

#ifdef __AVX512F__
/// The same for two vertices in a row, a view per lane.
inline bool place_pair(const float* const* verts, double width, double height,
                       RoughPoint<4>* rough) {
  const __m256 view0 = _mm256_loadu_ps(verts[0]), view1 = _mm256_loadu_ps(verts[1]);
  const __m256 view2 = _mm256_loadu_ps(verts[2]), view3 = _mm256_loadu_ps(verts[3]);
  const __m256 xy01 = _mm256_unpacklo_ps(view0, view1), zw01 = _mm256_unpackhi_ps(view0, view1);
  const __m256 xy23 = _mm256_unpacklo_ps(view2, view3), zw23 = _mm256_unpackhi_ps(view2, view3);
  const auto low = [](__m256 a, __m256 b) {
    return _mm512_maskz_cvtps_pd(0xff, _mm256_shuffle_ps(a, b, 0x44));
  };
  const auto high = [](__m256 a, __m256 b) {
    return _mm512_maskz_cvtps_pd(0xff, _mm256_shuffle_ps(a, b, 0xee));
  };
  const __m512d w = high(zw01, zw23), distance = low(zw01, zw23) + w;
  const __m512d half = _mm512_set1_pd(0.5), half_inv_w = half / w;
  const __m512d x = (low(xy01, xy23) * half_inv_w + half) * _mm512_set1_pd(width);
  const __m512d y = (half - high(xy01, xy23) * half_inv_w) * _mm512_set1_pd(height) +
                    _mm512_set1_pd(kShear) * x;
  const __m512d far = _mm512_set1_pd(kFar), zero = _mm512_setzero_pd();
  // The masked forms: GCC 12 warns of its own headers at the others.
  const __m256 x8 = _mm512_maskz_cvtpd_ps(0xff, x), y8 = _mm512_maskz_cvtpd_ps(0xff, y);
  _mm256_storeu_ps(rough[0].x, _mm256_permute2f128_ps(x8, y8, 0x20));
  _mm256_storeu_ps(rough[1].x, _mm256_permute2f128_ps(x8, y8, 0x31));
  return (_mm512_cmp_pd_mask(distance, zero, _CMP_GE_OQ) &
          _mm512_cmp_pd_mask(distance, far, _CMP_LE_OQ) &
          _mm512_cmp_pd_mask(w, zero, _CMP_GT_OQ) &
          _mm512_cmp_pd_mask(_mm512_abs_pd(x), far, _CMP_LE_OQ) &
          _mm512_cmp_pd_mask(_mm512_abs_pd(y), far, _CMP_LE_OQ)) == 0xff;
}
#endif

#ifdef __AVX2__
/// The same with a view per lane of a vector.
inline bool place_roughly(const float* const* verts, double width, double height,
                          RoughPoint<4>& rough) {
  __m128 x4 = _mm_loadu_ps(verts[0]), y4 = _mm_loadu_ps(verts[1]);
  __m128 z4 = _mm_loadu_ps(verts[2]), w4 = _mm_loadu_ps(verts[3]);
  _MM_TRANSPOSE4_PS(x4, y4, z4, w4);
  const __m256d w = _mm256_cvtps_pd(w4), distance = _mm256_cvtps_pd(z4) + w;
  const __m256d half = _mm256_set1_pd(0.5), half_inv_w = half / w;
  const __m256d x = (_mm256_cvtps_pd(x4) * half_inv_w + half) * _mm256_set1_pd(width);
  const __m256d y = (half - _mm256_cvtps_pd(y4) * half_inv_w) * _mm256_set1_pd(height) +
                    _mm256_set1_pd(kShear) * x;
  const __m256d far = _mm256_set1_pd(kFar), zero = _mm256_setzero_pd();
  const __m256d no_sign = _mm256_set1_pd(-0.0);
  const auto within = [&](__m256d v) { return _mm256_cmp_pd(v, far, _CMP_LE_OQ); };
  const __m256d clear = _mm256_and_pd(
      _mm256_and_pd(_mm256_and_pd(_mm256_cmp_pd(distance, zero, _CMP_GE_OQ), within(distance)),
                    _mm256_cmp_pd(w, zero, _CMP_GT_OQ)),
      _mm256_and_pd(within(_mm256_andnot_pd(no_sign, x)), within(_mm256_andnot_pd(no_sign, y))));
  _mm_storeu_ps(rough.x, _mm256_cvtpd_ps(x));
  _mm_storeu_ps(rough.y, _mm256_cvtpd_ps(y));
  return _mm256_movemask_pd(clear) == 15;
}
#endif

/// Projects the vertices. Returns the lanes in which one has no finite place on the screen.
template <typename T, int L>
int project_vertices(const ViewBlock<T, L>& block, int threads, FrontScratch<L>& front) {
  constexpr int64_t kAtOnce = 256;
  const int64_t num_verts = block.args.topology.num_verts;
  const double width = block.args.width, height = block.args.height;
  front.rough.resize(num_verts);
  RoughPoint<L>* rough = front.rough.data();
  const int chunks = num_chunks(num_verts, threads);
  front.flags.zero(2 * chunks);
  parallel_chunks(num_verts, chunks, threads, [&](int chunk, int64_t begin, int64_t end) {
    const T* verts[L];
    for (int lane = 0; lane < L; ++lane) verts[lane] = block.verts(lane);
    for (int64_t first = begin; first < end; first += kAtOnce) {
      const int64_t last = smaller(first + kAtOnce, end);
      int unclear = 0;
      int64_t v = first;
#ifdef __AVX512F__
      if constexpr (L == 4 && sizeof(T) == sizeof(float)) {
        for (; v + 2 <= last; v += 2) {
          const float* pair[L];
          for (int lane = 0; lane < L; ++lane) pair[lane] = verts[lane] + 4 * v;
          unclear |= int(!place_pair(pair, width, height, rough + v));
        }
      }
#endif
      for (; v < last; ++v) {
        const T* vert[L];
        for (int lane = 0; lane < L; ++lane) vert[lane] = verts[lane] + 4 * v;
        unclear |= int(!place_roughly(vert, width, height, rough[v]));
      }
      if (!unclear) continue;
      for (int64_t v = first; v < last; ++v) {
        for (int lane = 0; lane < L; ++lane) {
          const ScreenPoint s = place_vertex(load_clip(verts[lane] + 4 * v), width, height);
          rough[v].x[lane] = float(s.x);
          rough[v].y[lane] = float(s.y);
          if (is_hidden(s)) front.flags[2 * chunk] |= uint8_t(1 << lane);
          else if (!is_finite(s.x)) front.flags[2 * chunk + 1] |= uint8_t(1 << lane);
        }
      }
    }
  });
  int hidden = 0, refused = 0;
  for (int i = 0; i < chunks; ++i) {
    hidden |= front.flags[2 * i];
    refused |= front.flags[2 * i + 1];
  }
  for (int lane = 0; lane < block.count; ++lane)
    block.outlines[lane]->any_hidden = hidden >> lane & 1;
  return refused & block.lanes();
}

/// The first vertex that project_vertices() refused, and why.
template <typename T> ContourStatus find_refused(const ContourArgs<T>& args, int64_t view) {
  const int64_t num_verts = args.topology.num_verts;
  for (int64_t v = 0; v < num_verts; ++v) {
    const ClipPoint p = load_clip(args.verts_clip + 4 * (num_verts * view + v));
    const ScreenPoint s = place_vertex(p, args.width, args.height);
    if (is_hidden(s) || is_finite(s.x)) continue;
    const bool finite = is_finite(p.x) && is_finite(p.y) && is_finite(p.z) && is_finite(p.w);
    return {finite && p.w <= 0.0 ? ContourStatus::kNotInFront : ContourStatus::kNotFinite, view, v};
  }
  return {ContourStatus::kOk, 0, 0};
}

/// Sign of a face from exact positions; 0 if a corner is hidden (cut_faces() then decides).
template <typename T, int L>
int sign_exactly(const ViewBlock<T, L>& block, int lane, const FrontScratch<L>& front,
                 const int32_t* face) {
  for (int i = 0; i < 3; ++i)
    if (front.is_hidden(lane, face[i])) return 0;
  return face_sign(block.screen(lane, face[0]), block.screen(lane, face[1]),
                   block.screen(lane, face[2]));
}

/// Signs of the projected faces, for those wholly in front of the near plane; others get 0.
///
/// Float arithmetic decides where the area exceeds a bound on its error, which is nearly
/// everywhere; the few others are computed in double, so that the result is that of double.
template <typename T, int L>
void sign_faces(const ViewBlock<T, L>& block, int threads, FrontScratch<L>& front) {
  const int64_t num_faces = block.args.topology.num_faces;
  front.codes.resize(num_faces);
  SignCode* codes = front.codes.data();
  parallel_chunks(num_faces, num_chunks(num_faces, threads), threads,
                  [&](int, int64_t begin, int64_t end) {
    for (int64_t first = begin; first < end; first += kSignBlock) {
      const int count = int(smaller<int64_t>(kSignBlock, end - first));
      const int32_t* faces = block.args.topology.faces + 3 * first;
      if (sign_block(front.rough.data(), faces, count, block.lanes(), codes + first)) continue;
      for (int i = 0; i < count; ++i) {
        SignCode& code = codes[first + i];
        const int unsure = block.lanes() & ~signed_lanes(code);
        if (!unsure) continue;
        for (int lane = 0; lane < block.count; ++lane)
          if (unsure >> lane & 1)
            code |= sign_code(sign_exactly(block, lane, front, faces + 3 * i), lane);
      }
    }
  });
}

/// Takes away the signs of faces that the views leave out.
template <typename T, int L>
void leave_out_faces(const ViewBlock<T, L>& block, int threads, FrontScratch<L>& front) {
  const ContourArgs<T>& args = block.args;
  if (args.cull == kCullNone && !args.face_ranges) return;
  SignCode* const codes = front.codes.data();
  const int64_t num_faces = args.topology.num_faces;
  parallel_chunks(num_faces, num_chunks(num_faces, threads), threads,
                  [&](int, int64_t begin, int64_t end) {
    for (int64_t f = begin; f < end; ++f) {
      SignCode code = 0;
      for (int lane = 0; lane < L; ++lane)
        code |= sign_code(drawn_sign(ViewSigns{codes, lane}[f], f, args.cull,
                                     block.face_range(lane)), lane);
      codes[f] = code;
    }
  });
}

/// Signs of the faces that the near plane cuts in a view, and the edges along the cut.
template <typename T, int L>
ContourStatus cut_faces(const ViewBlock<T, L>& block, int lane, FrontScratch<L>& front) {
  const ContourTopology& topology = block.args.topology;
  const double width = block.args.width, height = block.args.height;
  ViewOutline& outline = *block.outlines[lane];
  for (int64_t f = 0; f < topology.num_faces; ++f) {
    const int32_t* face = topology.faces + 3 * f;
    int num_hidden = 0;
    for (int i = 0; i < 3; ++i) num_hidden += front.is_hidden(lane, face[i]);
    if (num_hidden == 0 || num_hidden == 3) continue;
    ClipPoint corners[3];
    ScreenPoint screen[3];
    for (int i = 0; i < 3; ++i) {
      corners[i] = block.clip(lane, face[i]);
      screen[i] = place_vertex(corners[i], width, height);
    }
    const FaceCut cut = cut_face(corners, screen, width, height);
    if (cut.unplaced >= 0)
      return {ContourStatus::kNotInFront, block.first + lane, face[cut.unplaced]};
    const int sign = drawn_sign(cut.sign, f, block.args.cull, block.face_range(lane));
    front.codes[f] |= sign_code(sign, lane);
    if (sign == 0) continue;
    const int32_t first = int32_t(topology.num_verts + outline.cuts.size());
    outline.cuts.push({face[cut.leaving_from], face[cut.leaving_to]});
    outline.cuts.push({face[cut.entering_to], face[cut.entering_from]});
    outline.edges.push(make_contour_edge(cut.leaving, cut.entering, first, first + 1, sign));
  }
  return {ContourStatus::kOk, 0, 0};
}

/// Finds the edges whose faces do not cancel in one of the views, in the order of the topology.
template <typename T, int L>
void find_edges(const ViewBlock<T, L>& block, int threads, FrontScratch<L>& front) {
  const ContourTopology& topology = block.args.topology;
  const SignCode* codes = front.codes.data();
  const int chunks = num_chunks(topology.num_edges, threads);
  front.found.resize(chunks);
  parallel_chunks(topology.num_edges, chunks, threads, [&](int chunk, int64_t begin, int64_t end) {
    Buffer<int32_t>& found = front.found[chunk];
    found.clear();
    const int64_t regular_end = smaller(end, topology.num_regular);
    const int32_t* faces = topology.edge_faces;
    int64_t e = begin;
    // Every edge is written, the place moves on past those that count: no branch to mispredict.
    int32_t* place = found.reserve(larger<int64_t>(regular_end - begin, 0) + 1);
    int32_t* const first = place;
    for (; e < regular_end; ++e) {
      *place = int32_t(e);
      place += codes[faces[2 * e]] != codes[faces[2 * e + 1]];
    }
    found.resize(place - first);
    for (; e < end; ++e) {
      int weighs = 0;
      for (int lane = 0; lane < block.count; ++lane)
        weighs |= edge_weight(topology, ViewSigns{codes, lane}, e);
      if (weighs != 0) found.push(int32_t(e));
    }
  });
}

/// Those of the found edges that have a weight in a view.
template <typename T, int L>
void select_edges(const ViewBlock<T, L>& block, int lane, FrontScratch<L>& front) {
  const ViewSigns signs{front.codes.data(), lane};
  front.of_lane.clear();
  for (int64_t chunk = 0; chunk < front.found.size(); ++chunk) {
    const Buffer<int32_t>& found = front.found[chunk];
    int32_t* place = front.of_lane.reserve(found.size() + 1);
    int32_t* const first = place;
    for (int64_t i = 0; i < found.size(); ++i) {
      __builtin_prefetch(block.args.topology.edge_verts + 2 * int64_t(found[i]));
      *place = found[i];
      place += edge_weight(block.args.topology, signs, found[i]) != 0;
    }
    front.of_lane.resize(front.of_lane.size() + (place - first));
  }
}

/// Appends the contour edges of a view, in the order of the topology.
template <typename T, int L>
ContourStatus make_edges(const ViewBlock<T, L>& block, int lane, FrontScratch<L>& front) {
  const ContourTopology& topology = block.args.topology;
  const ViewSigns signs{front.codes.data(), lane};
  ViewOutline& outline = *block.outlines[lane];
  const T* verts = block.verts(lane);
  const int64_t count = front.of_lane.size();
  for (int64_t i = 0; i < count; ++i) {
    constexpr int64_t kAhead = 12;  // an edge's vertices are anywhere
    const int32_t* later = topology.edge_verts +
                           2 * int64_t(front.of_lane[smaller(i + kAhead, count - 1)]);
    __builtin_prefetch(verts + 4 * int64_t(later[0]));
    __builtin_prefetch(verts + 4 * int64_t(later[1]));
    const int32_t edge = front.of_lane[i];
    const int32_t* ends = topology.edge_verts + 2 * int64_t(edge);
    int32_t vert[2] = {ends[0], ends[1]};
    ScreenPoint point[2] = {block.screen(lane, ends[0]), block.screen(lane, ends[1])};
    if (outline.any_hidden) {
      const bool hidden_a = front.is_hidden(lane, ends[0]);
      const bool hidden_b = front.is_hidden(lane, ends[1]);
      if (hidden_a && hidden_b) continue;
      if (hidden_a || hidden_b) {
        const int side = hidden_a ? 0 : 1;
        const TapeCut cut{ends[1 - side], ends[side]};
        if (!place_cut(block.clip(lane, cut.visible), block.clip(lane, cut.hidden),
                       block.args.width, block.args.height, point[side]))
          return {ContourStatus::kNotInFront, block.first + lane, cut.visible};
        vert[side] = int32_t(topology.num_verts + outline.cuts.size());
        outline.cuts.push(cut);
      }
    }
    outline.edges.push(make_contour_edge(point[0], point[1], vert[0], vert[1],
                                         edge_weight(topology, signs, edge)));
  }
  return {ContourStatus::kOk, 0, 0};
}

/// Fills the block's outlines. Calls done(stage) after each of the stages.
template <typename T, int L, typename Done>
void outline_views(const ViewBlock<T, L>& block, int threads, FrontScratch<L>& front,
                   Done&& done) {
  for (int lane = 0; lane < block.count; ++lane) {
    ViewOutline& outline = *block.outlines[lane];
    outline.edges.clear();
    outline.cuts.clear();
    outline.status = {ContourStatus::kOk, 0, 0};
  }
  const int refused = project_vertices(block, threads, front);
  for (int lane = 0; lane < block.count; ++lane)
    if (refused >> lane & 1)
      block.outlines[lane]->status = find_refused(block.args, block.first + lane);
  done(kProject);
  sign_faces(block, threads, front);
  leave_out_faces(block, threads, front);
  for (int lane = 0; lane < block.count; ++lane) {
    ViewOutline& outline = *block.outlines[lane];
    if (outline.any_hidden && outline.status.code == ContourStatus::kOk)
      outline.status = cut_faces(block, lane, front);
  }
  done(kSign);
  find_edges(block, threads, front);
  for (int lane = 0; lane < block.count; ++lane) {
    ViewOutline& outline = *block.outlines[lane];
    if (outline.status.code != ContourStatus::kOk) continue;
    select_edges(block, lane, front);
    outline.status = make_edges(block, lane, front);
  }
  done(kWeight);
}

LRAST_END
