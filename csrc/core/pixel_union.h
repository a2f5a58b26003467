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
/// covered from the left. `winding` is carried from the left of the first to the right of the last.
LRAST_HD double ordered_area(const ActiveSide* sides, int count, int& winding, double y_top,
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

/// Pieces that follow each other down the pixel: each is one side of a trapezoid.
LRAST_HD double union_of_stack(const Piece* pieces, const int32_t* order, int count, int winding,
                               VisibleSpan* visible) {
  double area = 0.0, y = 0.0;
  for (int i = 0; i < count; ++i) {
    const Piece& p = pieces[order[i]];
    if (winding > 0) area += p.y0 - y;
    winding += step_at_start(p);
    const double height = p.y1 - p.y0;
    if (winding > 0) area += height;
    const int sign = coverage_step(winding, winding + p.weight);
    if (sign != 0 && height > 0.0) {
      area += sign * height * (1.0 - 0.5 * (p.x0 + p.x1));
      see(visible[order[i]], sign, p.y0, p.y1);
    }
    winding += step_at_end(p);
    y = p.y1;
  }
  return winding > 0 ? area + (1.0 - y) : area;
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

LRAST_HD void place_sides(const Piece* pieces, ActiveSide* sides, int count, double y_top,
                          double y_bottom) {
  for (int i = 0; i < count; ++i) {
    const Piece& p = pieces[sides[i].piece];
    sides[i].x_top = piece_x_at(p, y_top);
    sides[i].x_bottom = piece_x_at(p, y_bottom);
  }
}

/// Sides from `begin` to `end` between two heights, `winding` to their left: work that is waiting.
struct SideRange {
  int begin, end, winding;
  bool sorted;
  double y_top, y_bottom;
};

LRAST_HD void sort_range(const Piece* pieces, ActiveSide* sides, const SideRange& range) {
  place_sides(pieces, sides + range.begin, range.end - range.begin, range.y_top, range.y_bottom);
  sort_sides(sides + range.begin, range.end - range.begin);
  double least_top = sides[range.end - 1].x_top, least_bottom = sides[range.end - 1].x_bottom;
  for (int i = range.end - 1; i >= range.begin; --i) {
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
    int carried = winding;
    area += ordered_area(sides, count, carried, top, bottom, visible);
    if (bottom >= y_bottom) return area;
    top = bottom;
    bottom = y_bottom;
  }
}

/// Area of the slab from y_top to y_bottom, which no piece starts or ends in.
///
/// Sorted sides fall into blocks. Where sides of a block cross in sight, that block is split at the
/// crossing: always valid, and it takes the pair out of disorder on both sides, so the splitting
/// ends; what is left is below kTouching.
LRAST_HD double slab_area(const Piece* pieces, ActiveSide* sides, int count, int winding,
                          double y_top, double y_bottom, VisibleSpan* visible) {
  constexpr int kMostWaiting = 40;
  SideRange waiting[kMostWaiting];
  waiting[0] = {0, count, winding, false, y_top, y_bottom};
  double area = winding > 0 ? y_bottom - y_top : 0.0;
  for (int num_waiting = 1; num_waiting > 0;) {
    const SideRange range = waiting[--num_waiting];
    if (!range.sorted) sort_range(pieces, sides, range);
    int carried = range.winding;
    for (int begin = range.begin; begin < range.end;) {
      const SideBlock block = block_at(sides, range.end, begin, carried);
      const int block_count = block.end - begin, left = carried;
      carried += block.weight;
      if (!block.hidden) {
        const double crossing =
            find_crossing(sides + begin, block_count, range.y_top, range.y_bottom);
        if (crossing >= range.y_bottom) {
          int inside = left;
          area += ordered_area(sides + begin, block_count, inside, range.y_top, range.y_bottom,
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

/// Pieces that overlap in y: sweep down, slab by slab between the starts and ends of pieces.
LRAST_HD double union_by_sweep(const Piece* pieces, const int32_t* order, int count, int winding,
                               ActiveSide* sides, VisibleSpan* visible) {
  double area = 0.0, y = 0.0;
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
    if (winding + negative > 0)
      area += y_next - y;
    else if (num_sides > 0)
      area += slab_area(pieces, sides, num_sides, winding, y, y_next, visible);

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
  return area;
}

/// Covered area of a pixel, in [0, 1], from its pieces and the winding at its top left corner.
/// Adds what is visible of each piece to visible[piece]. Scratch: order and sides, one per piece.
LRAST_HD double pixel_union(const Piece* pieces, int count, int winding, int32_t* order,
                            ActiveSide* sides, VisibleSpan* visible) {
  if (count == 1 && pieces[0].y0 == 0.0 && pieces[0].y1 == 1.0) {
    const int sign = coverage_step(winding, winding + pieces[0].weight);
    const double area = winding > 0 ? 1.0 : 0.0;
    if (sign == 0) return area;
    see(visible[0], sign, 0.0, 1.0);
    return area + sign * (1.0 - 0.5 * (pieces[0].x0 + pieces[0].x1));
  }
  // Cheapest bound on the winding: nothing can bring it to zero, so no side is visible.
  int lowest = winding;
  for (int i = 0; i < count; ++i) {
    const Piece& p = pieces[i];
    lowest += smaller(p.weight, 0) + smaller(step_at_start(p), 0) + smaller(step_at_end(p), 0);
  }
  if (lowest > 0) return 1.0;

  for (int i = 0; i < count; ++i) order[i] = i;
  sort_numbers(order, count, StartsBefore{pieces});
  bool stacked = true;
  for (int i = 0; i + 1 < count && stacked; ++i)
    stacked = pieces[order[i]].y1 <= pieces[order[i + 1]].y0;
  const double area = stacked ? union_of_stack(pieces, order, count, winding, visible)
                              : union_by_sweep(pieces, order, count, winding, sides, visible);
  return clamped(area, 0.0, 1.0);
}

LRAST_END
