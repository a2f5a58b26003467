// csrc/kernels/soft_color_backward.h: gradient of a tile's softly visible colours (CPU).
#pragma once
#include "soft_backward.h"
#include "soft_color_tile.h"

LRAST_BEGIN

/// A face's gradient from one tile is so many numbers: of each corner of its visible part x, y on
/// the screen, depth key and colour.
inline int color_gradient_size(int channels) { return kMaxSides * (3 + channels); }

/// Scratch of a thread.
template <typename T> struct ColorBackwardSpace {
  TilePixels<T> weight;       // d loss / d z of a face with p = 1, by way of coverage
  TilePixels<T> largest;      // of exponents
  TilePixels<T> scale;        // 1 / total weight
  TilePixels<T> base;         // sum over channels of gradient times image
  Buffer<T> grads;            // (C + 1, blocks, pixels) of the image
  uint64_t live;              // blocks with any gradient
  TileFaces<T> faces;
  Buffer<ColorFace<T>> colors;
  Buffer<T> corner_colors;
  Buffer<T> sums;             // of one face, by lanes; see ColorRows

  const T* grad(int c, int block) const {
    return grads.data() + (c * kBlocks + block) * kBlockPixels;
  }
};

/// Rows of 16 lanes that a face's sums are kept in: of sides, then of each half.
struct ColorRows {
  int channels;
  int side(int k, int sum) const { return kSums * k + sum; }
  int half(int h) const { return kSums * kMaxSides + h * (12 + 3 * channels); }
  int key(int h, int i) const { return half(h) + i; }
  int share(int h, int i, int sum) const { return half(h) + 3 + 3 * i + sum; }
  int color(int h, int i, int c) const { return half(h) + 12 + i * channels + c; }
  int count() const { return half(2); }
};

template <typename T> LRAST_INLINE void add_to_row(T* sums, int row, int part, Pack<T> value) {
  T* at = sums + row * kBlockPixels + part * Pack<T>::kLanes;
  store(load(at) + value, at);
}

/// Gradients by way of one half of a face; returns d loss / d ln p.
template <typename T>
Pack<T> unblend(const ColorTriangle<T>& triangle, int half, const T* corner_colors,
                const SoftColorModel& model, bool perspective, Pack<T> x, Pack<T> y, Pack<T> p,
                PackMask<T> counts, int block, int part, ColorBackwardSpace<T>& space) {
  const int first = part * Pack<T>::kLanes, channels = model.num_channels;
  const ColorRows rows{channels};
  const Pack<T> none(T(0));
  T* sums = space.sums.data();
  const ColorPoint<Pack<T>> point = color_point(triangle, x, y);
  const Pack<T> exponent =
      point.key * Pack<T>(T(model.slope[perspective])) + Pack<T>(T(model.offset[perspective]));
  const Pack<T> below = smaller(exponent - load(space.largest.at[block] + first), none);
  const Pack<T> weight = select(
      counts, p * decay<T>(below) * load(space.scale.at[block] + first), none);

  // Of the face's own colour less the picture's.
  Pack<T> excess = load(space.grad(channels, block) + first) - load(space.base.at[block] + first);
  Pack<T> grad_bary[3] = {none, none, none};
  for (int c = 0; c < channels; ++c) {
    const Pack<T> grad = load(space.grad(c, block) + first);
    for (int i = 0; i < 3; ++i) {
      const Pack<T> color(corner_colors[triangle.corner[i] * channels + c]);
      grad_bary[i] = grad_bary[i] + grad * color;
      add_to_row(sums, rows.color(half, i, c), part, weight * grad * point.bary[i]);
    }
  }
  for (int i = 0; i < 3; ++i) {
    excess = excess + grad_bary[i] * point.bary[i];
    grad_bary[i] = weight * grad_bary[i];
  }
  const Pack<T> grad = weight * excess;
  Pack<T> grad_share[3], grad_key[3];
  color_point_vjp(triangle, point, perspective, grad_bary,
                  grad * Pack<T>(T(model.slope[perspective] * 0.69314718055994531)), grad_share,
                  grad_key);
  for (int i = 0; i < 3; ++i) {
    add_to_row(sums, rows.key(half, i), part, grad_key[i]);
    add_to_row(sums, rows.share(half, i, 0), part, grad_share[i]);
    add_to_row(sums, rows.share(half, i, 1), part, grad_share[i] * x);
    add_to_row(sums, rows.share(half, i, 2), part, grad_share[i] * y);
  }
  return grad;
}

