// csrc/kernels/mask_distance.cpp: crossings of the 1/2 level, their exact distance transform, and
// the segments between them near the outline.
#include "mask_distance.h"

#include <math.h>

#include "parallel.h"

LRAST_BEGIN
namespace {

constexpr float kNone = 1e30f;    // squared distance where there is no crossing
constexpr float kBand = 2;        // px: up to here distances are to segments, beyond to their ends
constexpr int kColumns = 16;      // of a block that is transposed at once: a cache line of floats

/// One mask with what it takes to find its outline. Pixel (y, x) has its centre at (x, y) here.
class Outline {
 public:
  Outline(const MaskDistanceArgs& args, int64_t view)
      : coverage_(args.coverage + view * args.height * args.width),
        known_(args.known ? args.known + view * args.height * args.width : nullptr),
        distance_(args.distance + view * args.height * args.width),
        height_(args.height),
        width_(args.width) {}

  void measure() {
    const int longest = larger(height_, width_);
    reciprocal_.resize(longest + 1);
    for (int i = 1; i <= longest; ++i) reciprocal_[i] = 0.5 / i;
    envelope_.resize(longest + 1);
    along_rows();
    along_columns();
    near_segments();
    finish();
  }

 private:
  float value(int64_t at) const { return coverage_[at] - 0.5f; }
  bool is_known(int64_t at) const { return !known_ || known_[at]; }
  bool is_inside(int64_t at) const { return value(at) >= 0; }
  bool cross(int64_t a, int64_t b) const {
    return is_inside(a) != is_inside(b) && is_known(a) && is_known(b);
  }
  /// Where between two centres of different sides the 1/2 level lies, 0..1 from a to b.
  float crossing(int64_t a, int64_t b) const { return value(a) / (value(a) - value(b)); }

  /// Distance to crossings between horizontal neighbours: first within each row, then over rows.
  void along_rows() {
    squared_.resize(int64_t(height_) * width_);
    for (int y = 0; y < height_; ++y) {
      const int64_t row = int64_t(y) * width_;
      float* const out = squared_.data() + row;
      float last = -kNone;
      for (int x = 0; x < width_; ++x) {
        out[x] = float(x) - last;
        if (x + 1 < width_ && cross(row + x, row + x + 1)) last = x + crossing(row + x, row + x + 1);
      }
      float next = kNone;
      for (int x = width_ - 1; x >= 0; --x) {
        const float nearest = smaller(out[x], next - float(x));
        out[x] = nearest >= kNone / 2 ? kNone : nearest * nearest;
        if (x > 0 && cross(row + x - 1, row + x)) next = x - 1 + crossing(row + x - 1, row + x);
      }
    }
    line_.resize(int64_t(kColumns) * height_);
    for (int first = 0; first < width_; first += kColumns) {
      const int count = smaller(kColumns, width_ - first);
      for (int y = 0; y < height_; ++y)
        for (int i = 0; i < count; ++i)
          line_[int64_t(i) * height_ + y] = squared_[int64_t(y) * width_ + first + i];
      for (int i = 0; i < count; ++i) lower_envelope(line_.data() + int64_t(i) * height_, height_);
      for (int y = 0; y < height_; ++y)
        for (int i = 0; i < count; ++i)
          distance_[int64_t(y) * width_ + first + i] = line_[int64_t(i) * height_ + y];
    }
  }

  /// The same for vertical neighbours; the smaller of both stays.
  void along_columns() {
    last_.resize(width_);
    for (int x = 0; x < width_; ++x) last_[x] = -kNone;
    for (int y = 0; y < height_; ++y) {
      const int64_t row = int64_t(y) * width_;
      for (int x = 0; x < width_; ++x) {
        squared_[row + x] = float(y) - last_[x];
        if (y + 1 < height_ && cross(row + x, row + width_ + x))
          last_[x] = y + crossing(row + x, row + width_ + x);
      }
    }
    for (int x = 0; x < width_; ++x) last_[x] = kNone;
    for (int y = height_ - 1; y >= 0; --y) {
      const int64_t row = int64_t(y) * width_;
      for (int x = 0; x < width_; ++x) {
        const float nearest = smaller(squared_[row + x], last_[x] - float(y));
        squared_[row + x] = nearest >= kNone / 2 ? kNone : nearest * nearest;
        if (y > 0 && cross(row - width_ + x, row + x))
          last_[x] = y - 1 + crossing(row - width_ + x, row + x);
      }
      lower_envelope(squared_.data() + row, width_);
      for (int x = 0; x < width_; ++x)
        distance_[row + x] = smaller(distance_[row + x], squared_[row + x]);
    }
  }

