// csrc/kernels/outline_solve.cpp
#include "outline_solve.h"

#include <math.h>

#include "parallel.h"

LRAST_BEGIN
namespace {

struct Vec { double x, y, z; };
Vec operator+(Vec a, Vec b) { return {a.x + b.x, a.y + b.y, a.z + b.z}; }
Vec operator-(Vec a, Vec b) { return {a.x - b.x, a.y - b.y, a.z - b.z}; }
Vec operator*(double s, Vec a) { return {s * a.x, s * a.y, s * a.z}; }
double dot(Vec a, Vec b) { return a.x * b.x + a.y * b.y + a.z * b.z; }
Vec cross(Vec a, Vec b) {
  return {a.y * b.z - a.z * b.y, a.z * b.x - a.x * b.z, a.x * b.y - a.y * b.x};
}
const Vec* as_vectors(const double* p) { return reinterpret_cast<const Vec*>(p); }
Vec* as_vectors(double* p) { return reinterpret_cast<Vec*>(p); }

struct Symmetric { double xx, xy, xz, yy, yz, zz; };
Vec operator*(const Symmetric& m, Vec v) {
  return {m.xx * v.x + m.xy * v.y + m.xz * v.z, m.xy * v.x + m.yy * v.y + m.yz * v.z,
          m.xz * v.x + m.yz * v.y + m.zz * v.z};
}
void add_square(Symmetric& m, double weight, Vec v) {
  m.xx += weight * v.x * v.x;
  m.xy += weight * v.x * v.y;
  m.xz += weight * v.x * v.z;
  m.yy += weight * v.y * v.y;
  m.yz += weight * v.y * v.z;
  m.zz += weight * v.z * v.z;
}
double trace(const Symmetric& m) { return m.xx + m.yy + m.zz; }

/// The inverse; of a matrix that has none, that of a multiple of the identity with its trace.
Symmetric inverse(const Symmetric& m) {
  const double xx = m.yy * m.zz - m.yz * m.yz, xy = m.xz * m.yz - m.xy * m.zz;
  const double xz = m.xy * m.yz - m.xz * m.yy;
  const double det = m.xx * xx + m.xy * xy + m.xz * xz, size = trace(m);
  if (!(det > 1e-12 * size * size * size)) {
    const double all = size > 0.0 ? 3.0 / size : 0.0;
    return {all, 0.0, 0.0, all, 0.0, all};
  }
  const double inv = 1.0 / det;
  return {xx * inv,
          xy * inv,
          xz * inv,
          (m.xx * m.zz - m.xz * m.xz) * inv,
          (m.xz * m.xy - m.xx * m.yz) * inv,
          (m.xx * m.yy - m.xy * m.xy) * inv};
}

struct Block { Vec row[3]; };
Vec operator*(const Block& m, Vec v) { return {dot(m.row[0], v), dot(m.row[1], v), dot(m.row[2], v)}; }
void add_product(Block& m, double weight, Vec a, Vec b) {
  m.row[0] = m.row[0] + (weight * a.x) * b;
  m.row[1] = m.row[1] + (weight * a.y) * b;
  m.row[2] = m.row[2] + (weight * a.z) * b;
}

/// A way from a vertex to a neighbour; `block` numbers the coupling of the two, -1 if there is none.
struct Link { int32_t vert, edge, block; };

struct Links {
  Buffer<int64_t> start;  // (V + 1,)
  Buffer<Link> links;     // (2 E,), in the order of the edges