template <bool kLinear, int kSides, typename T>
void sum_color_pixels(const Tile<T>& tile, uint64_t reached, const FaceRecord<T>& face,
                      const ColorFace<T>& colors, const T* corner_colors,
                      const SoftColorModel& model, bool perspective,
                      ColorBackwardSpace<T>& space) {
  const ColorRows rows{model.num_channels};
  const Pack<T> none(T(0)), one(T(1)), log2(T(0.69314718055994531));
  const FaceConstants<kSides, T> constants(tile, face);
  T* sums = space.sums.data();
  for (uint64_t left = space.live & reached; left; left &= left - 1) {
      const int block = __builtin_ctzll(left);
      for (int part = 0; part < kParts<T>; ++part) {
        Pack<T> x, y;
        block_pixels(block, part, x, y);
        const SideFrames<kSides, Pack<T>> frames = constants.at(x, y);
        const SidePoint<kSides, T, Pack<T>> at(frames, constants);
        const Pack<T> z = soft_exponent<kLinear>(at.distance2, at.inner);
        const SoftChance<Pack<T>> chance = soft_chance<kLinear, T>(z, constants.fade);
        const PackMask<T> counts = less(constants.end, z);
        const Pack<T> inverse = one / chance.factor, p = chance.odds * inverse;
        Pack<T> grad = none;
        for (int half = 0; half < colors.halves; ++half)
          grad = grad + unblend(colors.half[half], half, corner_colors, model, perspective, x, y,
                                p, in_half(colors, half, x, y, counts), block, part, space);
        // d ln p / d z = ln 2 * 2^z / (factor odds).
        const Pack<T> by_coverage = load(space.weight.at[block] + part * Pack<T>::kLanes);
        const Pack<T> slope = chance.power * inverse;
        const Pack<T> odds = larger(chance.odds, Pack<T>(smallest_odds<T>()));
        const Pack<T> grad_z =
            select(counts, by_coverage * slope + grad * (log2 * slope / odds), none);
        at.template share<kLinear>(
            frames, grad_z, [&](int k, Pack<T> across, Pack<T> along, Pack<T> on_side) {
              add_to_row(sums, rows.side(k, 0), part, across);
              add_to_row(sums, rows.side(k, 1), part, along);
              add_to_row(sums, rows.side(k, 2), part, across * on_side);
              add_to_row(sums, rows.side(k, 3), part, along * on_side);
            });
      }
    }
}

/// Gradients of the corners of a face's visible part, from its sums.
template <typename T>
void finish_color_face(const SoftFace& face, const SoftModel& model, const Tile<T>& tile, const ColorFace<T>& colors,
                       const ColorRows& rows, const double* sums, T* out) {
  const int stride = 3 + rows.channels;
  double grads[kMaxSides][3] = {};
  for (int k = 0; k < face.sides; ++k) {
    const int next = k + 1 == face.sides ? 0 : k + 1;
    const SoftSide<double> side =
        make_soft_side(face.corner[k].x, face.corner[k].y, face.corner[next].x,
                       face.corner[next].y, face.turn, model, tile.middle_u, tile.middle_v);
    const double* sum = sums + rows.side(k, 0);
    const EndGradients<double> ends =
        side_gradient(side, face.turn, model, stretch_in_tile(side, tile.radius).middle,
                      SideSums<double>{sum[0], sum[1], sum[2], sum[3]});
    grads[k][0] += ends.ax;
    grads[k][1] += ends.ay;
    grads[next][0] += ends.bx;
    grads[next][1] += ends.by;
  }
  const double middle_x = tile.x + 0.5 * kTile, middle_y = tile.y + 0.5 * kTile;
  for (int i = 0; i < kMaxSides * stride; ++i) out[i] = T(0);
  for (int h = 0; h < colors.halves; ++h) {
    const ColorTriangle<T>& triangle = colors.half[h];
    ScreenPoint p[3], grad[3] = {};
    for (int i = 0; i < 3; ++i)
      p[i] = {face.corner[triangle.corner[i]].x - middle_x,
              face.corner[triangle.corner[i]].y - middle_y};
    for (int i = 0; i < 3; ++i) {
      const double* sum = sums + rows.share(h, i, 0);
      add_share_gradient({sum[0], sum[1], sum[2]}, triangle.inverse_area, p[(i + 1) % 3],
                         p[(i + 2) % 3], grad[(i + 1) % 3], grad[(i + 2) % 3]);
    }
    for (int i = 0; i < 3; ++i) {
      const int corner = triangle.corner[i];
      grads[corner][0] += grad[i].x;
      grads[corner][1] += grad[i].y;
      grads[corner][2] += sums[rows.key(h, i)];
      for (int c = 0; c < rows.channels; ++c)
        out[corner * stride + 3 + c] += T(sums[rows.color(h, i, c)]);
    }
  }
  for (int k = 0; k < face.sides; ++k)
    for (int i = 0; i < 3; ++i) out[k * stride + i] = T(grads[k][i]);
}

