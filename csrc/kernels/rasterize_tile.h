// csrc/kernels/rasterize_tile.h: the faces of one tile drawn into its order of visibility (CPU).
#pragma once
#include "../core/raster.h"
#include "lanes.h"
#include "rasterize_bin.h"

LRAST_BEGIN

/// What is in front in each pixel of a tile: `num_layers` numbers per pixel, see visibility(),
/// the largest first.
struct Tile {
  static constexpr int kPitch = kTile + kLanes;  // a row may be written beyond its end
  int64_t* nearest;                              // (kTile, kPitch, num_layers)
  int left, top, right, bottom;                  // px, within the picture
  int num_layers;

  int64_t* at(int column, int row) const {
    return nearest + (int64_t(row - top) * kPitch + (column - left)) * num_layers;
  }
};

/// kLanes faces ready to be drawn in one tile.
struct FaceSetup {
  Doubles corner_x[3], corner_y[3];  // the inside is to the right of corner i -> i + 1
  Doubles dx[3], dy[3];              // of that edge
  Doubles side[3];                   // (b - a) x (p - a) at the first pixel centre of the box
  Doubles unsure;                    // bound on the error of `side` at any pixel of the tile
  KeyPlaneOf<Doubles> plane;
  Ints left, top, right, bottom;     // box of pixels within the tile
  int32_t face[kLanes];
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
                             const Tile& tile, FaceSetup& out) {
  RasterPointOf<Doubles> p[3];
  gather_corners(corners, p);
  unsigned turned;
  lanes = faces_to_draw(p, corners, cull, lanes, turned);
  if (!lanes) return 0;
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
    size = most(size, (magnitude(dx) + magnitude(dy)) * (magnitude(to_x) + magnitude(to_y) + 4.0 * kTile));
  }
  // No number on the way to a pixel of the tile exceeds `size`, and fewer than 2 kTile + 20 of
  // them are rounded, each to 2^-53 of itself.
  out.unsure = size * 0x1p-44;
  return lanes;
}

inline KeyPlane plane_of(const KeyPlaneOf<Doubles>& plane, int lane) {
  return {plane.x[lane],       plane.y[lane],       plane.key[lane], plane.slope_x[lane],
          plane.slope_y[lane], plane.least[lane], plane.most[lane]};
}

/// Those of `lanes` whose pixel centres, from (x, y) to the right, a face really covers.
inline unsigned decide_exactly(const FaceSetup& setup, int lane, double x, double y,
                               unsigned lanes) {
  ScreenPoint corner[3];
  for (int i = 0; i < 3; ++i) corner[i] = {setup.corner_x[i][lane], setup.corner_y[i][lane]};
  unsigned covered = 0;
  for (int i = 0; i < kLanes; ++i)
    if (lanes >> i & 1 && covers(corner, {x + i, y})) covered |= 1u << i;
  return covered;
}

/// Puts a fragment into a pixel's layers; the last one falls out.
inline void insert_fragment(int64_t fragment, int64_t* layers, int num_layers) {
  int i = num_layers;
  for (; i > 0 && fragment > layers[i - 1]; --i)
    if (i < num_layers) layers[i] = layers[i - 1];
  if (i < num_layers) layers[i] = fragment;
}

/// visibility() in lanes.
inline Longs visibilities(const Doubles& key, int32_t face) {
  const Floats rounded = __builtin_convertvector(key, Floats) + 0.0f;
  const Ints bits = load_lanes<Ints>(&rounded);
  const Ints ordered = bits ^ ((bits >> 31) & 0x7fffffff);
  return __builtin_convertvector(ordered, Longs) << 32 | int64_t(uint32_t(~face));
}

