// csrc/kernels/carve.cpp: blocks of the grid are decided as a whole where the distances at their
// centre allow it, else halved; the smallest are evaluated point by point.
#include "carve.h"

#include <math.h>

#include "parallel.h"

LRAST_BEGIN
namespace {

constexpr int kBlock = 16, kLeaf = 4;  // grid points along a side
constexpr float kFar = 1e9f;           // px: stands for infinity
constexpr float kUnseen = -1;          // px: where too few views look
// Interpolated distances follow true ones within this, and twice that bounds their difference.
constexpr double kSlack = 1.0;

struct Block {
  int begin[3], end[3];  // grid points
};

/// How a view sees a whole block.
struct Sight {
  int view;
  bool whole;          // every point is in the image and all pixels there are known
  float middle;        // distance at the block's centre, if `whole`
  float lowest, highest;  // bounds of the distance over the block
};

/// Keeps the `kMostDisagreeing` smallest of what is added, in order.
struct Smallest {
  float value[kMostDisagreeing];
  void clear() {
    for (float& v : value) v = kFar;
  }
  void add(float v) {
    for (float& kept : value) {
      const float low = smaller(kept, v);
      v = larger(kept, v);
      kept = low;
    }
  }
};

class Carver {
 public:
  explicit Carver(const CarveArgs& args) : args_(args) {
    num_pixels_ = int64_t(args.height) * args.width;
    count_unknown();
  }

  void run() {
    int blocks[3];
    for (int axis = 0; axis < 3; ++axis) blocks[axis] = (args_.size[axis] + kBlock - 1) / kBlock;
    const int64_t count = int64_t(blocks[0]) * blocks[1] * blocks[2];
    parallel_tasks(count, args_.num_threads, [&](int64_t task) {
      const int at[3] = {int(task / blocks[2] / blocks[1]), int(task / blocks[2] % blocks[1]),
                         int(task % blocks[2])};
      Block block;
      for (int axis = 0; axis < 3; ++axis) {
        block.begin[axis] = at[axis] * kBlock;
        block.end[axis] = smaller(block.begin[axis] + kBlock, args_.size[axis]);
      }
      Buffer<Sight> sights;
      for (int view = 0; view < args_.num_views; ++view) sights.push({view, false, 0, 0, 0});
      decide(block, sights.data(), int(sights.size()), 0);
    });
  }

 private:
  /// Per view with pixels of both kinds, how many unknown ones lie above and left of each corner.
  void count_unknown() {
    first_count_.resize(args_.num_views);
    int64_t total = 0;
    for (int view = 0; view < args_.num_views; ++view) {
      const float* const distance = args_.distance + view * num_pixels_;
      int64_t unknown = 0;
      for (int64_t i = 0; i < num_pixels_; ++i) unknown += distance[i] == INFINITY;
      const bool mixed = unknown > 0 && unknown < num_pixels_;
      first_count_[view] = mixed ? total : (unknown > 0 ? kNothing : kEverything);
      if (mixed) total += int64_t(args_.height + 1) * (args_.width + 1);
    }
    counts_.resize(total);
    const int64_t stride = args_.width + 1;
    for (int view = 0; view < args_.num_views; ++view) {
      if (first_count_[view] < 0) continue;
      int32_t* const counts = counts_.data() + first_count_[view];
      for (int64_t x = 0; x < stride; ++x) counts[x] = 0;
      for (int64_t y = 0; y < args_.height; ++y) {
        int32_t in_row = 0;
        counts[(y + 1) * stride] = 0;
        for (int64_t x = 0; x < args_.width; ++x) {
          in_row += args_.distance[view * num_pixels_ + y * args_.width + x] == INFINITY;
          counts[(y + 1) * stride + x + 1] = counts[y * stride + x + 1] + in_row;
        }
      }
    }
  }

  bool has_unknown(int view, double left, double top, double right, double bottom) const {
    if (first_count_[view] == kEverything) return false;
    const int x0 = clamped(int(left) - 2, 0, args_.width);
    const int x1 = clamped(int(right) + 2, 0, args_.width);
    const int y0 = clamped(int(top) - 2, 0, args_.height);
    const int y1 = clamped(int(bottom) + 2, 0, args_.height);
    const int32_t* const counts = counts_.data() + first_count_[view];
    const int64_t stride = args_.width + 1;
    return counts[y1 * stride + x1] - counts[y0 * stride + x1] - counts[y1 * stride + x0] +
               counts[y0 * stride + x0] > 0;
  }

