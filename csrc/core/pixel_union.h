// csrc/core/pixel_union.h: exact area of the union inside one pixel, from its contour pieces.
// Frame: the pixel's own, [0, 1] x [0, 1].
#pragma once
#include "contour_edge.h"
#include "sort.h"

LRAST_BEGIN

/// A piece that reaches into the current slab of rows: x at the slab's top and bottom.
struct ActiveSide {
  double x_top, x_bottom;
  double after_top, after_bottom;  // least x_top and x_bottom of the sides from this one on
  int64_t key;  // x at mid height on a 2^-40 grid, so that coincident sides tie exactly
  int32_t piece, weight;
};

// Two sides whose order differs at the slab's ends by less than this are taken as touching; it is
// far above rounding (1e-16) and far below anything visible.
constexpr double kTouching = 0x1p-38;

/// Order of piece numbers by where they start; ties by number.
struct StartsBefore {
  const Piece* pieces;
  LRAST_HD bool operator()(int32_t a, int32_t b) const {
    return pieces[a].y0 < pieces[b].y0 || (pieces[a].y0 == pieces[b].y0 && a < b);
  }
};

/// x of a piece at y, which must be within it. No branch: this is the innermost operation.
LRAST_HD double piece_x_at(const Piece& p, double y) { return p.x0 + (y - p.y0) * p.dx_dy; }

/// What the winding at the pixel's left side does at a piece's two ends.  An edge that comes in
/// through the left side was to the left of everything before, one that leaves is from there on.
/// At the very top the winding that the pixel starts with has it already, at the bottom it is late.
LRAST_HD bool inside_row(double y) { return y > 0.0 && y < 1.0; }
LRAST_HD int step_at_start(const Piece& p) {
  return p.x0 == 0.0 && inside_row(p.y0) ? -p.weight : 0;
}
LRAST_HD int step_at_end(const Piece& p) {
  return p.x1 == 0.0 && inside_row(p.y1) ? p.weight : 0;
}

/// +1 where crossing a side uncovers -> covers, -1 for the reverse, 0 where it changes nothing.
LRAST_HD int coverage_step(int winding_left, int winding_right) {
  return int(winding_right > 0) - int(winding_left > 0);
}

LRAST_HD void see(VisibleSpan& span, int sign, double y_top, double y_bottom) {
  const double dy = sign * (y_bottom - y_top);
  span.dy += dy;
  span.y_dy += dy * 0.5 * (y_top + y_bottom);
}

LRAST_HD bool lies_before(const ActiveSide& a, const ActiveSide& b) {
  if (a.key != b.key) return a.key < b.key;
  // Coincident sides: entering first keeps the winding positive, so that a seam between touching
  // pieces of surface is not an outline.
  if (a.weight != b.weight) return a.weight > b.weight;
  return a.piece < b.piece;
}

LRAST_HD void place_sides(const Piece* pieces, ActiveSide* sides, int count, double y_top,
                          double y_bottom) {
  for (int i = 0; i < count; ++i) {
    const Piece& p = pieces[sides[i].piece];
    sides[i].x_top = piece_x_at(p, y_top);
    sides[i].x_bottom = piece_x_at(p, y_bottom);
  }
}

constexpr int kMostCompared = 16;

/// Whether the winding stays positive wherever the sides of a slab run. False if that is not plain:
/// just right of each side that lowers it, all that may lie further left must leave it positive.
LRAST_HD bool stays_covered(const ActiveSide* sides, int count, int winding) {
  if (winding <= 0 || count > kMostCompared) return false;
  for (int i = 0; i < count; ++i) {
    const ActiveSide& side = sides[i];
    if (side.weight >= 0) continue;
    int lowest = winding;
    for (int j = 0; j < count; ++j) {
      const ActiveSide& other = sides[j];
      const bool is_left = other.x_top <= side.x_top + kTouching &&
                           other.x_bottom <= side.x_bottom + kTouching;
      const bool is_right = other.x_top >= side.x_top - kTouching &&
                            other.x_bottom >= side.x_bottom - kTouching;
      if (is_left || (other.weight < 0 && !is_right)) lowest += other.weight;
    }
    if (lowest <= 0) return false;
  }
  return true;
}

/// Sorts the sides of a slab by x at mid height.
LRAST_HD void sort_sides(ActiveSide* sides, int count) {
  for (int i = 0; i < count; ++i)
    sides[i].key = int64_t((sides[i].x_top + sides[i].x_bottom) * 0x1p39 + 0.5);
  for (int i = 1; i < count; ++i) {
    if (!lies_before(sides[i], sides[i - 1])) continue;
    const ActiveSide item = sides[i];
    int j = i;
    for (; j > 0 && lies_before(item, sides[j - 1]); --j) sides[j] = sides[j - 1];
    sides[j] = item;
  }
}

