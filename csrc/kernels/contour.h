// csrc/kernels/contour.h: exact silhouette coverage from contour edges.  See ops/contour.py.
#pragma once
#include "../core/cull.h"
#include "../core/pixel_union.h"

// Plain records carry no code, so all ISA levels share them.
namespace lrast {

/// Who touches whom; the layout is that of lightning_rast.scene.Topology.
struct ContourTopology {
  const int32_t* faces;              // (F, 3)
  const int32_t* edge_verts;         // (E, 2), the num_regular regular edges first
  const int32_t* edge_faces;         // (R, 2): face that runs a -> b, face that runs b -> a
  const int32_t* irregular_offsets;  // (E - R + 1,)
  const int32_t* irregular_codes;    // (K,): 2 * face + (1 if the face runs b -> a)
  int64_t num_verts, num_faces, num_edges, num_regular;
};

template <typename T> struct ContourArgs {
  ContourTopology topology;
  const T* verts_clip;  // (N, V, 4)
  T* coverage;          // (N, H, W)
  int64_t num_views;
  int32_t height, width;
  int32_t num_threads;
  double* stage_ms;     // (kNumContourStages,) or null: adds each stage's time
  int32_t cull = 0;     // RasterCull
  const int64_t* face_ranges = nullptr;  // (N, 2), or null: every view has all faces
};

template <typename T> struct ContourBackwardArgs {
  const T* verts_clip;      // (N, V, 4)
  const T* grad_coverage;   // (N, H, W)
  const int64_t* tape;      // what the forward pass recorded
  int64_t tape_words;       // size of the memory behind it, which may be larger
  T* grad_verts_clip;       // (N, V, 4)
  int64_t num_views, num_verts;
  int32_t height, width;
  int32_t num_threads;
};

enum ContourStage { kProject, kSign, kWeight, kBin, kSweep, kRecord, kNumContourStages };

/// Outcome of a forward call. On failure `view` and `vert` name the vertex.
struct ContourStatus {
  enum Code { kOk, kNotFinite, kNotInFront, kNoMemory, kNoIsa, kTapeLost };
  int32_t code;
  int64_t view, vert;
};

/// One end of the tape's records; all fields are fixed-size so that a tape is plain bytes.
struct TapeEdge {
  double dx, dy;        // bottom end minus top end, screen
  int32_t top, bottom;  // vertex numbers; num_verts + k names the view's k-th near-plane cut
};
struct TapeCut { int32_t visible, hidden; };  // vertices of an edge cut at the near plane
template <typename T> struct TapePiece {
  int32_t pixel, edge;
  T top, bottom;        // d coverage / d edge, the integrals of end_weights()
};
struct TapeView { int64_t edges, cuts, pieces; };  // how many of each; the records follow
// A tape is: its number of words, the byte offset of each view, the views, this mark. A tensor that
// copied only the first word is told from it by the size and the mark.
constexpr int64_t kTapeMark = 0x6c6173742d776f72;

/// Memory of the caller for a tape, and the size of what a forward call recorded.
struct ContourTapeRoom {
  int64_t* memory;
  int64_t room, words;  // 8 bytes each
};

/// Entry points of one ISA level. A forward call that is given a `tape` writes it if it has room.
/// If not, the records stay with the calling thread until take_tape() has written all their words,
/// or another call comes.
struct ContourKernels {
  ContourStatus (*forward_f32)(const ContourArgs<float>&, ContourTapeRoom* tape);
  ContourStatus (*forward_f64)(const ContourArgs<double>&, ContourTapeRoom* tape);
  ContourStatus::Code (*take_tape_f32)(int64_t* tape, int64_t tape_words, double* stage_ms);
  ContourStatus::Code (*take_tape_f64)(int64_t* tape, int64_t tape_words, double* stage_ms);
  ContourStatus::Code (*backward_f32)(const ContourBackwardArgs<float>&);
  ContourStatus::Code (*backward_f64)(const ContourBackwardArgs<double>&);
};

extern const ContourKernels LRAST_JOIN(contour_kernels, LRAST_ISA);

}  // namespace lrast

LRAST_BEGIN

/// Whether memory of so many words begins with a tape, and not only with a part of one.
inline bool is_whole_tape(const int64_t* tape, int64_t words) {
  return words >= 2 && tape[0] >= 2 && tape[0] <= words && tape[tape[0] - 1] == kTapeMark;
}

/// Sign of a face, as face_sign() has it, in a view: 0 if the view leaves it out.
LRAST_HD int drawn_sign(int sign, int64_t face, int32_t cull, const int64_t* face_range) {
  if (face_range && (face < face_range[0] || face >= face_range[1])) return 0;
  return is_culled(sign, cull) ? 0 : sign;
}

/// Weight of an edge in the direction a -> b; signs[face] is -1, 0 or 1.
template <typename Signs>
LRAST_HD int edge_weight(const ContourTopology& topology, Signs signs, int64_t edge) {
  if (edge < topology.num_regular) {
    const int32_t* faces = topology.edge_faces + 2 * edge;
    return signs[faces[0]] - signs[faces[1]];
  }
  const int64_t row = edge - topology.num_regular;
  int weight = 0;
  for (int32_t i = topology.irregular_offsets[row]; i < topology.irregular_offsets[row + 1]; ++i) {
    const int32_t code = topology.irregular_codes[i];
    weight += code & 1 ? -signs[code >> 1] : signs[code >> 1];
  }
  return weight;
}

LRAST_END