  void find(const int32_t* edges, int64_t num_edges, int64_t num_verts) {
    start.zero(num_verts + 1);
    for (int64_t i = 0; i < 2 * num_edges; ++i) start[edges[i] + 1] += 1;
    for (int64_t v = 0; v < num_verts; ++v) start[v + 1] += start[v];
    links.resize(2 * num_edges);
    for (int64_t e = 0; e < num_edges; ++e)
      for (int end = 0; end < 2; ++end)
        links[start[edges[2 * e + end]]++] = {edges[2 * e + 1 - end], int32_t(e), -1};
    for (int64_t v = num_verts; v > 0; --v) start[v] = start[v - 1];
    start[0] = 0;
  }
  Link* between(int32_t from, int32_t to) {
    for (int64_t i = start[from]; i < start[from + 1]; ++i)
      if (links[i].vert == to) return &links[i];
    return nullptr;
  }
  double degree(int64_t vert) const { return double(start[vert + 1] - start[vert]); }
};

/// The matrix of the linear system, and what conjugate gradients need.
class System {
 public:
  System(const OutlineSolveArgs& args)
      : args_(args), num_blocks_((args.num_verts + kBlock - 1) / kBlock) {
    links_.find(args.edges, args.num_edges, args.num_verts);
  }

  /// The outline's part and its right-hand side. Returns the first row that is no edge, or -1.
  int64_t add_rows() {
    const int64_t num_verts = args_.num_verts;
    diagonal_.zero(num_verts);
    right_.zero(num_verts);
    blocks_.clear();
    Link* there = nullptr;
    Link* back = nullptr;
    for (int64_t i = 0; i < args_.num_rows; ++i) {
      const int32_t a = args_.row_verts[2 * i], b = args_.row_verts[2 * i + 1];
      if (i == 0 || a != args_.row_verts[2 * i - 2] || b != args_.row_verts[2 * i - 1]) {
        there = links_.between(a, b);
        back = links_.between(b, a);
        if (!there || !back) return i;
        if (there->block < 0) {
          there->block = int32_t(blocks_.size());
          back->block = there->block + 1;
          blocks_.push(Block{});
          blocks_.push(Block{});
        }
      }
      const double weight = args_.weight[i], pull = weight * args_.residual[i];
      const Vec at_a = as_vectors(args_.jacobian)[2 * i], at_b = as_vectors(args_.jacobian)[2 * i + 1];
      add_square(diagonal_[a], weight, at_a);
      add_square(diagonal_[b], weight, at_b);
      add_product(blocks_[there->block], weight, at_a, at_b);
      add_product(blocks_[back->block], weight, at_b, at_a);
      right_[a] = right_[a] + pull * at_a;
      right_[b] = right_[b] + pull * at_b;
    }
    double sum = 0.0;
    for (int64_t v = 0; v < num_verts; ++v) sum += trace(diagonal_[v]);
    stiffness_ = num_verts > 0 ? sum / (3.0 * double(num_verts)) : 0.0;
    return -1;
  }
  double stiffness() const { return stiffness_; }

  /// Smoothing, bending and damping join the diagonal and the right-hand side.
  void add_shape() {
    const double bend = stiffness_ * args_.bending, smooth = stiffness_ * args_.smoothing;
    laplacian_.resize(args_.num_verts);
    inverse_.resize(args_.num_verts);
    const Vec* verts = as_vectors(args_.verts);
    over_verts([&](int64_t v) { laplacian_[v] = laplacian(verts, v); });
    over_verts([&](int64_t v) {
      if (bend != 0.0) right_[v] = right_[v] - bend * laplacian(laplacian_.data(), v);
      const double degree = links_.degree(v);
      // What a block preconditioner must see of the other terms, and what times() adds by itself.
      const double own = stiffness_ * args_.damping;
      const double shape = smooth * degree + bend * (degree * degree + degree);
      diagonal_[v].xx += own, diagonal_[v].yy += own, diagonal_[v].zz += own;
      Symmetric all = diagonal_[v];
      all.xx += shape, all.yy += shape, all.zz += shape;
      inverse_[v] = inverse(all);
    });
  }

