// csrc/kernels/surface.cpp: marching cubes over slabs of the grid, padded by a layer outside.
#include "surface.h"

#include <math.h>

#include "parallel.h"
#include "surface_cases.h"

LRAST_BEGIN
namespace {

// Vertices keep this part of an edge between them and its ends: no triangle is without area, and a
// value equal to the level needs no care.
constexpr double kLeastPart = 1.0 / 64;

const SurfaceCases& cases() {
  static const SurfaceCases made;
  return made;
}

class Extractor {
 public:
  Extractor(const SurfaceArgs& args, Surface& out) : args_(args), out_(out) {
    for (int axis = 0; axis < 3; ++axis) padded_[axis] = int64_t(args.size[axis]) + 2;
    slice_ = padded_[1] * padded_[2];
  }

  SurfaceStatus run() {
    inside_.resize(padded_[0] * slice_);
    first_vert_.resize(padded_[0] * padded_[1] + 1);
    first_face_.resize(padded_[0] * padded_[1] + 1);
    first_center_.resize(padded_[0] * padded_[1] + 1);
    parallel_tasks(padded_[0], args_.num_threads, [&](int64_t x) { mark(x); });
    parallel_tasks(padded_[0], args_.num_threads, [&](int64_t x) { count(x); });
    num_on_edges_ = accumulate(first_vert_);
    const int64_t num_verts = num_on_edges_ + accumulate(first_center_);
    const int64_t num_faces = accumulate(first_face_);
    if (num_verts >= INT32_MAX || num_faces >= (1 << 30)) return SurfaceStatus::kTooLarge;
    out_.verts.resize(3 * num_verts);
    out_.faces.resize(3 * num_faces);
    const int64_t slabs = padded_[0] - 1;
    const int chunks = int(smaller<int64_t>(slabs, 4 * int64_t(args_.num_threads)));
    parallel_chunks(slabs, chunks, args_.num_threads,
                    [&](int, int64_t begin, int64_t end) { write(begin, end); });
    if (num_verts > num_on_edges_) place_centers();
    return SurfaceStatus::kGood;
  }

 private:
  /// Vertices on the edges that begin in one slice: along x, y and z from each of its points.
  struct SliceVerts {
    Buffer<int32_t> along[3];
  };

  void mark(int64_t x) {
    uint8_t* out = inside_.data() + x * slice_;
    memset(out, 0, size_t(slice_));
    if (x == 0 || x == padded_[0] - 1) return;
    for (int64_t y = 1; y < padded_[1] - 1; ++y) {
      const float* const row = args_.field + ((x - 1) * args_.size[1] + y - 1) * args_.size[2];
      uint8_t* const marks = out + y * padded_[2] + 1;
      for (int64_t z = 0; z < args_.size[2]; ++z) marks[z] = row[z] > args_.level;
    }
  }

  const uint8_t* marks(int64_t x, int64_t y) const {
    return inside_.data() + x * slice_ + y * padded_[2];
  }

  /// Rows of cells and of edges beginning at (x, y, .): padded points at the far end begin none.
  bool has_cells(int64_t x, int64_t y) const { return x + 1 < padded_[0] && y + 1 < padded_[1]; }

  /// Calls body(z) for the points of a row around which not all is on one side.
  template <typename Body> void over_mixed(int64_t x, int64_t y, Body&& body) const {
    const uint8_t* const rows[4] = {marks(x, y), marks(x + 1, y), marks(x, y + 1),
                                    marks(x + 1, y + 1)};
    const int64_t last = padded_[2] - 1;  // cells in the row
    int64_t z = 0;
    while (z < last) {
      if (z + 8 <= last) {
        uint64_t all = ~uint64_t(0), any = 0;
        for (const uint8_t* row : rows) {
          uint64_t here, next;
          memcpy(&here, row + z, 8), memcpy(&next, row + z + 1, 8);
          all &= here & next, any |= here | next;
        }
        constexpr uint64_t kOnes = 0x0101010101010101u;
        if (any == 0 || all == kOnes) {
          z += 8;
          continue;
        }
      }
      const int64_t end = smaller(z + 8, last);
      for (; z < end; ++z) {
        int sum = 0;
        for (const uint8_t* row : rows) sum += row[z] + row[z + 1];
        if (sum != 0 && sum != 8) body(z);
      }
    }
  }

