// csrc/kernels/contour_front.h: from vertices to the contour edges of one view (CPU).
#pragma once
#include <math.h>

#include "../core/near_plane.h"
#include "buffer.h"
#include "contour.h"
#include "contour_sign.h"
#include "parallel.h"

LRAST_BEGIN

/// One view's geometry on its way from vertices to contour edges; reused from call to call.
struct ContourFront {
  Buffer<RoughPoint> rough;  // (V,), NaN where the vertex is behind the near plane
  Buffer<int8_t> signs;      // (F,)
  Buffer<ContourEdge> edges;
  Buffer<TapeCut> cuts;
  Buffer<uint8_t> flags;           // scratch of project_vertices()
  Buffer<Buffer<int32_t>*> found;  // edges with a weight, per chunk
  bool any_hidden = false;

  ~ContourFront() {
    for (int64_t i = 0; i < found.size(); ++i) delete found[i];
  }
  Buffer<int32_t>& found_in(int chunk) {
    while (found.size() <= chunk) found.push(new Buffer<int32_t>());
    return *found[chunk];
  }
};

/// Projects one vertex with all checks. False if it has no finite place on the screen.
template <typename T>
bool project_checked(const T* vert, double width, double height, RoughPoint& rough, bool& hidden) {
  const ScreenPoint s = place_vertex(load_clip(vert), width, height);
  rough = {float(s.x), float(s.y)};
  hidden |= is_hidden(s);
  return is_hidden(s) || is_finite(s.x);
}

