// csrc/api/antialias.cpp
#include "antialias.h"

#include <cstdlib>

#include "../kernels/antialias.h"
#include "isa.h"

void lrast_antialias_free(void* memory) { std::free(memory); }

namespace lrast {
#if LRAST_X86_LEVELS
extern const AntialiasKernels antialias_kernels_v2, antialias_kernels_v3, antialias_kernels_v4;
#endif

namespace {

const AntialiasKernels* kernels() {
  switch (isa()) {
#if LRAST_X86_LEVELS
    case Isa::kV2: return &antialias_kernels_v2;
    case Isa::kV3: return &antialias_kernels_v3;
    case Isa::kV4: return &antialias_kernels_v4;
#else
    case Isa::kPortable: return &antialias_kernels_portable;
#endif
    default: return nullptr;
  }
}

}  // namespace
}  // namespace lrast

#define DEFINE_FORWARD(name, T, member)                                                         \
  LRAST_ANTIALIAS_FORWARD(name, T) {                                                            \
    const lrast::AntialiasKernels* kernels = lrast::kernels();                                  \
    if (!kernels) return lrast::kNoIsaStatus;                                                   \
    const lrast::AntialiasArgs<T> args{                                                         \
        {faces, edge_verts, edge_faces, irregular_offsets, irregular_codes, num_verts,          \
         num_faces, num_edges, num_regular},                                                    \
        face_neighbors, image, face_idx, verts_clip, out, num_views, height, width,             \
        num_channels, image_grad, num_threads, cull, premultiplied, face_ranges};               \
    const lrast::AntialiasStatus status = kernels->member(args, tape, tape_words);              \
    where[0] = status.view;                                                                     \
    where[1] = status.item;                                                                     \
    return status.code;                                                                         \
  }
DEFINE_FORWARD(lrast_antialias_forward_f32, float, forward_f32)
DEFINE_FORWARD(lrast_antialias_forward_f64, double, forward_f64)

#define DEFINE_BACKWARD(name, T, member)                                                        \
  LRAST_ANTIALIAS_BACKWARD(name, T) {                                                           \
    const lrast::AntialiasKernels* kernels = lrast::kernels();                                  \
    if (!kernels) return lrast::kNoIsaStatus;                                                   \
    return kernels->member(lrast::AntialiasBackwardArgs<T>{                                     \
        faces, image, verts_clip, grad_out, tape, tape_words, grad_image, grad_verts_clip,      \
        num_views, num_verts, height, width, num_channels, num_threads});                       \
  }
DEFINE_BACKWARD(lrast_antialias_backward_f32, float, backward_f32)
DEFINE_BACKWARD(lrast_antialias_backward_f64, double, backward_f64)
