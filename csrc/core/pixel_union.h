// csrc/core/pixel_union.h: exact area of the union inside one pixel, from its contour pieces.
// Frame: the pixel's own, [0, 1] x [0, 1].
#pragma once
#include "contour_edge.h"

LRAST_BEGIN

/// A piece that reaches into the current slab of rows: x at the slab's top and bottom.
struct ActiveSide {
  double x_top, x_bottom;
  int64_t key;  // x at mid height on a 2^-40 grid, so that coincident sides tie exactly
  int32_t piece;
};

// Two sides whose order differs at the slab's ends by less than this are taken as touching; it is
// far above rounding (1e-16) and far below anything visible.
constexpr double kTouching = 0x1p-38;

LRAST_HD bool starts_before(const Piece* pieces, int32_t a, int32_t b) {
  return pieces[a].y0 < pieces[b].y0 || (pieces[a].y0 == pieces[b].y0 && a < b);
}

/// Sorts piece numbers by where they start; ties by number. Heap sort beyond a few, because a
/// distant mesh may put tens of thousands of pieces into one pixel.
LRAST_HD void sort_by_start(const Piece* pieces, int32_t* order, int count) {
  if (count <= 24) {
    for (int i = 1; i < count; ++i) {
      const int32_t item = order[i];
      int j = i;
      for (; j > 0 && starts_before(pieces, item, order[j - 1]); --j) order[j] = order[j - 1];
      order[j] = item;
    }
    return;
  }
  for (int begin = count / 2, end = count; end > 1;) {
    int32_t item;
    if (begin > 0) {
      item = order[--begin];
    } else {
      item = order[--end];
      order[end] = order[0];
    }
    int hole = begin;
    for (int child = 2 * hole + 1; child < end; child = 2 * hole + 1) {
      if (child + 1 < end && starts_before(pieces, order[child], order[child + 1])) ++child;
      if (!starts_before(pieces, item, order[child])) break;
      order[hole] = order[child];
      hole = child;
    }
    order[hole] = item;
  }
}

LRAST_HD double piece_x_at(const Piece& p, double y) {
  if (y >= p.y1) return p.x1;
  if (y <= p.y0) return p.x0;
  const double x = p.x0 + (y - p.y0) * ((p.x1 - p.x0) / (p.y1 - p.y0));
  return p.x0 < p.x1 ? clamped(x, p.x0, p.x1) : clamped(x, p.x1, p.x0);
}

/// What the winding at the pixel's left side does at a piece's two ends.  An edge that comes in
/// through the left side was to the left of everything before, one that leaves is from there on.
LRAST_HD int step_at_start(const Piece& p) { return p.x0 == 0.0 && p.y0 > 0.0 ? -p.weight : 0; }
LRAST_HD int step_at_end(const Piece& p) { return p.x1 == 0.0 && p.y1 < 1.0 ? p.weight : 0; }

/// +1 where crossing a side uncovers -> covers, -1 for the reverse, 0 where it changes nothing.
LRAST_HD int coverage_step(int winding_left, int winding_right) {
  return int(winding_right > 0) - int(winding_left > 0);
}

LRAST_HD void see(VisibleSpan& span, int sign, double y_top, double y_bottom) {
  const double dy = sign * (y_bottom - y_top);
  span.dy += dy;
  span.y_dy += dy * 0.5 * (y_top + y_bottom);
}

LRAST_HD bool lies_before(const Piece* pieces, const ActiveSide& a, const ActiveSide& b) {
  if (a.key != b.key) return a.key < b.key;
  // Coincident sides: entering first keeps the winding positive, so that a seam between touching
  // pieces of surface is not an outline.
  const int32_t wa = pieces[a.piece].weight, wb = pieces[b.piece].weight;
  if (wa != wb) return wa > wb;
  return a.piece < b.piece;
}

/// Sorts the sides of a slab by x at mid height.
LRAST_HD void sort_sides(const Piece* pieces, ActiveSide* sides, int count) {
  for (int i = 0; i < count; ++i)
    sides[i].key = int64_t((sides[i].x_top + sides[i].x_bottom) * 0x1p39 + 0.5);
  for (int i = 1; i < count; ++i) {
    if (!lies_before(pieces, sides[i], sides[i - 1])) continue;
    const ActiveSide item = sides[i];
    int j = i;
    for (; j > 0 && lies_before(pieces, item, sides[j - 1]); --j) sides[j] = sides[j - 1];
    sides[j] = item;
  }
}

