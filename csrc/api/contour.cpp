// csrc/api/contour.cpp
#include "../kernels/contour.h"

#include "isa.h"
#include "lrast.h"

namespace lrast {
#if LRAST_X86_LEVELS
extern const ContourKernels contour_kernels_v2, contour_kernels_v3, contour_kernels_v4;
#endif

namespace {

const ContourKernels* kernels() {
  switch (isa()) {
#if LRAST_X86_LEVELS
    case Isa::kV2: return &contour_kernels_v2;
    case Isa::kV3: return &contour_kernels_v3;
    case Isa::kV4: return &contour_kernels_v4;
#else
    case Isa::kPortable: return &contour_kernels_portable;
#endif
    default: return nullptr;
  }
}

}  // namespace
}  // namespace lrast

#define DEFINE_FORWARD(name, T, member)                                                       \
  LRAST_CONTOUR_FORWARD(name, T) {                                                            \
    const lrast::ContourKernels* kernels = lrast::kernels();                                  \
    if (!kernels) return lrast::ContourStatus::kNoIsa;                                        \
    const lrast::ContourArgs<T> args{                                                         \
        {faces, edge_verts, edge_faces, irregular_offsets, irregular_codes, num_verts,        \
         num_faces, num_edges, num_regular},                                                  \
        verts_clip, coverage, num_views, height, width, num_threads, stage_ms};               \
    lrast::ContourTapeRoom room{tape, tape_room, 0};                                          \
    const lrast::ContourStatus status = kernels->member(args, tape_words ? &room : nullptr);  \
    if (tape_words) *tape_words = room.words;                                                 \
    where[0] = status.view;                                                                   \
    where[1] = status.vert;                                                                   \
    return status.code;                                                                       \
  }
DEFINE_FORWARD(lrast_contour_forward_f32, float, forward_f32)
DEFINE_FORWARD(lrast_contour_forward_f64, double, forward_f64)

#define DEFINE_TAKE_TAPE(name, member)                                                        \
  LRAST_CONTOUR_TAKE_TAPE(name) {                                                             \
    const lrast::ContourKernels* kernels = lrast::kernels();                                  \
    return kernels ? kernels->member(tape, tape_words, stage_ms) : lrast::ContourStatus::kNoIsa; \
  }
DEFINE_TAKE_TAPE(lrast_contour_take_tape_f32, take_tape_f32)
DEFINE_TAKE_TAPE(lrast_contour_take_tape_f64, take_tape_f64)

#define DEFINE_BACKWARD(name, T, member)                                                      \
  LRAST_CONTOUR_BACKWARD(name, T) {                                                           \
    const lrast::ContourKernels* kernels = lrast::kernels();                                  \
    if (!kernels) return lrast::ContourStatus::kNoIsa;                                        \
    const lrast::ContourBackwardArgs<T> args{verts_clip, grad_coverage, tape, tape_words,     \
                                             grad_verts_clip, num_views, num_verts, height,   \
                                             width, num_threads};                             \
    return kernels->member(args);                                                             \
  }
DEFINE_BACKWARD(lrast_contour_backward_f32, float, backward_f32)
DEFINE_BACKWARD(lrast_contour_backward_f64, double, backward_f64)