template <bool kLayered>
void draw_face(const FaceSetup& setup, int lane, const Tile& tile) {
  const int left = setup.left[lane], right = setup.right[lane];
  const int top = setup.top[lane], bottom = setup.bottom[lane];
  const KeyPlane plane = plane_of(setup.plane, lane);
  const int32_t face = setup.face[lane];
  const Doubles unsure = all_lanes(setup.unsure[lane]);
  const Doubles dx0 = all_lanes(setup.dx[0][lane]), dx1 = all_lanes(setup.dx[1][lane]),
                dx2 = all_lanes(setup.dx[2][lane]);
  for (int column = left; column < right; column += kLanes) {
    const Doubles across = lane_numbers() + double(column - left);
    const Doubles x = lane_numbers() + (column + 0.5);
    Doubles side0 = setup.side[0][lane] - setup.dy[0][lane] * across;
    Doubles side1 = setup.side[1][lane] - setup.dy[1][lane] * across;
    Doubles side2 = setup.side[2][lane] - setup.dy[2][lane] * across;
    int64_t* place = tile.at(column, top);
    for (int row = top; row < bottom; ++row, place += Tile::kPitch * tile.num_layers) {
      const Doubles side = least(least(side0, side1), side2);
      side0 += dx0;
      side1 += dx1;
      side2 += dx2;
      const unsigned maybe = at_least(side, -unsure);
      if (!maybe) continue;
      unsigned covered = above(side, unsure);
      if (covered != maybe)
        covered |= decide_exactly(setup, lane, column + 0.5, row + 0.5, maybe & ~covered);
      Doubles key;
      key_at(plane, x, row + 0.5, key);
      const Longs fragments = visibilities(key, face);
      if (!kLayered) {
        raise(place, fragments, covered);
        continue;
      }
      for (int i = 0; i < kLanes && column + i < tile.right; ++i)
        if (covered >> i & 1) insert_fragment(fragments[i], place + i * tile.num_layers, tile.num_layers);
    }
  }
}

template <bool kLayered>
void draw_folded(const FoldedFace& folded, const Tile& tile) {
  for (int row = tile.top; row < tile.bottom; ++row)
    for (int column = tile.left; column < tile.right; ++column) {
      const ScreenPoint centre{column + 0.5, row + 0.5};
      int which = 0;
      if (!covers(folded.shape, centre, which)) continue;
      double key;
      key_at(folded.shape.triangle[which].plane, centre.x, centre.y, key);
      insert_fragment(visibility(float(key), folded.face), tile.at(column, row), tile.num_layers);
    }
}

/// Draws all faces that the front has sent to the tile number `number`.
template <bool kLayered, typename T>
void draw_tile(const RasterizeArgs<T>& args, const RasterizeFront& front, int64_t number,
               const Tile& tile) {
  const int64_t size = int64_t(kTile) * Tile::kPitch * tile.num_layers;
  for (int64_t i = 0; i < size; ++i) tile.nearest[i] = kNoFragment;
  FaceSetup setup;
  for (int chunk = 0; chunk < front.num_lists; ++chunk) {
    const TileLists& lists = *front.lists[chunk];
    lists.for_each_block(number, [&](const int32_t* entries, int count) {
      for (int first = 0; first < count; first += kLanes) {
        const RasterPoint* corners[kLanes][3];
        for (int lane = 0; lane < kLanes; ++lane) {
          const int32_t entry = entries[smaller(first + lane, count - 1)];
          if (entry >= 0) {
            const int32_t* vert = args.faces + 3 * int64_t(entry);
            for (int i = 0; i < 3; ++i) corners[lane][i] = &front.point(vert[i]);
            setup.face[lane] = entry;
          } else {
            const CutTriangle& cut = lists.cut[~entry];
            for (int i = 0; i < 3; ++i) corners[lane][i] = &cut.corner[i];
            setup.face[lane] = cut.face;
          }
        }
        const unsigned lanes = count - first >= kLanes ? kAllLanes : (1u << (count - first)) - 1;
        unsigned live = set_up_faces(corners, lanes, args.cull, tile, setup);
        for (int lane = 0; live; live >>= 1, ++lane)
          if (live & 1) draw_face<kLayered>(setup, lane, tile);
      }
    });
    for (int64_t i = 0; i < lists.folded.size(); ++i) draw_folded<kLayered>(lists.folded[i], tile);
  }
}

LRAST_END