template <typename T>
void read_color_tile(const SoftColorsBackwardArgs<T>& args, const SoftView<T>& view,
                     const Tile<T>& tile, ColorBackwardSpace<T>& space) {
  const int channels = args.color_model.num_channels;
  memset(&space.weight, 0, sizeof(space.weight));
  memset(&space.largest, 0, sizeof(space.largest));
  memset(&space.scale, 0, sizeof(space.scale));
  memset(&space.base, 0, sizeof(space.base));
  space.grads.zero(int64_t(channels + 1) * kTilePixels);
  space.live = 0;
  over_block_rows(view, tile, [&](int block, int lane, int64_t place, int count) {
    for (int i = 0; i < count; ++i) {
      const T* image = args.image + (place + i) * (channels + 1);
      const T* grad = args.grad_image + (place + i) * (channels + 1);
      const T weight = args.grad_coverage[place + i] *
                       (args.uncovered[place + i] * T(0.69314718055994531));
      T base = T(0);
      bool any = weight != T(0);
      for (int c = 0; c <= channels; ++c) {
        space.grads[(c * kBlocks + block) * kBlockPixels + lane + i] = grad[c];
        base += grad[c] * image[c];
        any = any || grad[c] != T(0);
      }
      space.weight.at[block][lane + i] = weight;
      space.base.at[block][lane + i] = base;
      space.largest.at[block][lane + i] = args.largest[place + i];
      space.scale.at[block][lane + i] = T(1) / args.total[place + i];
      space.live |= uint64_t(any) << block;
    }
  });
}

/// Gradients of all faces in a tile, at their places in front.tile_faces.
template <bool kLinear, typename T>
void backward_color_tile(const SoftColorsBackwardArgs<T>& args, const SoftView<T>& view,
                         const SoftFront& front, int64_t number, ColorBackwardSpace<T>& space,
                         T* gradients) {
  const Tile<T> tile = make_tile(view, number);
  const SoftColorModel& model = args.color_model;
  const ColorRows rows{model.num_channels};
  const int size = color_gradient_size(model.num_channels);
  read_color_tile(args, view, tile, space);
  list_faces(view, front, number, tile, space.faces);
  list_colors(view, front, args.colors, model.num_channels, tile, space.faces,
              space.colors, space.corner_colors);
  Buffer<double> totals;
  totals.resize(rows.count());
  const int64_t count = space.faces.size();
  for (int64_t i = 0; i < count; ++i) {
    const FaceRecord<T>& face = space.faces.record(i);
    space.sums.zero(int64_t(rows.count()) * kBlockPixels);
    const auto sum =
        face.sides == 3 ? sum_color_pixels<kLinear, 3, T> : sum_color_pixels<kLinear, 4, T>;
    sum(tile, space.faces.blocks[i].near, face, space.colors[i],
        space.corner_colors.data() + i * kMaxSides * model.num_channels, model,
        front.perspective, space);
    for (int row = 0; row < rows.count(); ++row)
      totals[row] = sum_of_lanes(space.sums.data() + row * kBlockPixels);
    finish_color_face(front.faces[face.face], view.model, tile,
                      space.colors[i], rows, totals.data(),
                      gradients + (front.place_of(number) + i) * size);
  }
}

LRAST_END
