// csrc/kernels/antialias.h: images composited along outlines and creases.  See ops/antialias.py.
#pragma once
#include "../core/antialias.h"
#include "contour.h"

// Plain records carry no code, so all ISA levels share them.
namespace lrast {

template <typename T> struct AntialiasArgs {
  ContourTopology topology;
  const int32_t* face_neighbors;  // (F, 3): face across the side from corner j to j + 1, or -1
  const T* image;                 // (N, H, W, C)
  const int32_t* face_idx;        // (N, H, W), -1 = background
  const T* verts_clip;            // (N, V, 4)
  T* out;                         // (N, H, W, C)
  int64_t num_views;
  int32_t height, width, num_channels;
  int32_t image_grad;             // 1 if the tape must serve the gradient of `image`, else 0
  int32_t num_threads;
  int32_t cull;                   // RasterCull, as the picture was drawn
  int32_t premultiplied;          // 1 if the background is 0 in all channels
  const int64_t* face_ranges;     // (N, 2), or null: every view shows all faces
};

template <typename T> struct AntialiasBackwardArgs {
  const int32_t* faces;     // (F, 3)
  const T* image;           // (N, H, W, C)
  const T* verts_clip;      // (N, V, 4)
  const T* grad_out;        // (N, H, W, C)
  const int64_t* tape;      // what the forward pass recorded
  int64_t tape_words;       // size of the memory behind it
  T* grad_image;            // (N, H, W, C), or null if not wanted
  T* grad_verts_clip;       // (N, V, 4), zero on entry, or null if not wanted
  int64_t num_views, num_verts;
  int32_t height, width, num_channels;
  int32_t num_threads;
};

/// Outcome of a forward call. `item` is a vertex, or a pixel whose face does not exist.
struct AntialiasStatus {
  enum Code { kOk, kNotFinite, kNotInFront, kNoMemory, kNoIsa, kTapeLost, kBadFace };
  int32_t code;
  int64_t view, item;
};

// Neighbours of a pixel are numbered row by row, 0 to 8; 4 is the pixel itself.
constexpr int kOwn = 4;
constexpr int kSky = 9;  // the background, whichever neighbour shows it; 0 if none need show it

/// A pixel that is blended: sum of weight[q] image[q] over what its neighbours q show of the object,
/// and 1 - coverage of `sky`. The pixel's spans, borders and crossing are in lists of their own.
template <typename T> struct BlendedPixel {
  int32_t pixel, num_spans, num_borders;
  int8_t sky;     // neighbour that shows the background beyond the outline, kSky if that is 0
                  // anyway, -1 if there is none
  int8_t across;  // neighbour that shows the other side of the crossing, -1 if there is none
  int8_t inner;   // neighbour that shows more of the pixel's own surface, -1 if there is none
  int8_t unused[5];
  T coverage;
  T scale;        // by which weights were multiplied to make their sum `coverage`
  T weight[9];    // before fade()
};
/// A visible piece of an outline: d coverage / d edge, as TapePiece.
template <typename T> struct OutlineSpan { int32_t edge, unused; T top, bottom; };
/// A piece of an edge that separates what two neighbours show; kSky is the background.
template <typename T> struct BorderPiece {
  int32_t edge;
  int8_t left, right, unused[2];
  T top, bottom;                  // d area_beyond / d edge, as TapePiece
  T sweep_top, sweep_bottom;      // and further, per screen y of each end
};
/// Two faces that intersect in the pixel: d area of the second / d (key of the first - second).
template <typename T> struct FaceCrossing { int32_t face, other_face; T x, y, center, unused; };

struct AntialiasTapeView { int64_t edges, cuts, pixels, spans, borders, crossings, flat; };

/// Entry points of one ISA level. `tape`, if not null, receives malloc'ed words and their number.
struct AntialiasKernels {
  AntialiasStatus (*forward_f32)(const AntialiasArgs<float>&, int64_t** tape, int64_t* tape_words);
  AntialiasStatus (*forward_f64)(const AntialiasArgs<double>&, int64_t** tape, int64_t* tape_words);
  AntialiasStatus::Code (*backward_f32)(const AntialiasBackwardArgs<float>&);
  AntialiasStatus::Code (*backward_f64)(const AntialiasBackwardArgs<double>&);
};

extern const AntialiasKernels LRAST_JOIN(antialias_kernels, LRAST_ISA);

}  // namespace lrast
