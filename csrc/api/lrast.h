// csrc/api/lrast.h: the C ABI of the CPU library.  Sizes and pointers in, a status out.
#pragma once
#include <stdint.h>

#if defined(_WIN32)
#define LRAST_API extern "C" __declspec(dllexport)
#else
#define LRAST_API extern "C" __attribute__((visibility("default")))
#endif

/// Raised with every change to an argument list below; Python refuses a library of another number.
constexpr int kLrastAbi = 4;
LRAST_API int lrast_abi();

/// Name of the ISA level in use, "unavailable" if LRAST_ISA asks for one this machine lacks.
LRAST_API const char* lrast_isa();

/// Status codes are lrast::ContourStatus::Code; `where` (2,) gets the view and the vertex at fault.
/// Array shapes: see lrast::ContourArgs. tape_words is null, or gets the size of the tape. If that
/// is no more than tape_room, `tape` has it; if it is more, the same thread must fetch it with the
/// function below before its next call.
#define LRAST_CONTOUR_FORWARD(name, T)                                                            \
  LRAST_API int name(const T* verts_clip, int64_t num_views, int64_t num_verts,                   \
                     const int32_t* faces, int64_t num_faces, const int32_t* edge_verts,          \
                     int64_t num_edges, const int32_t* edge_faces, int64_t num_regular,           \
                     const int32_t* irregular_offsets, const int32_t* irregular_codes,            \
                     T* coverage, int32_t height, int32_t width, int32_t num_threads,             \
                     int64_t* tape, int64_t tape_room, int64_t* tape_words, int64_t* where,       \
                     double* stage_ms)
LRAST_CONTOUR_FORWARD(lrast_contour_forward_f32, float);
LRAST_CONTOUR_FORWARD(lrast_contour_forward_f64, double);

/// Writes the tape of the forward call just made, tape_words words.
#define LRAST_CONTOUR_TAKE_TAPE(name) \
  LRAST_API int name(int64_t* tape, int64_t tape_words, double* stage_ms)
LRAST_CONTOUR_TAKE_TAPE(lrast_contour_take_tape_f32);
LRAST_CONTOUR_TAKE_TAPE(lrast_contour_take_tape_f64);

/// Array shapes: see lrast::ContourBackwardArgs.
#define LRAST_CONTOUR_BACKWARD(name, T)                                                           \
  LRAST_API int name(const T* verts_clip, int64_t num_views, int64_t num_verts,                   \
                     const T* grad_coverage, int32_t height, int32_t width, const int64_t* tape,  \
                     int64_t tape_words, int32_t num_threads, T* grad_verts_clip)
LRAST_CONTOUR_BACKWARD(lrast_contour_backward_f32, float);
LRAST_CONTOUR_BACKWARD(lrast_contour_backward_f64, double);

/// Array shapes: see lrast::TransformArgs. `shared`: 1 if all views have the same points, else 0.
#define LRAST_TRANSFORM(name, T)                                                                  \
  LRAST_API int name(const T* points, const double* matrices, int64_t num_views,                  \
                     int64_t num_verts, int32_t shared, int32_t num_threads, T* out)
LRAST_TRANSFORM(lrast_transform_f32, float);
LRAST_TRANSFORM(lrast_transform_f64, double);

/// Array shapes: see lrast::TransformPointsVjpArgs.
#define LRAST_TRANSFORM_POINTS_VJP(name, T)                                                       \
  LRAST_API int name(const T* grad, const double* matrices, int64_t num_views,                    \
                     int64_t num_verts, int32_t shared, int32_t num_threads, T* grad_points)
LRAST_TRANSFORM_POINTS_VJP(lrast_transform_points_vjp_f32, float);
LRAST_TRANSFORM_POINTS_VJP(lrast_transform_points_vjp_f64, double);

/// Array shapes: see lrast::TransformMatricesVjpArgs.
#define LRAST_TRANSFORM_MATRICES_VJP(name, T)                                                     \
  LRAST_API int name(const T* grad, const T* points, int64_t num_views, int64_t num_verts,        \
                     int32_t shared, int32_t num_threads, double* partial, double* grad_matrices)
LRAST_TRANSFORM_MATRICES_VJP(lrast_transform_matrices_vjp_f32, float);
LRAST_TRANSFORM_MATRICES_VJP(lrast_transform_matrices_vjp_f64, double);

/// Numbers that `partial` above has room for.
LRAST_API int64_t lrast_transform_partial_size(int64_t num_views, int64_t num_verts);
