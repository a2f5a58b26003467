// csrc/kernels/rasterize_setup.h: kLanes faces at a time made ready to be drawn in a tile (CPU).
#pragma once
#include "../core/raster.h"
#include "lanes.h"
#include "rasterize_bin.h"

LRAST_BEGIN

/// A tile's pixels, within the picture.
struct RasterBox { int left, top, right, bottom; };

/// kLanes faces ready to be drawn in one tile.
struct FaceSetup {
  Doubles corner_x[3], corner_y[3];  // the inside is to the right of corner i -> i + 1
  Doubles dx[3], dy[3];              // of that edge
  Doubles side[3];                   // (b - a) x (p - a) at the first pixel centre of the box
  Doubles unsure;                    // bound on the error of `side` at any pixel of the tile
  KeyPlaneOf<Doubles> plane;
  Ints left, top, right, bottom;     // box of pixels within the tile
  unsigned front;                    // lanes that are seen from the front
};

/// Corners of kLanes faces as lanes.
inline void gather_corners(const RasterPoint* const (*corners)[3], RasterPointOf<Doubles>* out) {
  for (int i = 0; i < 3; ++i) {
    out[i].x = each_lane([&](int lane) { return corners[lane][i]->x; });
    out[i].y = each_lane([&](int lane) { return corners[lane][i]->y; });
    out[i].key = each_lane([&](int lane) { return corners[lane][i]->key; });
  }
}

/// Lanes whose faces are to be drawn, and in `turned` those whose corners b and c change places for
/// the inside to be on the right.
inline unsigned faces_to_draw(const RasterPointOf<Doubles>* p, const RasterPoint* const (*corners)[3],
                              int32_t cull, unsigned lanes, unsigned& turned) {
  const Doubles first = (p[1].x - p[0].x) * (p[2].y - p[0].y);
  const Doubles second = (p[1].y - p[0].y) * (p[2].x - p[0].x);
  const Doubles bound = 0x1p-51 * (magnitude(first) + magnitude(second));  // as in side_of()
  unsigned right = above(first - second, bound);
  turned = above(-bound, first - second);
  for (unsigned left = lanes & ~(right | turned), lane = 0; left; left >>= 1, ++lane) {
    if (!(left & 1)) continue;
    const RasterPoint* const* c = corners[lane];
    const int side = side_of(screen_of(*c[0]), screen_of(*c[1]), screen_of(*c[2]));
    right |= unsigned(side > 0) << lane;
    turned |= unsigned(side < 0) << lane;
  }
  return lanes & ((is_culled(1, cull) ? 0u : right) | (is_culled(-1, cull) ? 0u : turned));
}

/// Returns the lanes that have something to draw.
inline unsigned set_up_faces(const RasterPoint* const (*corners)[3], unsigned lanes, int32_t cull,
                             const RasterBox& tile, FaceSetup& out) {
  RasterPointOf<Doubles> p[3];
  gather_corners(corners, p);
  unsigned turned;
  lanes = faces_to_draw(p, corners, cull, lanes, turned);
  if (!lanes) return 0;
  out.front = turned;
  make_key_plane(p[0], p[1], p[2], out.plane);

  const auto pixels = [](const Doubles& edge, double round, int begin, int end) {
    const Doubles rounded = edge + round;
    const Doubles kept = least(most(rounded, all_lanes(begin)), all_lanes(end));
    return __builtin_convertvector(kept, Ints);
  };
  out.left = pixels(least(least(p[0].x, p[1].x), p[2].x), BoxLimits::kLowRound, tile.left, tile.right);
  out.top = pixels(least(least(p[0].y, p[1].y), p[2].y), BoxLimits::kLowRound, tile.top, tile.bottom);
  out.right = pixels(most(most(p[0].x, p[1].x), p[2].x), BoxLimits::kHighRound, tile.left, tile.right);
  out.bottom = pixels(most(most(p[0].y, p[1].y), p[2].y), BoxLimits::kHighRound, tile.top, tile.bottom);

  const Doubles x = __builtin_convertvector(out.left, Doubles) + 0.5;
  const Doubles y = __builtin_convertvector(out.top, Doubles) + 0.5;
  out.corner_x[0] = p[0].x;
  out.corner_y[0] = p[0].y;
  out.corner_x[1] = where(turned, p[2].x, p[1].x);
  out.corner_y[1] = where(turned, p[2].y, p[1].y);
  out.corner_x[2] = where(turned, p[1].x, p[2].x);
  out.corner_y[2] = where(turned, p[1].y, p[2].y);
  Doubles size{};
  for (int i = 0; i < 3; ++i) {
    const int j = i == 2 ? 0 : i + 1;
    const Doubles dx = out.corner_x[j] - out.corner_x[i], dy = out.corner_y[j] - out.corner_y[i];
    const Doubles to_x = x - out.corner_x[i], to_y = y - out.corner_y[i];
    out.dx[i] = dx;
    out.dy[i] = dy;
    out.side[i] = dx * to_y - dy * to_x;
    size = most(size, (magnitude(dx) + magnitude(dy)) *
                          (magnitude(to_x) + magnitude(to_y) + 4.0 * kRasterTile));
  }
  // No number on the way to a pixel of the tile exceeds `size`, and fewer than 2 kRasterTile + 20 of
  // them are rounded, each to 2^-53 of itself.
  out.unsure = size * 0x1p-44;
  return lanes;
}

inline KeyPlaneOf<Doubles> spread_plane(const KeyPlaneOf<Doubles>& plane, int lane) {
  return {all_lanes(plane.x[lane]),       all_lanes(plane.y[lane]),
          all_lanes(plane.key[lane]),     all_lanes(plane.slope_x[lane]),
          all_lanes(plane.slope_y[lane]), all_lanes(plane.least[lane]),
          all_lanes(plane.most[lane])};
}

inline bool decide_exactly(const FaceSetup& setup, int lane, int column, int row) {
  ScreenPoint corner[3];
  for (int i = 0; i < 3; ++i) corner[i] = {setup.corner_x[i][lane], setup.corner_y[i][lane]};
  return covers(corner, {column + 0.5, row + 0.5});
}

/// Those of `lanes` whose pixels, from (column, row) to the right, the face really covers.
[[gnu::noinline]] inline unsigned decide_pixels(const FaceSetup& setup, int lane, int column,
                                                int row, unsigned lanes) {
  unsigned covered = 0;
  for (; lanes; lanes &= lanes - 1) {
    const int i = __builtin_ctz(lanes);
    covered |= unsigned(decide_exactly(setup, lane, column + i, row)) << i;
  }
  return covered;
}

/// Those of `lanes` whose faces really cover the pixel (i, j) of their boxes.
[[gnu::noinline]] inline unsigned decide_lanes(const FaceSetup& setup, unsigned lanes, int i,
                                               int j) {
  unsigned covered = 0;
  for (; lanes; lanes &= lanes - 1) {
    const int lane = __builtin_ctz(lanes);
    covered |= unsigned(decide_exactly(setup, lane, setup.left[lane] + i, setup.top[lane] + j))
               << lane;
  }
  return covered;
}

LRAST_END