  void project(int view, const double* grid, double* out) const {
    const double* const m = args_.project + 12 * view;
    double world[3];
    for (int i = 0; i < 3; ++i) world[i] = args_.origin[i] + args_.cell * grid[i];
    for (int r = 0; r < 3; ++r)
      out[r] = ((m[4 * r] * world[0] + m[4 * r + 1] * world[1]) + m[4 * r + 2] * world[2]) +
               m[4 * r + 3];
  }

  /// Distance at a position in the image, bilinear between centres, constant beyond the last; kFar
  /// beside an unknown pixel.
  float sample(int view, double x, double y) const {
    const float u = clamped(float(x - 0.5), 0.0f, float(args_.width - 1));
    const float v = clamped(float(y - 0.5), 0.0f, float(args_.height - 1));
    const int column = smaller(int(u), larger(args_.width - 2, 0));
    const int row = smaller(int(v), larger(args_.height - 2, 0));
    const int right = args_.width > 1, below = args_.height > 1 ? args_.width : 0;
    const float* const at = args_.distance + view * num_pixels_ + int64_t(row) * args_.width + column;
    const float a = bounded(at[0]), b = bounded(at[right]);
    const float c = bounded(at[below]), d = bounded(at[below + right]);
    if (larger(larger(a, b), larger(c, d)) == kFar) return kFar;  // unknown
    const float s = u - float(column), t = v - float(row);
    const float upper = a + s * (b - a), lower = c + s * (d - c);
    return upper + t * (lower - upper);
  }
  static float bounded(float value) { return clamped(value, -kFar, kFar); }

  /// False if no point of the block is seen. A cell more on every side, so that of neighbours on
  /// different sides of the surface neither is in a block that was decided as a whole.
  bool look(const Block& block, Sight& sight) const {
    double low[3], high[3], middle[3], center[3];
    for (int axis = 0; axis < 3; ++axis) {
      low[axis] = block.begin[axis] - 1.0;
      high[axis] = double(block.end[axis]);
      middle[axis] = 0.5 * (low[axis] + high[axis]);
    }
    if (first_count_[sight.view] == kNothing) return false;
    sight.whole = false;
    sight.lowest = -kFar, sight.highest = kFar;
    project(sight.view, middle, center);
    const double center_x = center[0] / center[2], center_y = center[1] / center[2];
    double left = INFINITY, right = -INFINITY, top = INFINITY, bottom = -INFINITY, reach = 0;
    int num_behind = 0;
    for (int corner = 0; corner < 8; ++corner) {
      const double grid[3] = {corner & 1 ? high[0] : low[0], corner & 2 ? high[1] : low[1],
                              corner & 4 ? high[2] : low[2]};
      double point[3];
      project(sight.view, grid, point);
      if (!(point[2] > args_.near)) {
        ++num_behind;
        continue;
      }
      const double x = point[0] / point[2], y = point[1] / point[2];
      left = smaller(left, x), right = larger(right, x);
      top = smaller(top, y), bottom = larger(bottom, y);
      const double dx = x - center_x, dy = y - center_y;
      reach = larger(reach, dx * dx + dy * dy);
    }
    if (num_behind == 8) return false;
    if (num_behind > 0) return true;
    if (right < 0 || bottom < 0 || left > args_.width || top > args_.height) return false;
    if (left < 0 || top < 0 || right > args_.width || bottom > args_.height) return true;
    if (has_unknown(sight.view, left, top, right, bottom)) return true;
    sight.whole = true;
    sight.middle = sample(sight.view, center_x, center_y);
    const double bound = sqrt(reach) + 2 * kSlack;
    sight.lowest = float(sight.middle - bound), sight.highest = float(sight.middle + bound);
    return true;
  }

