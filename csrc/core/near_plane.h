// csrc/core/near_plane.h: where vertices go on the screen, and faces that cross the near plane.
#pragma once
#include <math.h>

#include "projection.h"

LRAST_BEGIN

/// x - x is 0 for finite x and NaN otherwise.
LRAST_HD bool is_finite(double x) { return x - x == 0.0; }

/// Whether a vertex is finite, and behind the near plane or in front of the camera.
LRAST_HD bool is_placeable(ClipPoint p) {
  return is_finite(p.x) && is_finite(p.y) && is_finite(p.z) && is_finite(p.w) &&
         (near_distance(p) < 0.0 || p.w > 0.0);
}

/// `screen`, the position of p, or a mark for a vertex without one. A mark's x is NaN, so that
/// face_sign() is 0 for all its faces: hidden behind the near plane, or refused because it is not
/// finite on the screen or has w <= 0 in front of the plane.
LRAST_HD ScreenPoint position_or_mark(ClipPoint p, ScreenPoint screen) {
  const bool finite = is_finite(p.x) && is_finite(p.y) && is_finite(p.z) && is_finite(p.w);
  if (finite && near_distance(p) < 0.0) return {NAN, NAN};
  if (finite && p.w > 0.0 && is_finite(screen.x) && is_finite(screen.y)) return screen;
  return {NAN, 0.0};
}

/// Screen position of a vertex, or its mark.
LRAST_HD ScreenPoint place_vertex(ClipPoint p, double width, double height) {
  return position_or_mark(p, screen_from_clip(p, width, height));
}
LRAST_HD bool is_hidden(ScreenPoint p) { return p.x != p.x && p.y != p.y; }

/// Screen position of the cut between a visible and a hidden vertex, or false if it has none.
LRAST_HD bool place_cut(ClipPoint visible, ClipPoint hidden, double width, double height,
                        ScreenPoint& point) {
  const ClipPoint p = clip_at_near(visible, hidden);
  point = screen_from_clip(p, width, height);
  return p.w > 0.0 && is_finite(point.x) && is_finite(point.y);
}

/// A face cut by the near plane: the orientation of its visible part, and the edge along the cut.
struct FaceCut {
  ScreenPoint leaving, entering;          // where its outline goes behind the plane and comes back
  int8_t leaving_from, entering_to;       // visible corners (0..2) next to them
  int8_t leaving_to, entering_from;       // hidden corners next to them
  int8_t sign;                            // as face_sign(); the cut edge leaving -> entering has it
  int8_t unplaced;                        // visible corner of a cut off any screen, or -1
};

/// Both faces at an edge compute its cut from the visible to the hidden vertex, so that they agree
/// bit for bit. One or two of the corners must be hidden; a refused one makes the sign 0.
LRAST_HD FaceCut cut_face(const ClipPoint* corners, const ScreenPoint* screen, double width,
                          double height) {
  ScreenPoint polygon[4];
  FaceCut cut{};
  cut.unplaced = -1;
  int count = 0;
  for (int i = 0; i < 3; ++i) {
    const int j = i == 2 ? 0 : i + 1;
    const bool i_hidden = is_hidden(screen[i]), j_hidden = is_hidden(screen[j]);
    if (!i_hidden) polygon[count++] = screen[i];
    if (i_hidden == j_hidden) continue;
    ScreenPoint point;
    const int from = j_hidden ? i : j, to = j_hidden ? j : i;
    if (!place_cut(corners[from], corners[to], width, height, point)) cut.unplaced = int8_t(from);
    polygon[count++] = point;
    if (j_hidden) {
      cut.leaving = point;
      cut.leaving_from = int8_t(i);
      cut.leaving_to = int8_t(j);
    } else {
      cut.entering = point;
      cut.entering_from = int8_t(i);
      cut.entering_to = int8_t(j);
    }
  }
  double area = 0.0;
  for (int i = 1; i + 1 < count; ++i)
    area += (polygon[i].x - polygon[0].x) * (polygon[i + 1].y - polygon[0].y) -
            (polygon[i].y - polygon[0].y) * (polygon[i + 1].x - polygon[0].x);
  cut.sign = int8_t((area > 0.0) - (area < 0.0));
  return cut;
}

LRAST_END