/// Projects the vertices. False if one has no finite place on the screen.
template <typename T>
bool project_vertices(const ContourArgs<T>& args, int64_t view, int threads, ContourFront& front) {
  constexpr int64_t kBlock = 256;
  constexpr double kFar = 1e30;  // px; beyond it, or hidden, or not finite: a closer look
  const int64_t num_verts = args.topology.num_verts;
  const double width = args.width, height = args.height;
  const T* verts = args.verts_clip + 4 * num_verts * view;
  front.rough.resize(num_verts);
  RoughPoint* rough = front.rough.data();
  const int chunks = num_chunks(num_verts, threads);
  front.flags.zero(2 * chunks);
  parallel_chunks(num_verts, chunks, threads, [&](int chunk, int64_t begin, int64_t end) {
    bool hidden = false, good = true;
    for (int64_t first = begin; first < end; first += kBlock) {
      const int64_t last = smaller(first + kBlock, end);
      int unclear = 0;
      for (int64_t v = first; v < last; ++v) {
        const ClipPoint p = load_clip(verts + 4 * v);
        const ScreenPoint s = screen_from_clip(p, width, height);
        const double distance = near_distance(p);
        unclear |= int(!((distance >= 0.0) & (distance <= kFar) & (p.w > 0.0) &
                         (fabs(s.x) <= kFar) & (fabs(s.y) <= kFar)));
        rough[v] = {float(s.x), float(s.y)};
      }
      if (!unclear) continue;
      for (int64_t v = first; v < last; ++v)
        good = project_checked(verts + 4 * v, width, height, rough[v], hidden) && good;
    }
    front.flags[2 * chunk] = hidden;
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

inline bool vertex_is_hidden(const ContourFront& front, int32_t vert) {
  return isnan(front.rough[vert].x);
}

/// Screen position of a visible vertex.
template <typename T>
ScreenPoint screen_of_vertex(const ContourArgs<T>& args, int64_t view, int32_t vert) {
  const T* verts = args.verts_clip + 4 * args.topology.num_verts * view;
  return screen_from_clip(load_clip(verts + 4 * int64_t(vert)), args.width, args.height);
}

/// Sign of a face from exact positions; 0 if a corner is hidden (cut_faces() then decides).
template <typename T>
int8_t sign_exactly(const ContourArgs<T>& args, int64_t view, const ContourFront& front,
                    const int32_t* face) {
  for (int i = 0; i < 3; ++i)
    if (vertex_is_hidden(front, face[i])) return 0;
  return int8_t(face_sign(screen_of_vertex(args, view, face[0]),
                          screen_of_vertex(args, view, face[1]),
                          screen_of_vertex(args, view, face[2])));
}

/// Signs of the projected faces, for those wholly in front of the near plane; others get 0.
///
/// Float arithmetic decides where the area exceeds a bound on its error, which is nearly
/// everywhere; the few others are computed in double, so that the result is that of double.
template <typename T>
void sign_faces(const ContourArgs<T>& args, int64_t view, int threads, ContourFront& front) {
  const int64_t num_faces = args.topology.num_faces;
  front.signs.resize(num_faces);
  int8_t* signs = front.signs.data();
  parallel_chunks(num_faces, num_chunks(num_faces, threads), threads,
                  [&](int, int64_t begin, int64_t end) {
    for (int64_t first = begin; first < end; first += kSignBlock) {
      const int count = int(smaller<int64_t>(kSignBlock, end - first));
      const int32_t* faces = args.topology.faces + 3 * first;
      if (sign_block(front.rough.data(), faces, count, signs + first)) continue;
      for (int i = 0; i < count; ++i)
        if (signs[first + i] == 0)
          signs[first + i] = sign_exactly(args, view, front, faces + 3 * i);
    }
  });
}

template <typename T>
ClipPoint clip_point(const ContourArgs<T>& args, int64_t view, int32_t vert) {
  return load_clip(args.verts_clip + 4 * (args.topology.num_verts * view + vert));
}

/// Signs of the faces that the near plane cuts, and the edges along the cut.
template <typename T>
ContourStatus cut_faces(const ContourArgs<T>& args, int64_t view, ContourFront& front) {
  const int32_t num_verts = int32_t(args.topology.num_verts);
  for (int64_t f = 0; f < args.topology.num_faces; ++f) {
    const int32_t* face = args.topology.faces + 3 * f;
    int num_hidden = 0;
    for (int i = 0; i < 3; ++i) num_hidden += vertex_is_hidden(front, face[i]);
    if (num_hidden == 0 || num_hidden == 3) continue;
    ClipPoint corners[3];
    ScreenPoint screen[3];
    for (int i = 0; i < 3; ++i) {
      corners[i] = clip_point(args, view, face[i]);
      screen[i] = place_vertex(corners[i], args.width, args.height);
    }
    const FaceCut cut = cut_face(corners, screen, args.width, args.height);
    if (cut.unplaced >= 0) return {ContourStatus::kNotInFront, view, face[cut.unplaced]};
    front.signs[f] = cut.sign;
    if (cut.sign == 0) continue;
    const int32_t first = num_verts + int32_t(front.cuts.size());
    front.cuts.push({face[cut.leaving_from], face[cut.leaving_to]});
    front.cuts.push({face[cut.entering_to], face[cut.entering_from]});
    front.edges.push(make_contour_edge(cut.leaving, cut.entering, first, first + 1, cut.sign));
  }
  return {ContourStatus::kOk, 0, 0};
}

/// Appends the edges whose faces do not cancel, in the order of the topology.
template <typename T>
ContourStatus weigh_edges(const ContourArgs<T>& args, int64_t view, int threads,
                          ContourFront& front) {
  const ContourTopology& topology = args.topology;
  const int8_t* signs = front.signs.data();
  const int chunks = num_chunks(topology.num_edges, threads);
  for (int i = 0; i < chunks; ++i) front.found_in(i).clear();
  parallel_chunks(topology.num_edges, chunks, threads, [&](int chunk, int64_t begin, int64_t end) {
    Buffer<int32_t>& found = *front.found[chunk];
    const int64_t regular_end = smaller(end, topology.num_regular);
    const int32_t* faces = topology.edge_faces;
    int64_t e = begin;
    // Every edge is written, the place moves on past those that count: no branch to mispredict.
    int32_t* place = found.reserve(larger<int64_t>(regular_end - begin, 0) + 1);
    int32_t* const first = place;
    for (; e < regular_end; ++e) {
      *place = int32_t(e);
      place += signs[faces[2 * e]] != signs[faces[2 * e + 1]];
    }
    found.resize(place - first);
    for (; e < end; ++e)
      if (edge_weight(topology, signs, e) != 0) found.push(int32_t(e));
  });
  for (int chunk = 0; chunk < chunks; ++chunk) {
    const Buffer<int32_t>& found = *front.found[chunk];
    for (int64_t i = 0; i < found.size(); ++i) {
      const int32_t* ends = topology.edge_verts + 2 * int64_t(found[i]);
      const int weight = edge_weight(topology, signs, found[i]);
      int32_t vert[2] = {ends[0], ends[1]};
      ScreenPoint point[2] = {screen_of_vertex(args, view, ends[0]),
                              screen_of_vertex(args, view, ends[1])};
      if (front.any_hidden) {
        const bool hidden_a = vertex_is_hidden(front, ends[0]);
        const bool hidden_b = vertex_is_hidden(front, ends[1]);
        if (hidden_a && hidden_b) continue;
        if (hidden_a || hidden_b) {
          const int side = hidden_a ? 0 : 1;
          const TapeCut cut{ends[1 - side], ends[side]};
          if (!place_cut(clip_point(args, view, cut.visible), clip_point(args, view, cut.hidden),
                         args.width, args.height, point[side]))
            return {ContourStatus::kNotInFront, view, cut.visible};
          vert[side] = int32_t(topology.num_verts + front.cuts.size());
          front.cuts.push(cut);
        }
      }
      front.edges.push(make_contour_edge(point[0], point[1], vert[0], vert[1], weight));
    }
  }
  return {ContourStatus::kOk, 0, 0};
}

LRAST_END