/// The crossing of neighbouring sides that is closest to the slab's middle; `y_bottom` if none.
LRAST_HD double find_crossing(const ActiveSide* sides, int count, double y_top, double y_bottom) {
  double best = y_bottom, best_distance = 1.0;
  for (int i = 0; i + 1 < count; ++i) {
    const double gap_top = sides[i + 1].x_top - sides[i].x_top;
    const double gap_bottom = sides[i + 1].x_bottom - sides[i].x_bottom;
    if (gap_top >= -kTouching && gap_bottom >= -kTouching) continue;
    const double t = gap_top / (gap_top - gap_bottom);
    const double y = y_top + (y_bottom - y_top) * t;
    const double distance = fabs(t - 0.5);
    if (y > y_top && y < y_bottom && distance < best_distance) {
      best = y;
      best_distance = distance;
    }
  }
  return best;
}

/// Area of a slab whose sides are in order all the way down.
LRAST_HD double slab_area(const Piece* pieces, const ActiveSide* sides, int count, int winding,
                          double y_top, double y_bottom, VisibleSpan* visible) {
  const double height = y_bottom - y_top;
  double area = winding > 0 ? height : 0.0;
  for (int i = 0; i < count; ++i) {
    const int right = winding + pieces[sides[i].piece].weight;
    const int sign = coverage_step(winding, right);
    winding = right;
    if (sign == 0) continue;
    area += sign * height * (1.0 - 0.5 * (sides[i].x_top + sides[i].x_bottom));
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

/// Pieces that overlap in y: sweep down slab by slab. A slab ends at the next start or end of a
/// piece, or at a crossing inside it. Splitting at a crossing is always valid and takes that pair
/// out of disorder on both sides, so the loop ends; what is left is below kTouching.
LRAST_HD double union_by_sweep(const Piece* pieces, const int32_t* order, int count, int winding,
                               ActiveSide* sides, VisibleSpan* visible) {
  double area = 0.0, y = 0.0;
  int next = 0, num_sides = 0, negative = 0;
  while (y < 1.0) {
    for (; next < count && pieces[order[next]].y0 <= y; ++next) {
      const Piece& p = pieces[order[next]];
      winding += step_at_start(p);
      if (p.y0 < p.y1) {
        sides[num_sides++] = {p.x0, p.x0, 0, order[next]};
        negative += smaller(p.weight, 0);
      } else {
        winding += step_at_end(p);
      }
    }
    double y_next = next < count ? pieces[order[next]].y0 : 1.0;
    for (int i = 0; i < num_sides; ++i) y_next = smaller(y_next, pieces[sides[i].piece].y1);

    // The winding is positive everywhere in the slab: nothing to sort.
    const bool hidden = winding + negative > 0;
    for (;;) {
      for (int i = 0; i < num_sides; ++i)
        sides[i].x_bottom = piece_x_at(pieces[sides[i].piece], y_next);
      if (hidden || num_sides < 2) break;
      sort_sides(pieces, sides, num_sides);
      const double crossing = find_crossing(sides, num_sides, y, y_next);
      if (crossing >= y_next) break;
      y_next = crossing;
    }
    area += hidden ? y_next - y
                   : slab_area(pieces, sides, num_sides, winding, y, y_next, visible);

    int kept = 0;
    for (int i = 0; i < num_sides; ++i) {
      const Piece& p = pieces[sides[i].piece];
      if (p.y1 > y_next) {
        sides[kept] = sides[i];
        sides[kept++].x_top = sides[i].x_bottom;
      } else {
        winding += step_at_end(p);
        negative -= smaller(p.weight, 0);
      }
    }
    num_sides = kept;
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
  sort_by_start(pieces, order, count);
  bool stacked = true;
  for (int i = 0; i + 1 < count && stacked; ++i)
    stacked = pieces[order[i]].y1 <= pieces[order[i + 1]].y0;
  const double area = stacked ? union_of_stack(pieces, order, count, winding, visible)
                              : union_by_sweep(pieces, order, count, winding, sides, visible);
  return clamped(area, 0.0, 1.0);
}

LRAST_END