  /// line[i] = min over j of line[j] + (i - j)^2 (Felzenszwalb and Huttenlocher 2012).
  void lower_envelope(float* line, int count) {
    Parabola* const hull = envelope_.data();
    int size = 0;
    for (int i = 0; i < count; ++i) {
      if (line[i] >= kNone) continue;
      const double height = double(line[i]) + double(i) * i;
      double from = -1;
      while (size > 0) {
        const Parabola& top = hull[size - 1];
        from = (height - top.height) * reciprocal_[i - top.at];
        if (from > top.from) break;
        --size;
      }
      if (size == 0) from = -1;
      if (from < count) hull[size++] = {from, height, i};
    }
    if (size == 0) return;
    int piece = 0;
    for (int i = 0; i < count; ++i) {
      while (piece + 1 < size && hull[piece + 1].from <= i) ++piece;
      const double offset = hull[piece].at;
      line[i] = float(hull[piece].height + double(i) * (double(i) - 2 * offset));
    }
  }

  /// Segments of marching squares, each written to the pixels around it.
  void near_segments() {
    for (int y = 0; y + 1 < height_; ++y) {
      const int64_t row = int64_t(y) * width_;
      for (int x = 0; x + 1 < width_; ++x) {
        //  a -- b
        //  |    |
        //  d -- c
        const int64_t a = row + x, b = a + 1, d = a + width_, c = d + 1;
        const bool ia = is_inside(a), ib = is_inside(b), ic = is_inside(c), id = is_inside(d);
        if (ia == ib && ib == ic && ic == id) continue;
        if (!(is_known(a) && is_known(b) && is_known(c) && is_known(d))) continue;
        float px[4], py[4];
        bool has[4] = {ia != ib, ib != ic, ic != id, id != ia};
        if (has[0]) px[0] = x + crossing(a, b), py[0] = float(y);
        if (has[1]) px[1] = float(x + 1), py[1] = y + crossing(b, c);
        if (has[2]) px[2] = x + crossing(d, c), py[2] = float(y + 1);
        if (has[3]) px[3] = float(x), py[3] = y + crossing(a, d);
        if (has[0] && has[1] && has[2] && has[3]) {
          // Of the bilinear interpolant: its saddle tells which two corners are joined, the two
          // inside ones where it is at the level itself.
          const float ac = value(a) * value(c), bd = value(b) * value(d);
          const bool around_b = ia ? ac >= bd : ac > bd;
          segment(px[0], py[0], px[around_b ? 1 : 3], py[around_b ? 1 : 3]);
          segment(px[2], py[2], px[around_b ? 3 : 1], py[around_b ? 3 : 1]);
        } else {
          int ends[2], count = 0;
          for (int i = 0; i < 4; ++i)
            if (has[i]) ends[count++] = i;
          segment(px[ends[0]], py[ends[0]], px[ends[1]], py[ends[1]]);
        }
      }
    }
  }

  void segment(float ax, float ay, float bx, float by) {
    const float dx = bx - ax, dy = by - ay, squared = dx * dx + dy * dy;
    const float scale = squared > 0 ? 1 / squared : 0;
    const int left = larger(0, int(ceilf(smaller(ax, bx) - kBand)));
    const int right = smaller(width_ - 1, int(floorf(larger(ax, bx) + kBand)));
    const int top = larger(0, int(ceilf(smaller(ay, by) - kBand)));
    const int bottom = smaller(height_ - 1, int(floorf(larger(ay, by) + kBand)));
    for (int y = top; y <= bottom; ++y) {
      float* const out = distance_ + int64_t(y) * width_;
      const float vy = float(y) - ay;
      for (int x = left; x <= right; ++x) {
        const float vx = float(x) - ax;
        const float t = clamped((vx * dx + vy * dy) * scale, 0.0f, 1.0f);
        const float ex = vx - t * dx, ey = vy - t * dy;
        out[x] = smaller(out[x], ex * ex + ey * ey);
      }
    }
  }

  void finish() {
    const int64_t count = int64_t(height_) * width_;
    for (int64_t i = 0; i < count; ++i) {
      const float size = distance_[i] >= kNone ? INFINITY : sqrtf(larger(distance_[i], 0.0f));
      distance_[i] = !is_known(i) ? INFINITY : (is_inside(i) ? size : -size);
    }
  }

  struct Parabola {
    double from;    // it is the lowest from here on
    double height;  // at 0
    int at;
  };

  const float* coverage_;
  const uint8_t* known_;
  float* distance_;
  int height_, width_;
  Buffer<float> squared_, line_, last_;
  Buffer<double> reciprocal_;
  Buffer<Parabola> envelope_;
};

}  // namespace

int mask_distance(const MaskDistanceArgs& args) {
  try {
    parallel_tasks(args.num_views, args.num_threads,
                   [&](int64_t view) { Outline(args, view).measure(); });
  } catch (const std::bad_alloc&) {
    return 1;
  }
  return 0;
}

LRAST_END