  /// Conjugate gradients from 0. Returns the number of iterations.
  int solve(Vec* x, double& relative_residual) {
    const int64_t num_verts = args_.num_verts;
    direction_.resize(num_verts);
    product_.resize(num_verts);
    Vec* r = right_.data();
    Vec* p = direction_.data();
    over_verts([&](int64_t v) { x[v] = {0.0, 0.0, 0.0}; });
    double rz = 0.0;
    const double start = sum_over_verts([&](int64_t v) { return dot(r[v], r[v]); });
    relative_residual = 0.0;
    if (!(start > 0.0)) return 0;
    rz = sum_over_verts([&](int64_t v) {
      p[v] = inverse_[v] * r[v];
      return dot(r[v], p[v]);
    });
    double size = start;
    int done = 0;
    while (done < args_.max_iterations && size > args_.rtol * args_.rtol * start) {
      const double curvature = multiply(p);
      if (!(curvature > 0.0)) break;
      const double step = rz / curvature;
      double next_rz = 0.0;
      size = sum_over_verts(
          [&](int64_t v, double& second) {
            x[v] = x[v] + step * p[v];
            r[v] = r[v] - step * product_[v];
            second += dot(r[v], inverse_[v] * r[v]);
            return dot(r[v], r[v]);
          },
          next_rz);
      const double keep = next_rz / rz;
      rz = next_rz;
      over_verts([&](int64_t v) { p[v] = inverse_[v] * r[v] + keep * p[v]; });
      ++done;
    }
    relative_residual = sqrt(size / start);
    return done;
  }

 private:
  // Sums are taken within blocks of so many vertices and then over blocks, whatever the number of
  // threads: the result's bits do not depend on it.
  static constexpr int64_t kBlock = 512;

  Vec laplacian(const Vec* values, int64_t v) const {
    Vec sum = links_.degree(v) * values[v];
    for (int64_t i = links_.start[v]; i < links_.start[v + 1]; ++i)
      sum = sum - values[links_.links[i].vert];
    return sum;
  }

  /// product_ = A p; returns p . A p.
  double multiply(const Vec* p) {
    const double bend = stiffness_ * args_.bending, smooth = stiffness_ * args_.smoothing;
    over_verts([&](int64_t v) { laplacian_[v] = laplacian(p, v); });
    const Vec* lp = laplacian_.data();
    return sum_over_verts([&](int64_t v) {
      Vec outline = diagonal_[v] * p[v], twice = links_.degree(v) * lp[v];
      for (int64_t i = links_.start[v]; i < links_.start[v + 1]; ++i) {
        const Link link = links_.links[i];
        twice = twice - lp[link.vert];
        if (link.block >= 0) outline = outline + blocks_[link.block] * p[link.vert];
      }
      product_[v] = outline + smooth * lp[v] + bend * twice;
      return dot(p[v], product_[v]);
    });
  }

  template <typename Body> void over_blocks(Body&& body) {
    const int chunks = num_chunks(args_.num_verts, args_.num_threads);
    parallel_chunks(num_blocks_, chunks, args_.num_threads, [&](int, int64_t begin, int64_t end) {
      for (int64_t block = begin; block < end; ++block)
        body(block, block * kBlock, smaller((block + 1) * kBlock, args_.num_verts));
    });
  }
  template <typename Body> void over_verts(Body&& body) {
    over_blocks([&](int64_t, int64_t begin, int64_t end) {
      for (int64_t v = begin; v < end; ++v) body(v);
    });
  }
  template <typename Value> double sum_over_verts(Value&& value) {
    double unused = 0.0;
    return sum_over_verts([&](int64_t v, double&) { return value(v); }, unused);
  }
  /// Two sums: that of what `value` returns, and that of what it adds to its second argument.
  template <typename Value> double sum_over_verts(Value&& value, double& second) {
    partial_.resize(2 * num_blocks_);
    over_blocks([&](int64_t block, int64_t begin, int64_t end) {
      double sum = 0.0, other = 0.0;
      for (int64_t v = begin; v < end; ++v) sum += value(v, other);
      partial_[2 * block] = sum;
      partial_[2 * block + 1] = other;
    });
    double sum = 0.0;
    second = 0.0;
    for (int64_t block = 0; block < num_blocks_; ++block) {
      sum += partial_[2 * block];
      second += partial_[2 * block + 1];
    }
    return sum;
  }