  void decide(const Block& block, const Sight* parents, int num_parents, int num_dropped) {
    Buffer<Sight> sights;
    Smallest lowest, highest, middle;
    lowest.clear(), highest.clear(), middle.clear();
    int num_whole = num_dropped;
    for (int i = 0; i < num_parents; ++i) {
      Sight sight = parents[i];
      if (!look(block, sight)) continue;
      sights.push(sight);
      num_whole += sight.whole;
      lowest.add(sight.lowest), highest.add(sight.highest);
      if (sight.whole) middle.add(sight.middle);
    }
    const int num_seen = int(sights.size()) + num_dropped;
    bool is_decided = true;
    float value[kMostDisagreeing];
    for (int k = args_.first_k; k <= args_.last_k; ++k) {
      const int needed = num_needed(k);
      float& filled = value[k - 1];
      if (num_seen < needed) filled = kUnseen;
      else if (highest.value[k - 1] < 0) filled = smaller(middle.value[k - 1], kUnseen);
      else if (lowest.value[k - 1] > 0 && num_whole >= needed)
        filled = larger(middle.value[k - 1], -kUnseen);
      else is_decided = false;
    }
    if (is_decided) return fill(block, value);
    // A view is left out where it cannot be among the ones that decide.
    const float most = highest.value[args_.last_k - 1];
    int num_kept = 0;
    for (int i = 0; i < int(sights.size()); ++i) {
      if (sights[i].whole && sights[i].lowest > most) ++num_dropped;
      else sights[num_kept++] = sights[i];
    }
    int longest = 0;
    for (int axis = 1; axis < 3; ++axis)
      if (length(block, axis) > length(block, longest)) longest = axis;
    if (length(block, longest) <= kLeaf) return evaluate(block, sights.data(), num_kept, num_dropped);
    const int half = block.begin[longest] + (length(block, longest) + 1) / 2;
    Block first = block, second = block;
    first.end[longest] = second.begin[longest] = half;
    decide(first, sights.data(), num_kept, num_dropped);
    decide(second, sights.data(), num_kept, num_dropped);
  }

  int num_needed(int k) const {
    return args_.least_seen > 0 ? larger(args_.least_seen, k + 1) : 0;
  }

  static int length(const Block& block, int axis) { return block.end[axis] - block.begin[axis]; }

  void fill(const Block& block, const float* value) {
    for (int k = args_.first_k; k <= args_.last_k; ++k)
      for (int x = block.begin[0]; x < block.end[0]; ++x)
        for (int y = block.begin[1]; y < block.end[1]; ++y)
          for (int z = block.begin[2]; z < block.end[2]; ++z) *at(k, x, y, z) = value[k - 1];
  }

  void evaluate(const Block& block, const Sight* sights, int num_sights, int num_dropped) {
    Smallest smallest[kLeaf * kLeaf * kLeaf];
    int num_seen[kLeaf * kLeaf * kLeaf];
    const int64_t num_points = int64_t(length(block, 0)) * length(block, 1) * length(block, 2);
    for (int64_t i = 0; i < num_points; ++i) smallest[i].clear(), num_seen[i] = num_dropped;
    for (int i = 0; i < num_sights; ++i) {
      int point = 0;
      const int view = sights[i].view;
      for (int x = block.begin[0]; x < block.end[0]; ++x)
        for (int y = block.begin[1]; y < block.end[1]; ++y)
          for (int z = block.begin[2]; z < block.end[2]; ++z, ++point) {
            const double grid[3] = {double(x), double(y), double(z)};
            double image[3];
            project(view, grid, image);
            if (!(image[2] > args_.near)) continue;
            const double scale = 1 / image[2], px = image[0] * scale, py = image[1] * scale;
            if (!(px >= 0 && py >= 0 && px <= args_.width && py <= args_.height)) continue;
            const float distance = sample(view, px, py);
            if (distance == kFar) continue;  // unknown
            ++num_seen[point];
            smallest[point].add(distance);
          }
    }
    int point = 0;
    for (int x = block.begin[0]; x < block.end[0]; ++x)
      for (int y = block.begin[1]; y < block.end[1]; ++y)
        for (int z = block.begin[2]; z < block.end[2]; ++z, ++point)
          for (int k = args_.first_k; k <= args_.last_k; ++k)
            *at(k, x, y, z) =
                num_seen[point] < num_needed(k) ? kUnseen : smallest[point].value[k - 1];
  }

  float* at(int k, int64_t x, int64_t y, int64_t z) const {
    return args_.field +
           (((k - args_.first_k) * int64_t(args_.size[0]) + x) * args_.size[1] + y) * args_.size[2] +
           z;
  }

  static constexpr int64_t kEverything = -1, kNothing = -2;  // is known, instead of an offset
  const CarveArgs& args_;
  int64_t num_pixels_;
  Buffer<int64_t> first_count_;
  Buffer<int32_t> counts_;
};

}  // namespace

int carve(const CarveArgs& args) {
  try {
    Carver(args).run();
  } catch (const std::bad_alloc&) {
    return 1;
  }
  return 0;
}

LRAST_END