  int corners(int64_t x, int64_t y, int64_t z) const {
    int bits = 0;
    for (int i = 0; i < 8; ++i)
      bits |= marks(x + (i & 1), y + (i >> 1 & 1))[z + (i >> 2 & 1)] << i;
    return bits;
  }

  /// Value above the level; minus infinity beyond the grid.
  double value(int64_t x, int64_t y, int64_t z) const {
    if (x < 1 || y < 1 || z < 1 || x > args_.size[0] || y > args_.size[1] || z > args_.size[2])
      return -INFINITY;
    return double(args_.field[((x - 1) * args_.size[1] + y - 1) * args_.size[2] + z - 1]) -
           args_.level;
  }

  /// For each ambiguous face whether its bilinear interpolant joins the two inside corners.
  int joined(int64_t x, int64_t y, int64_t z, int inside) const {
    int bits = 0;
    const int ambiguous = cases().ambiguous(inside);
    for (int f = 0; ambiguous >> f; ++f) {
      if (!(ambiguous >> f & 1)) continue;
      double v[4];
      const int* const corner = cases().face(f).corner;
      for (int i = 0; i < 4; ++i)
        v[i] = value(x + (corner[i] & 1), y + (corner[i] >> 1 & 1), z + (corner[i] >> 2 & 1));
      const bool first = inside >> corner[0] & 1;
      const double in = first ? v[0] * v[2] : v[1] * v[3], out = first ? v[1] * v[3] : v[0] * v[2];
      bits |= int(in > out) << f;
    }
    return bits;
  }

  struct Triangles {
    const uint8_t* edges;
    int count;
    bool has_center;
  };
  Triangles triangles(int64_t x, int64_t y, int64_t z) const {
    const int inside = corners(x, y, z);
    const int bits = cases().ambiguous(inside) ? joined(x, y, z, inside) : 0;
    Triangles found;
    found.edges = cases().triangles(inside, bits, found.count);
    found.has_center = cases().has_center(inside, bits);
    return found;
  }

  /// Calls body(axis, z) for every crossed edge that begins at a point (x, y, .), z ascending.
  template <typename Body> void over_edges(int64_t x, int64_t y, Body&& body) const {
    if (!has_cells(x, y)) return;  // the outermost layer is outside and so is its neighbour there
    const uint8_t* const here = marks(x, y);
    const uint8_t* const ends[3] = {marks(x + 1, y), marks(x, y + 1), here + 1};
    over_mixed(x, y, [&](int64_t z) {
      for (int axis = 0; axis < 3; ++axis)
        if (here[z] != ends[axis][z]) body(axis, z);
    });
  }

  void count(int64_t x) {
    for (int64_t y = 0; y < padded_[1]; ++y) {
      int64_t verts = 0, faces = 0, centers = 0;
      over_edges(x, y, [&](int, int64_t) { ++verts; });
      if (has_cells(x, y)) {
        over_mixed(x, y, [&](int64_t z) {
          const Triangles found = triangles(x, y, z);
          faces += found.count;
          centers += found.has_center;
        });
      }
      first_vert_[x * padded_[1] + y] = verts;
      first_face_[x * padded_[1] + y] = faces;
      first_center_[x * padded_[1] + y] = centers;
    }
  }

  static int64_t accumulate(Buffer<int64_t>& counts) {
    int64_t total = 0;
    for (int64_t i = 0; i + 1 < counts.size(); ++i) {
      const int64_t count = counts[i];
      counts[i] = total;
      total += count;
    }
    counts[counts.size() - 1] = total;
    return total;
  }