  const OutlineSolveArgs& args_;
  int64_t num_blocks_;
  Links links_;
  Buffer<Symmetric> diagonal_, inverse_;
  Buffer<Block> blocks_;
  Buffer<Vec> right_, laplacian_, direction_, product_;
  Buffer<double> partial_;
  double stiffness_ = 0.0;
};

/// Marks the corners of faces that `delta` turns by a right angle or more; returns whether any.
bool mark_turned(const OutlineLimitArgs& args, Buffer<uint8_t>& marked) {
  const Vec* verts = as_vectors(args.verts);
  const Vec* delta = as_vectors(args.delta);
  marked.zero(args.num_verts);
  bool any = false;
  for (int64_t f = 0; f < args.num_faces; ++f) {
    const int32_t* face = args.faces + 3 * f;
    Vec before[3], after[3];
    for (int i = 0; i < 3; ++i) {
      before[i] = verts[face[i]];
      after[i] = before[i] + delta[face[i]];
    }
    const Vec old_area = cross(before[1] - before[0], before[2] - before[0]);
    const Vec new_area = cross(after[1] - after[0], after[2] - after[0]);
    if (dot(old_area, new_area) > 0.0 || dot(old_area, old_area) == 0.0) continue;
    any = true;
    for (int i = 0; i < 3; ++i) marked[face[i]] = 1;
  }
  return any;
}

void limit_lengths(const OutlineLimitArgs& args) {
  Buffer<double> total, count;
  total.zero(args.num_verts);
  count.zero(args.num_verts);
  const Vec* verts = as_vectors(args.verts);
  Vec* delta = as_vectors(args.delta);
  for (int64_t e = 0; e < args.num_edges; ++e) {
    const int32_t a = args.edges[2 * e], b = args.edges[2 * e + 1];
    const Vec along = verts[b] - verts[a];
    const double length = sqrt(dot(along, along));
    total[a] += length, total[b] += length;
    count[a] += 1.0, count[b] += 1.0;
  }
  for (int64_t v = 0; v < args.num_verts; ++v) {
    const double length = sqrt(dot(delta[v], delta[v]));
    const double most = count[v] > 0.0 ? args.max_edges * total[v] / count[v] : 0.0;
    args.scale[v] = length > most ? most / length : 1.0;
    delta[v] = args.scale[v] * delta[v];
  }
}

}  // namespace
LRAST_END

namespace lrast {

int solve_outline(const OutlineSolveArgs& args, OutlineSolveReport& report) {
  report = {0.0, 0.0, 0.0, -1.0};
  try {
    System system(args);
    const int64_t bad_row = system.add_rows();
    if (bad_row >= 0) {
      report.bad_row = double(bad_row);
      return OutlineSolveReport::kNotAnEdge;
    }
    report.stiffness = system.stiffness();
    system.add_shape();
    report.iterations = system.solve(as_vectors(args.delta), report.relative_residual);
  } catch (const std::bad_alloc&) {
    return OutlineSolveReport::kNoMemory;
  }
  return OutlineSolveReport::kOk;
}

int limit_outline_step(const OutlineLimitArgs& args) {
  constexpr int kMostRounds = 30;  // halvings: what is left then is nothing
  try {
    limit_lengths(args);
    Buffer<uint8_t> marked;
    for (int round = 0; round < kMostRounds && mark_turned(args, marked); ++round)
      for (int64_t v = 0; v < args.num_verts; ++v) {
        if (!marked[v]) continue;
        args.scale[v] *= 0.5;
        as_vectors(args.delta)[v] = 0.5 * as_vectors(args.delta)[v];
      }
  } catch (const std::bad_alloc&) {
    return OutlineSolveReport::kNoMemory;
  }
  return OutlineSolveReport::kOk;
}

}  // namespace lrast
