// csrc/kernels/remesh.h: a mesh with triangles of a wished size.  See optim/remesh.py.
#pragma once
#include <vector>

#include "../core/host_device.h"

namespace lrast {

struct RemeshArgs {
  const double* verts;   // (V, 3)
  const int32_t* faces;  // (F, 3)
  const double* target;  // (V) wished length of the edges
  int64_t num_verts, num_faces;
  int32_t iterations, balance, num_threads;
};

struct RemeshStatus {
  /// Those of CornerMesh::Fault, without the codes that all operators share. `where`: a face; an
  /// edge and its faces; an edge; a vertex; two faces; about how many there would be.
  enum Code { kOk, kRepeated, kEdge, kNoMemory, kWinding = 5, kPinched, kTwice, kTooMany };
  int code;
  int64_t where[3];
};

struct RemeshResult {
  std::vector<double> verts;           // (V', 3)
  std::vector<int32_t> faces;          // (F', 3)
  std::vector<int32_t> source_verts;   // (V', 3) of the input, with
  std::vector<double> source_weights;  // (V', 3): where on it the vertex lies
  int64_t num_splits = 0, num_collapses = 0, num_flips = 0;
};

/// Throws std::bad_alloc.
RemeshStatus remesh(const RemeshArgs& args, RemeshResult& result);

}  // namespace lrast