  void number(int64_t x, SliceVerts& verts) const {
    for (auto& along : verts.along) along.resize(slice_);
    for (int64_t y = 0; y < padded_[1]; ++y) {
      int64_t next = first_vert_[x * padded_[1] + y];
      over_edges(x, y, [&](int axis, int64_t z) {
        verts.along[axis][y * padded_[2] + z] = int32_t(next++);
      });
    }
  }

  void place(int64_t x) {
    for (int64_t y = 0; y < padded_[1]; ++y) {
      int64_t next = first_vert_[x * padded_[1] + y];
      over_edges(x, y, [&](int axis, int64_t z) {
        int64_t end[3] = {x, y, z};
        ++end[axis];
        const double from = value(x, y, z), to = value(end[0], end[1], end[2]);
        double part = from / (from - to);
        if (isinf(from)) part = isinf(to) ? 0.5 : 1;
        part = clamped(part, kLeastPart, 1 - kLeastPart);
        const int64_t begin[3] = {x, y, z};
        for (int i = 0; i < 3; ++i) {
          const double at = double(begin[i] - 1) + (i == axis ? part : 0);
          out_.verts[3 * next + i] = float(args_.origin[i] + args_.cell * at);
        }
        ++next;
      });
    }
  }

  void write(int64_t begin, int64_t end) {
    SliceVerts slices[2];
    number(begin, slices[begin & 1]);
    for (int64_t x = begin; x < end; ++x) {
      place(x);
      number(x + 1, slices[(x + 1) & 1]);
      const SliceVerts* const verts[2] = {&slices[x & 1], &slices[(x + 1) & 1]};
      for (int64_t y = 0; y + 1 < padded_[1]; ++y) {
        int64_t next = 3 * first_face_[x * padded_[1] + y];
        int64_t center = num_on_edges_ + first_center_[x * padded_[1] + y];
        over_mixed(x, y, [&](int64_t z) {
          const Triangles found = triangles(x, y, z);
          const auto vert = [&](int edge) {
            if (edge == SurfaceCases::kCenter) return int32_t(center);
            const int axis = edge / 4, low = edge & 1, high = edge >> 1 & 1;
            const int dx = axis == 0 ? 0 : low, dz = axis == 2 ? 0 : high;
            const int dy = axis == 1 ? 0 : (axis == 0 ? low : high);
            return verts[dx]->along[axis][(y + dy) * padded_[2] + z + dz];
          };
          for (int i = 0; i < 3 * found.count; ++i) out_.faces[next + i] = vert(found.edges[i]);
          center += found.has_center;
          next += 3 * found.count;
        });
      }
    }
  }

  /// Vertices inside of cubes, in the middle of the loop around them. Their triangles follow each
  /// other, name them last and begin at each vertex of the loop once.
  void place_centers() {
    const int64_t num_faces = out_.faces.size() / 3;
    for (int64_t face = 0; face < num_faces;) {
      const int32_t center = out_.faces[3 * face + 2];
      if (center < num_on_edges_) {
        ++face;
        continue;
      }
      double sum[3] = {0, 0, 0};
      int count = 0;
      for (; face < num_faces && out_.faces[3 * face + 2] == center; ++face, ++count)
        for (int i = 0; i < 3; ++i) sum[i] += out_.verts[3 * int64_t(out_.faces[3 * face]) + i];
      for (int i = 0; i < 3; ++i) out_.verts[3 * int64_t(center) + i] = float(sum[i] / count);
    }
  }

  const SurfaceArgs& args_;
  Surface& out_;
  int64_t padded_[3], slice_, num_on_edges_;
  Buffer<uint8_t> inside_;
  Buffer<int64_t> first_vert_, first_face_, first_center_;  // of each row (x, y) of padded points
};

}  // namespace

SurfaceStatus extract_surface(const SurfaceArgs& args, Surface& surface) {
  try {
    return Extractor(args, surface).run();
  } catch (const std::bad_alloc&) {
    return SurfaceStatus::kNoMemory;
  }
}

LRAST_END