/// The crossing of neighbouring sides that is closest to the slab's middle; `y_bottom` if none.
LRAST_HD double find_crossing(const ActiveSide* sides, int count, double y_top, double y_bottom) {
  double best = y_bottom, distance = 1.0;
  for (int i = 0; i + 1 < count; ++i) {
    const double gap_top = sides[i + 1].x_top - sides[i].x_top;
    const double gap_bottom = sides[i + 1].x_bottom - sides[i].x_bottom;
    if (gap_top >= -kTouching && gap_bottom >= -kTouching) continue;
    const double t = gap_top / (gap_top - gap_bottom);
    const double y = y_top + (y_bottom - y_top) * t;
    if (y > y_top && y < y_bottom && fabs(t - 0.5) < distance) {
      best = y;
      distance = fabs(t - 0.5);
    }
  }
  return best;
}

/// What sides in order all the way down a slab add to its area, beyond the whole of it where it is
/// covered from the left. `winding` is that to the left of the first.
LRAST_HD double ordered_area(const ActiveSide* sides, int count, int winding, double y_top,
                             double y_bottom, VisibleSpan* visible) {
  double area = 0.0;
  for (int i = 0; i < count; ++i) {
    const int right = winding + sides[i].weight;
    const int sign = coverage_step(winding, right);
    winding = right;
    if (sign == 0) continue;
    area += sign * (y_bottom - y_top) * (1.0 - 0.5 * (sides[i].x_top + sides[i].x_bottom));
    see(visible[sides[i].piece], sign, y_top, y_bottom);
  }
  return area;
}

/// A run of sorted sides that lies wholly to the left of the next one.
struct SideBlock {
  int end;          // one past its last side
  int weight;       // sum over its sides
  bool hidden;      // the winding stays positive in whatever order the sides come
};

/// The block that begins at a side. Most blocks are single sides.
LRAST_HD SideBlock block_at(const ActiveSide* sides, int count, int begin, int winding) {
  double most_top = sides[begin].x_top, most_bottom = sides[begin].x_bottom;
  int weight = sides[begin].weight, negative = smaller(weight, 0), end = begin + 1;
  for (; end < count; ++end) {
    // The block goes on while anything further on reaches back over it.
    const ActiveSide& side = sides[end];
    if (side.after_top >= most_top - kTouching && side.after_bottom >= most_bottom - kTouching)
      break;
    most_top = larger(most_top, side.x_top);
    most_bottom = larger(most_bottom, side.x_bottom);
    weight += side.weight;
    negative += smaller(side.weight, 0);
  }
  return {end, weight, winding + negative > 0};
}

/// Sides from `begin` to `end` between two heights, `winding` to their left: work that is waiting.
struct SideRange {
  int begin, end, winding;
  bool sorted;
  double y_top, y_bottom;
};

LRAST_HD void put_in_order(ActiveSide* sides, int count) {
  sort_sides(sides, count);
  double least_top = sides[count - 1].x_top, least_bottom = sides[count - 1].x_bottom;
  for (int i = count - 1; i >= 0; --i) {
    sides[i].after_top = least_top = smaller(least_top, sides[i].x_top);
    sides[i].after_bottom = least_bottom = smaller(least_bottom, sides[i].x_bottom);
  }
}

/// ordered_area() of sides that cross, splitting all of them at one crossing after the other. Needs
/// no memory, but each crossing costs as much as there are sides.
LRAST_HD double split_area(const Piece* pieces, ActiveSide* sides, int count, int winding,
                           double y_top, double y_bottom, VisibleSpan* visible) {
  double area = 0.0, top = y_top, bottom = y_bottom;
  for (;;) {
    place_sides(pieces, sides, count, top, bottom);
    sort_sides(sides, count);
    const double crossing = find_crossing(sides, count, top, bottom);
    if (crossing < bottom) {
      bottom = crossing;
      continue;
    }
    area += ordered_area(sides, count, winding, top, bottom, visible);
    if (bottom >= y_bottom) return area;
    top = bottom;
    bottom = y_bottom;
  }
}

/// Area of the slab from y_top to y_bottom, which no piece starts or ends in. The sides are placed.
///
/// Sorted sides fall into blocks. Where sides of a block cross in sight, that block is split at the
/// crossing: always valid, and it takes the pair out of disorder on both sides, so the splitting
/// ends; what is left is below kTouching.
LRAST_HD double slab_area(const Piece* pieces, ActiveSide* sides, int count, int winding,
                          double y_top, double y_bottom, VisibleSpan* visible) {
  constexpr int kMostWaiting = 40;
  double area = winding > 0 ? y_bottom - y_top : 0.0;
  if (count <= 1) return area + ordered_area(sides, count, winding, y_top, y_bottom, visible);
  put_in_order(sides, count);
  SideRange waiting[kMostWaiting];
  waiting[0] = {0, count, winding, true, y_top, y_bottom};
  for (int num_waiting = 1; num_waiting > 0;) {
    const SideRange range = waiting[--num_waiting];
    if (!range.sorted) {
      place_sides(pieces, sides + range.begin, range.end - range.begin, range.y_top,
                  range.y_bottom);
      put_in_order(sides + range.begin, range.end - range.begin);
    }
    int carried = range.winding;
    for (int begin = range.begin; begin < range.end;) {
      const SideBlock block = block_at(sides, range.end, begin, carried);
      const int block_count = block.end - begin, left = carried;
      carried += block.weight;
      if (!block.hidden) {
        const double crossing =
            find_crossing(sides + begin, block_count, range.y_top, range.y_bottom);
        if (crossing >= range.y_bottom) {
          area += ordered_area(sides + begin, block_count, left, range.y_top, range.y_bottom,
                               visible);
        } else if (num_waiting + 3 > kMostWaiting) {
          area += split_area(pieces, sides + begin, block_count, left, range.y_top,
                             range.y_bottom, visible);
        } else {
          // The two halves permute this block's sides only, so the rest stays sorted.
          if (block.end < range.end)
            waiting[num_waiting++] = {block.end, range.end, carried, true, range.y_top,
                                      range.y_bottom};
          waiting[num_waiting++] = {begin, block.end, left, false, crossing, range.y_bottom};
          waiting[num_waiting++] = {begin, block.end, left, false, range.y_top, crossing};
          break;
        }
      }
      begin = block.end;
    }
  }
  return area;
}

