// csrc/kernels/voxelize.cpp: rays along z through the grid's columns; each face that a ray crosses
// changes the winding number of all points behind.
#include "voxelize.h"

#include <math.h>

#include "parallel.h"

LRAST_BEGIN
namespace {

constexpr int kSlab = 4;  // rows of columns that one task fills

/// Columns that a face may cross, positions in whole parts of a cell.
struct FlatFace {
  int32_t x_begin, x_end, y_begin, y_end;  // half open, clipped to the grid
};

class Voxelizer {
 public:
  explicit Voxelizer(const VoxelizeArgs& args) : args_(args) {}

  void run() {
    place_verts();
    bound_faces();
    const int64_t slabs = (args_.size[0] + kSlab - 1) / kSlab;
    list_faces(slabs);
    parallel_tasks(slabs, args_.num_threads, [&](int64_t slab) { fill(slab); });
  }

 private:
  /// Positions in cells, and x and y also rounded to the finest whole parts of a cell with which
  /// twice a triangle's area is exact in 64 bits. What decides whether a ray hits a face is exact
  /// from there on, so that it crosses a closed surface once in for every time out.
  void place_verts() {
    cells_.resize(3 * args_.num_verts);
    parts_.resize(2 * args_.num_verts);
    double largest = larger(args_.size[0], args_.size[1]);
    for (int64_t v = 0; v < args_.num_verts; ++v)
      for (int i = 0; i < 3; ++i) {
        const double at = (args_.verts[3 * v + i] - args_.origin[i]) / args_.cell;
        cells_[3 * v + i] = at;
        if (i < 2) largest = larger(largest, fabs(at));
      }
    bits_ = 0;
    while (bits_ < 24 && ldexp(largest + 1, bits_ + 1) < ldexp(1.0, 29)) ++bits_;
    for (int64_t v = 0; v < args_.num_verts; ++v)
      for (int i = 0; i < 2; ++i)
        parts_[2 * v + i] = int64_t(floor(ldexp(cells_[3 * v + i], bits_) + 0.5));
  }

  /// The first column at or behind a position.
  int32_t column_from(int64_t parts, int size) const {
    const int64_t column = (parts + (int64_t(1) << bits_) - 1) >> bits_;
    return int32_t(clamped<int64_t>(column, 0, size));
  }

  void bound_faces() {
    flat_.resize(args_.num_faces);
    parallel_chunks(args_.num_faces, num_chunks(args_.num_faces, args_.num_threads),
                    args_.num_threads, [&](int, int64_t begin, int64_t end) {
      for (int64_t f = begin; f < end; ++f) {
        const int32_t* const v = args_.faces + 3 * f;
        int64_t low[2], high[2];
        for (int i = 0; i < 2; ++i) {
          const int64_t a = parts_[2 * int64_t(v[0]) + i], b = parts_[2 * int64_t(v[1]) + i];
          const int64_t c = parts_[2 * int64_t(v[2]) + i];
          low[i] = smaller(a, smaller(b, c)), high[i] = larger(a, larger(b, c));
        }
        flat_[f] = {column_from(low[0], args_.size[0]), column_from(high[0] + 1, args_.size[0]),
                    column_from(low[1], args_.size[1]), column_from(high[1] + 1, args_.size[1])};
      }
    });
  }

  /// Faces of each slab, ascending.
  void list_faces(int64_t slabs) {
    first_.zero(slabs + 1);
    over_slabs([&](int64_t slab, int64_t) { ++first_[slab + 1]; });
    for (int64_t slab = 0; slab < slabs; ++slab) first_[slab + 1] += first_[slab];
    listed_.resize(first_[slabs]);
    Buffer<int64_t> next;
    next.resize(slabs);
    for (int64_t slab = 0; slab < slabs; ++slab) next[slab] = first_[slab];
    over_slabs([&](int64_t slab, int64_t face) { listed_[next[slab]++] = face; });
  }
  template <typename Body> void over_slabs(Body&& body) const {
    for (int64_t f = 0; f < args_.num_faces; ++f) {
      const FlatFace& flat = flat_[f];
      if (flat.x_begin >= flat.x_end || flat.y_begin >= flat.y_end) continue;
      for (int64_t slab = flat.x_begin / kSlab; slab * kSlab < flat.x_end; ++slab) body(slab, f);
    }
  }