/// Covered area from the pixel's top to its bottom. What lies between open slabs is covered and
/// added in one piece, so that a pixel without open slabs has an area of exactly 1.
struct CoveredArea {
  double area = 0.0, done = 0.0;
  LRAST_HD void add_open(double y_top, double y_bottom, double slab) {
    area += y_top - done;
    area += slab;
    done = y_bottom;
  }
  LRAST_HD double total() const { return clamped(area + (1.0 - done), 0.0, 1.0); }
};

/// Sweeps down, slab by slab between the starts and ends of pieces.
LRAST_HD double union_by_sweep(const Piece* pieces, const int32_t* order, int count, int winding,
                               ActiveSide* sides, VisibleSpan* visible) {
  CoveredArea covered;
  double y = 0.0;
  int next = 0, num_sides = 0, negative = 0;
  while (y < 1.0) {
    for (; next < count && pieces[order[next]].y0 <= y; ++next) {
      const Piece& p = pieces[order[next]];
      winding += step_at_start(p);
      if (p.y0 < p.y1) {
        sides[num_sides].weight = p.weight;
        sides[num_sides++].piece = order[next];
        negative += smaller(p.weight, 0);
      } else {
        winding += step_at_end(p);
      }
    }
    double y_next = next < count ? pieces[order[next]].y0 : 1.0;
    for (int i = 0; i < num_sides; ++i) y_next = smaller(y_next, pieces[sides[i].piece].y1);

    // Folded meshes: mostly the winding stays positive throughout the slab, and no x is needed.
    if (winding + negative <= 0) {
      place_sides(pieces, sides, num_sides, y, y_next);
      if (!stays_covered(sides, num_sides, winding))
        covered.add_open(y, y_next,
                         slab_area(pieces, sides, num_sides, winding, y, y_next, visible));
    }
    for (int i = 0; i < num_sides;) {
      const Piece& p = pieces[sides[i].piece];
      if (p.y1 > y_next) {
        ++i;
        continue;
      }
      winding += step_at_end(p);
      negative -= smaller(p.weight, 0);
      sides[i] = sides[--num_sides];
    }
    y = y_next;
  }
  return covered.total();
}

/// Most touched pixels of an ordinary mesh have one piece. The same as union_by_sweep().
LRAST_HD double union_of_one(const Piece& p, int winding, VisibleSpan& visible) {
  CoveredArea covered;
  if (winding <= 0 && p.y0 > 0.0) covered.add_open(0.0, p.y0, 0.0);
  winding += step_at_start(p);
  if (winding + smaller(p.weight, 0) <= 0 && p.y0 < p.y1) {
    ActiveSide side;
    side.piece = 0;
    side.weight = p.weight;
    place_sides(&p, &side, 1, p.y0, p.y1);
    covered.add_open(p.y0, p.y1, slab_area(&p, &side, 1, winding, p.y0, p.y1, &visible));
  }
  winding += step_at_end(p);
  if (winding <= 0 && p.y1 < 1.0) covered.add_open(p.y1, 1.0, 0.0);
  return covered.total();
}

/// Covered area of a pixel, in [0, 1], from its pieces and the winding at its top left corner.
/// Adds what is visible of each piece to visible[piece]. Scratch: order and sides, one per piece.
LRAST_HD double pixel_union(const Piece* pieces, int count, int winding, int32_t* order,
                            ActiveSide* sides, VisibleSpan* visible) {
  if (count == 1) return union_of_one(pieces[0], winding, visible[0]);
  // Cheapest bound on the winding: nothing can bring it to zero, so no side is visible.
  int lowest = winding;
  for (int i = 0; i < count; ++i) {
    const Piece& p = pieces[i];
    lowest += smaller(p.weight, 0) + smaller(step_at_start(p), 0) + smaller(step_at_end(p), 0);
  }
  if (lowest > 0) return 1.0;

  for (int i = 0; i < count; ++i) order[i] = i;
  sort_numbers(order, count, StartsBefore{pieces});
  return union_by_sweep(pieces, order, count, winding, sides, visible);
}

LRAST_END