  void fill(int64_t slab) {
    const int64_t depth = args_.size[2], row = args_.size[1] * depth;
    const int x_begin = int(slab) * kSlab, x_end = smaller(x_begin + kSlab, args_.size[0]);
    memset(args_.winding + x_begin * row, 0, size_t((x_end - x_begin) * row) * sizeof(int16_t));
    for (int64_t i = first_[slab]; i < first_[slab + 1]; ++i) add(listed_[i], x_begin, x_end);
    for (int64_t column = x_begin * args_.size[1]; column < x_end * int64_t(args_.size[1]); ++column) {
      int16_t* const points = args_.winding + column * depth;
      int sum = 0;
      for (int64_t z = 0; z < depth; ++z) points[z] = int16_t(sum += points[z]);
    }
  }

  /// Twice the signed area of (a, b, column), from the lower index on, so that the faces of an edge
  /// see the same number. On the edge itself the column counts as moved a little along x and, still
  /// less, along y.
  struct Edge {
    int64_t value, along_x, along_y;  // at the first column; change per column
    int sign, tie;
    bool is_left(int64_t at) const { return (at > 0 || (at == 0 && tie > 0)) == (sign > 0); }
  };
  Edge edge(int32_t from, int32_t to, int64_t x, int64_t y) const {
    const int32_t a = smaller(from, to), b = larger(from, to);
    const int64_t ax = parts_[2 * int64_t(a)], ay = parts_[2 * int64_t(a) + 1];
    const int64_t dx = parts_[2 * int64_t(b)] - ax, dy = parts_[2 * int64_t(b) + 1] - ay;
    Edge made;
    made.value = dx * ((y << bits_) - ay) - dy * ((x << bits_) - ax);
    made.along_x = -dy * (int64_t(1) << bits_), made.along_y = dx * (int64_t(1) << bits_);
    made.sign = from < to ? 1 : -1;
    made.tie = dy != 0 ? (dy < 0 ? 1 : -1) : (dx > 0 ? 1 : -1);
    return made;
  }

  void add(int64_t face, int x_first, int x_last) {
    const FlatFace& flat = flat_[face];
    const int32_t* const v = args_.faces + 3 * face;
    if (v[0] == v[1] || v[1] == v[2] || v[2] == v[0]) return;
    const int x_begin = larger(flat.x_begin, x_first), x_end = smaller(flat.x_end, x_last);
    const Edge edges[3] = {edge(v[0], v[1], x_begin, flat.y_begin),
                           edge(v[1], v[2], x_begin, flat.y_begin),
                           edge(v[2], v[0], x_begin, flat.y_begin)};
    const double* const a = cells_.data() + 3 * int64_t(v[0]);
    const double* const b = cells_.data() + 3 * int64_t(v[1]);
    const double* const c = cells_.data() + 3 * int64_t(v[2]);
    const double e1[3] = {b[0] - a[0], b[1] - a[1], b[2] - a[2]};
    const double e2[3] = {c[0] - a[0], c[1] - a[1], c[2] - a[2]};
    const double nx = e1[1] * e2[2] - e1[2] * e2[1], ny = e1[2] * e2[0] - e1[0] * e2[2];
    const double nz = e1[0] * e2[1] - e1[1] * e2[0];
    const double lowest = smaller(a[2], smaller(b[2], c[2]));
    const double highest = larger(a[2], larger(b[2], c[2]));
    for (int x = x_begin; x < x_end; ++x)
      for (int y = flat.y_begin; y < flat.y_end; ++y) {
        int64_t at[3];
        bool left = true, right = true;
        for (int i = 0; i < 3; ++i) {
          at[i] = edges[i].value + (x - x_begin) * edges[i].along_x +
                  (y - flat.y_begin) * edges[i].along_y;
          const bool is_left = edges[i].is_left(at[i]);
          left &= is_left, right &= !is_left;
        }
        if (!left && !right) continue;
        double z = a[2] - (nx * (x - a[0]) + ny * (y - a[1])) / nz;
        // Where the face is seen on edge, or nearly, the plane says little.
        z = z >= lowest ? smaller(z, highest) : lowest;
        const double index = ceil(z);
        if (index >= args_.size[2]) continue;
        const int64_t first = index > 0 ? int64_t(index) : 0;
        // Looking along +z, a face whose normal points back is entered.
        args_.winding[(int64_t(x) * args_.size[1] + y) * args_.size[2] + first] += left ? -1 : 1;
      }
  }

  const VoxelizeArgs& args_;
  int bits_;
  Buffer<double> cells_;
  Buffer<int64_t> parts_, first_, listed_;
  Buffer<FlatFace> flat_;
};

}  // namespace

int voxelize(const VoxelizeArgs& args) {
  try {
    Voxelizer(args).run();
  } catch (const std::bad_alloc&) {
    return 1;
  }
  return 0;
}

LRAST_END
